/* A container that another OCI runtime makes: its program is executed for every step, by the command line that runc's has
 * become the model of (create, start, kill, exec, update, pause, resume, delete). What runtime.h promises stays the same, as
 * far as that program can do it: runtime.c and its neighbours ask container->foreign first.
 *
 * Everything lies in options->bundle, which is made and removed here: config.json, the layers mounted at "rootfs" (in a mount
 * namespace of the caller's own, so that they are gone with it), the runtime's --root, its log.
 *
 * The caller must be a subreaper: the container's processes become its children when the program that made them has ended.
 * Each call waits for that program, which is killed when it takes too long. */
#ifndef KEG_RUNTIME_FOREIGN_H
#define KEG_RUNTIME_FOREIGN_H

#include <sys/types.h>

#include "runtime/internal.h"

struct foreign {
    char **program;            /* the runtime's path and the arguments that come first */
    char *bundle;              /* absolute */
    int network, host_network; /* borrowed; -EBADF: the caller is where it always was */
    bool mounted;              /* the layers */
    char oom_score[16];        /* the container's: the caller's own, which is inherited, may be much lower. "": as it is */
};

struct foreign *foreign_free(struct foreign *f);

/* create: fills in foreign, pid, pidfd, console and cgroup. */
int foreign_create(struct runtime_container *c, const json_t *config,
                   const struct runtime_create_options *options, struct err *err);
int foreign_start(struct runtime_container *c, struct err *err);
int foreign_exec(struct runtime_container *c, const struct runtime_exec_options *options, pid_t *ret_pid,
                 int *ret_pidfd, int *ret_console, struct err *err);
int foreign_kill(struct runtime_container *c, int signal, bool all, struct err *err);
int foreign_update(struct runtime_container *c, const json_t *resources, struct err *err);
int foreign_freeze(struct runtime_container *c, bool freeze, struct err *err);
/* delete --force, and everything that is left after it. */
int foreign_destroy(struct runtime_container *c, struct err *err);

/* foreign_call.c: executes the runtime with these words (NULL-terminated) behind its own options. stdio: descriptors that
 * become its 0, 1, 2; NULL or -EBADF: /dev/null. 0 when it has ended with 0; else -1 and what it logged: ERR_NO_PROGRAM and
 * ERR_CANNOT_INVOKE when that is about the container's program, ERR_UNAVAILABLE when the runtime itself can't be executed or
 * takes too long. */
int foreign_call(const struct foreign *f, const char *const *words, const int *stdio, struct err *err);

#endif
