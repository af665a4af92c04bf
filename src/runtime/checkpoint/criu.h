/* CRIU by its RPC: `criu swrk FD`, one request, its answer, and the notifications in between. Source: criu.org, "RPC", and
 * its rpc.proto, whose numbers are here. */
#ifndef KEG_RUNTIME_CHECKPOINT_CRIU_H
#define KEG_RUNTIME_CHECKPOINT_CRIU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

enum criu_request_type {
    CRIU_DUMP = 1,
    CRIU_RESTORE = 2,
    CRIU_PRE_DUMP = 4,
    CRIU_NOTIFY = 6,
    CRIU_FEATURE_CHECK = 9,
    CRIU_VERSION = 10,
};

/* Members of criu_opts. */
enum criu_option {
    CRIU_IMAGES_DIR_FD = 1,
    CRIU_PID = 2,
    CRIU_LEAVE_RUNNING = 3,
    CRIU_EXT_UNIX_SK = 4,
    CRIU_TCP_ESTABLISHED = 5,
    CRIU_EVASIVE_DEVICES = 6,
    CRIU_SHELL_JOB = 7,
    CRIU_FILE_LOCKS = 8,
    CRIU_LOG_LEVEL = 9,
    CRIU_LOG_FILE = 10,
    CRIU_PAGE_SERVER = 11,
    CRIU_NOTIFY_SCRIPTS = 12,
    CRIU_ROOT = 13,
    CRIU_PARENT_IMG = 14,
    CRIU_TRACK_MEM = 15,
    CRIU_AUTO_DEDUP = 16,
    CRIU_WORK_DIR_FD = 17,
    CRIU_LINK_REMAP = 18,
    CRIU_EXT_MNT = 23,
    CRIU_MANAGE_CGROUPS = 24,
    CRIU_CG_ROOT = 25,
    CRIU_RST_SIBLING = 26,
    CRIU_INHERIT_FD = 27,
    CRIU_MANAGE_CGROUPS_MODE = 34,
    CRIU_EXTERNAL = 37,
    CRIU_EMPTY_NS = 38,
    CRIU_JOIN_NS = 39,
    CRIU_FREEZE_CGROUP = 44,
    CRIU_TCP_SKIP_IN_FLIGHT = 46,
    CRIU_LAZY_PAGES = 48,
    CRIU_ORPHAN_PTS_MASTER = 50,
    CRIU_CONFIG_FILE = 51,
    CRIU_LSM_PROFILE = 53,
    CRIU_LSM_MOUNT_CONTEXT = 63,
};

enum { CRIU_OPTIONS_MAX = 1024 * 1024, CRIU_VERSION_NEEDED = 31600 };

struct criu {
    int socket, pidfd;
    pid_t pid;
};
#define CRIU_INIT                                                                                            \
    {                                                                                                        \
        .socket = -EBADF, .pidfd = -EBADF                                                                    \
    }

struct criu_notice {
    char script[40];
    pid_t pid;
    int fd; /* the handler's to take (take_fd), else closed; -EBADF: none came */
};
typedef int (*criu_handler)(void *arg, struct criu_notice *notice, struct err *err);

struct criu_answer {
    pid_t pid;                  /* of the restored init */
    bool memory_tracking, lazy; /* of a feature check */
    int version;                /* 31600 for 3.16 */
};

/* The program: `named` (--criu), or found in PATH. NULL and ERR_NOT_IMPLEMENTED where it isn't installed. */
char *criu_find(const char *named, struct err *err);
/* What its process is to have: `fds` as its descriptors CRIU_FIRST_FD, CRIU_FIRST_FD + 1, …, and ours for 0, 1, 2. `prepare`
 * (may be NULL) runs in it before execve(), may still change the descriptors, and what it fails with comes back. CRIU takes
 * the number of a directory in a request as one of its own: it is its own client by the socket's credentials. */
enum { CRIU_FIRST_FD = 4, CRIU_FDS_MAX = 8 };
struct criu_process {
    int (*prepare)(struct criu_process *p, struct err *err);
    void *arg;
    int fds[CRIU_FDS_MAX];
    size_t fd_count;
};
int criu_start(struct criu *criu, const char *program, struct criu_process *process, struct err *err);
/* One request with its options (criu_opts; NULL: none), until its answer. */
int criu_request(struct criu *criu, enum criu_request_type type, const struct buf *options,
                 criu_handler handler, void *arg, struct criu_answer *ret, struct err *err);
/* Ends the connection, waits for its end (for a pre-dump, which would go on: kills it). Its exit status is an error when not 0. */
int criu_finish(struct criu *criu, bool kill, struct err *err);
/* Of a criu of its own each: its version, which must be CRIU_VERSION_NEEDED at least, and what kernel and criu can do. */
int criu_check_version(const char *program, struct err *err);
int criu_check_features(const char *program, bool memory_tracking, bool lazy, struct err *err);

#endif
