/* What the caller of runtime_create() and the new process tell each other, over a SOCK_SEQPACKET pair (or,
 * when another process starts the container, over a connection to its start.sock). One fixed record a
 * message, with at most one descriptor. The socket is close-on-exec: its end without an error means that
 * execve() has succeeded.
 *
 *     process → caller   PID      a step in between: here is the real one, which waits for GO
 *                        NETWORK  its network namespace is there: bring linux.netDevices, then GO
 *                        MAP      a mount of the container's own: map its ids as the numbered one of the configuration
 *                                 says, which a user namespace may not, then GO
 *                        HOOKS    mounts are there: run the hooks of the runtime's side, then GO
 *                        READY    stands before execve(); the descriptor is the console's master
 *                        LISTENER seccomp's notification descriptor; GO when it was delivered
 *                        ERROR    what went wrong; the process ends
 *                        EXECUTE  nothing but the last steps is left: an end from here on is that of the program
 *     caller → process   CGROUP   the cgroup is there: the descriptors to join it by (sys/cgroup.h)
 *                        GO       (after the user namespace's mappings are written, after NETWORK, MAP, HOOKS and
 *                                 LISTENER)
 *                        START    execve() */
#ifndef KEG_RUNTIME_SYNC_H
#define KEG_RUNTIME_SYNC_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum sync_type {
    SYNC_END,
    SYNC_PID,
    SYNC_HOOKS,
    SYNC_READY,
    SYNC_LISTENER,
    SYNC_ERROR,
    SYNC_GO,
    SYNC_START,
    SYNC_CGROUP,
    SYNC_NETWORK,
    SYNC_EXECUTE,
    SYNC_MAP
};

/* The socket's end without EXECUTE is that of a process that dies, which closes its descriptors a moment before it has
 * ended: so long its end is waited for. */
enum { SYNC_END_MS = 1000 };

struct sync_message {
    enum sync_type type;
    int32_t number; /* PID: the process; MAP: which mount */
    struct err error;
};

/* Sends; fd < 0: none. 0 or -errno. */
int sync_send(int socket, enum sync_type type, int fd);
int sync_send_pid(int socket, int32_t pid);
int sync_send_map(int socket, int32_t mount, int tree);
/* EXECUTE. A caller that is gone is no error: what is started stays so. */
int sync_announce(int socket, struct err *err);
int sync_send_cgroup(int socket, const int *fds, size_t count);
int sync_send_error(int socket, const struct err *error);
/* Waits for a message. SYNC_END when the other side is gone. *ret_fd (may be NULL) is -EBADF when none came.
 * For SYNC_ERROR *err is the other side's, or that of receiving. */
enum sync_type sync_receive(int socket, int *ret_fd, int32_t *ret_number, struct err *err);
/* Waits for CGROUP. 0 or -1. */
int sync_receive_cgroup(int socket, int *fds, size_t max, size_t *ret_count, struct err *err);
/* Waits for one type and makes anything else an error. 0 or -1. */
int sync_expect(int socket, enum sync_type type, int *ret_fd, struct err *err);

#endif
