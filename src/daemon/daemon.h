/* kegd's life: from its configuration to a served API, and down again at a signal. */
#ifndef KEG_DAEMON_DAEMON_H
#define KEG_DAEMON_DAEMON_H

#include "daemon/config.h"

/* What a configuration says of the system and cannot be told from its words: the group, the files of TLS, whether
 * addresses are served that should not be, drivers. Also for --validate. ERR_INVALID. */
int daemon_check(const struct config *c, struct err *err);

/* Runs until SIGTERM or SIGINT; containers go on running. SIGHUP reads the configuration again (log level).
 * argc, argv are kept for that. 0, or -1 when it couldn't start. Call it while the process has one thread. */
int daemon_run(const struct config *c, int argc, char *const *argv, struct err *err);

#endif
