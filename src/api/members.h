/* Names of members in a request's body: Docker's API knows them in capital and small letters alike. */
#ifndef KEG_API_MEMBERS_H
#define KEG_API_MEMBERS_H

#include <jansson.h>

/* Gives the members of a body, and of its NetworkingConfig, the names that the engine asks for ("image" becomes "Image"), where
 * that name isn't there already. What engine/fields.h has tables of reads both by itself. */
void members_settle(json_t *body);

#endif
