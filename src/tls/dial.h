/* keg-tls dial. */
#ifndef KEG_TLS_DIAL_H
#define KEG_TLS_DIAL_H

#include "tls/setup.h"

/* Connects, tells standard output (see tls.h), and relays until either end is gone. The exit code. */
int dial_run(const struct tls_options *options, const char *host, const char *port);

#endif
