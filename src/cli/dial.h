/* Connections to an endpoint. What needs a TLS library or a resolver is keg-tls' to do, what goes over SSH, ssh's: then
 * the descriptor is the plain end, and the program relays until either end is closed. */
#ifndef KEG_CLI_DIAL_H
#define KEG_CLI_DIAL_H

#include "cli/endpoint.h"

/* A connected socket; ERR_UNAVAILABLE when nobody listens, with err->errnum telling why. */
int dial(const struct endpoint *endpoint, struct err *err);
/* After a connection over SSH has broken off: what became of the last ssh. False if it goes on, or there was none. */
bool dial_explain(struct err *err);

#endif
