/* keg-tls serve. */
#ifndef KEG_TLS_FRONT_H
#define KEG_TLS_FRONT_H

#include "tls/setup.h"

enum { FRONT_CONNECTIONS = 4096 };

/* Accepts until the other end of the control socket (standard output) is closed, or SIGHUP comes: then it ends with its last
 * connection. The exit code. */
int front_run(const struct tls_options *options);

/* Tells the control socket whether the files can be used, and no more. The exit code. */
int front_check_run(const struct tls_options *options);

#endif
