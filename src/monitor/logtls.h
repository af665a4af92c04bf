/* A log server behind TLS: keg-tls holds the connection, and is spoken to through a socket. No TLS is in the monitor. */
#ifndef KEG_MONITOR_LOGTLS_H
#define KEG_MONITOR_LOGTLS_H

#include <jansson.h>

#include "base/err.h"

/* Starts keg-tls for {"program","host","port","ca","cert","key": TEXT or missing, "verify": b}. The plain end of the connection
 * (non-blocking), and in *ret_status what tells how it went: the end of it that the connection stands, text why it doesn't.
 * Or -errno. The process ends with the connection, and is a child. */
int logtls_dial(const json_t *tls, int *ret_status);
/* Waits for the status. 0, or -1 with keg-tls' words. */
int logtls_wait(int status, int timeout_ms, struct err *err);

#endif
