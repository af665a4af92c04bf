/* Messages to a socket that somebody else listens on: the journal, a syslog server.
 *
 * What the socket doesn't take at once waits in a queue. A driver that may hold the program back is blocked while the
 * queue is long and there is a peer; one that may not, or has lost its peer, drops the newest messages when the queue is
 * full. A stream that breaks off is connected anew every second, and goes on with the message that wasn't sent whole. */
#ifndef KEG_MONITOR_LOGSENDER_H
#define KEG_MONITOR_LOGSENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct logger;
struct logsender;
struct loop;

/* options: the members "socket", "non_blocking", "max_buffer" of monitor/logger.h. NULL and *err when there is no peer. */
struct logsender *logsender_open(struct logger *log, struct loop *loop, const json_t *options,
                                 struct err *err);
/* What waits has a second to go out. */
void logsender_close(struct logsender *s);
void logsender_send(struct logsender *s, const void *message, size_t len);
bool logsender_is_blocked(const struct logsender *s);

#endif
