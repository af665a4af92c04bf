/* NOTIFY_SOCKET: readiness, passed on from the container to the service manager that started this program (sd_notify(3)).
 *
 * A directory of the container's state, with a socket in it, appears in the container as /run/notify; what arrives there and
 * says that the program is ready goes to the manager's socket, followed by the program's process id as this side sees it.
 * Nothing else is passed on: the container doesn't speak for itself but through that one word. */
#ifndef KEG_RUNTIME_COMMAND_NOTIFY_H
#define KEG_RUNTIME_COMMAND_NOTIFY_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct notify {
    int host, proxy; /* the manager's socket and ours; -EBADF */
};

#define NOTIFY_INIT                                                                                          \
    {                                                                                                        \
        -EBADF, -EBADF                                                                                       \
    }

/* Whether somebody wants to know. */
bool notify_is_wanted(void);
/* Before the container is created: makes the directory below state_dir, and adds mount and variable to the configuration. */
int notify_prepare(const char *state_dir, json_t *config, struct err *err);
/* Before it is started: the sockets. Without the directory (nobody asked at its creation) nothing happens. */
int notify_open(struct notify *notify, const char *state_dir, struct err *err);
/* When `proxy` is readable. With pid > 0 the manager is told that this is the service's main process. True when all is said. */
bool notify_forward(struct notify *notify, pid_t pid);
/* Until all is said or the process has ended. */
void notify_wait(struct notify *notify, pid_t pid, int pidfd);
void notify_close(struct notify *notify);

#endif
