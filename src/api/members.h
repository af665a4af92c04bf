/* Names of members in a request's body: Docker's API knows them in capital and small letters alike. */
#ifndef KEG_API_MEMBERS_H
#define KEG_API_MEMBERS_H

#include <jansson.h>

/* Gives the members of a body, and of the objects in it that are no maps of users', the names that the engine asks for
 * ("name" becomes "Name"), where that name isn't there already. What engine/fields.h has tables of reads both by itself. */
void members_settle(json_t *body);

#endif
