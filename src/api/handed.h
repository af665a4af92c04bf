/* Uploads by descriptor: a client on this host who has the body in a file hands that over, and is spared sending it.
 *
 * Instead of a body the request has "Connection: Upgrade" and "Upgrade: keg-file". On the answer 101 the client sends one byte,
 * and with it (SCM_RIGHTS) the descriptor of a regular file, open for reading only; the body is what is in it from its position
 * on. One byte says that it has come. Then comes the answer, with a head of its own, as if the body had been sent; the
 * connection ends with it. Where the descriptor gets lost on the way (a forwarded socket), the connection ends at once. */
#ifndef KEG_API_HANDED_H
#define KEG_API_HANDED_H

#include "api/request.h"

#define HANDED_PROTOCOL "keg-file"

/* Whether that is what the request, one of a ROUTE_UPLOAD without a body, asks for. */
bool handed_is_wanted(const struct request *r);
/* Answers it, in place of its handler. */
void handed_reply(struct request *r);

#endif
