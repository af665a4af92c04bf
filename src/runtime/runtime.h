/* The runtime library: an OCI configuration becomes a process.
 *
 *     runtime_create()   namespaces, cgroup, root filesystem; the container's init stands just before
 * execve() runtime_start()    lets it go; comes back when execve() has succeeded, or with its error
 *     runtime_exec()     one more process in a running container
 *     runtime_destroy()  ends what is left and removes cgroups and state
 *
 * Used by keg-monitor (which stays the parent of init) and keg-runtime (which doesn't). The calling process
 * must be single-threaded, with privileges in its user namespace. The caller reaps init and exec'd processes:
 * they are its children. Nothing here writes to stdout/stderr or exits.
 *
 * Error kinds: ERR_INVALID (configuration), ERR_NOT_IMPLEMENTED (the kernel lacks it), ERR_NO_PROGRAM /
 * ERR_CANNOT_INVOKE (process.args[0]), ERR_SYSTEM. Source: OCI runtime-spec 1.3, config.md, config-linux.md.
 */
#ifndef KEG_RUNTIME_RUNTIME_H
#define KEG_RUNTIME_RUNTIME_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct cgroup;
struct runtime_container;

/* A root filesystem stacked from layers, made in the container's own mount namespace (nothing on the host).
 */
struct runtime_overlay {
    const char *const *lower; /* absolute directories, topmost first, NULL-terminated; at least one */
    const char *upper, *work; /* NULL for a read-only stack */
    bool volatile_upper;      /* no syncs: for containers removed when they end */
};

/* Who makes a container's cgroup. */
enum runtime_cgroups {
    RUNTIME_CGROUPFS,         /* we do, where linux.cgroupsPath says */
    RUNTIME_CGROUPS_SYSTEMD,  /* systemd; linux.cgroupsPath is "slice:prefix:name" */
    RUNTIME_CGROUPS_DISABLED, /* nobody: it stays in the caller's */
};

struct runtime_create_options {
    const char *id;
    const char *state_dir; /* absolute, exists, 0700, this container's own: state.json, config.json,
                              start.sock. NULL: no state is kept, for a caller that stays and keeps its own */
    const char *bundle;    /* absolute; relative root.path is resolved against it. May be NULL with overlay */
    const struct runtime_overlay *overlay; /* NULL: root.path of the configuration */
    int stdio[3]; /* become 0, 1, 2 without a terminal; -EBADF: the caller's own. Stay the caller's */
    unsigned preserve_fds;         /* descriptors 3 … 2+n that the program inherits */
    const char *seccomp_cache_dir; /* compiled filters, shared between containers; NULL: no cache */
    bool no_pivot;
    bool no_new_keyring;
    int host_mounts; /* a mount namespace: shared binds are opened there and stay its peers. 0 or -EBADF: the caller's
                        own */
    bool own_network; /* the network namespace the caller stands in was made for this container: its
                                      sysctls may be set though the configuration lists no such namespace */
    enum runtime_cgroups cgroups;
    bool rootless; /* the caller isn't root, or only in a user namespace: cgroups are had where they are
                         allowed, and device rules passed over */
    bool bound;    /* init's program is killed when the caller ends, as long as it stays the user it is started as (prctl(2),
                         PR_SET_PDEATHSIG). For a caller that stays */
    char *const *program; /* another runtime's path and the arguments that come first: it does all of it, in `bundle`, which is
                             made and removed for it (absolute, one name below the working directory, without state_dir).
                             The caller is a subreaper. NULL: this library. See foreign.h */
    int network, host_network; /* with program and own_network: that namespace, and where the program is to stand */
    bool detached; /* the caller goes away: another process starts it (runtime_open). Else init dies
                      with the handle if it was never started. Needs state_dir */
};

/* NULL and *err on failure; then nothing is left behind. */
struct runtime_container *runtime_create(const json_t *config, const struct runtime_create_options *options,
                                         struct err *err);
/* Finds a container that another process created, by its state directory. */
struct runtime_container *runtime_open(const char *state_dir, struct err *err);
/* Where runtime_open() says ERR_NOT_FOUND: removes what a runtime that was killed in the middle has left. Its init, which
 * nobody can start any more, ends by itself. */
int runtime_sweep(const char *state_dir, struct err *err);
/* Frees the handle only. */
struct runtime_container *runtime_container_free(struct runtime_container *c);
DEFINE_CLEANUP_PTR(struct runtime_container, runtime_container_free)

pid_t runtime_pid(const struct runtime_container *c); /* init, in the caller's pid namespace */
int runtime_pidfd(const struct runtime_container *c); /* borrowed */
/* Its cgroup, borrowed (limits, statistics, freezing: sys/cgroup.h). NULL when it has none. */
struct cgroup *runtime_cgroup(struct runtime_container *c);
/* The pty master when process.terminal is set; the caller takes it over (-EBADF when there is none). */
int runtime_take_console(struct runtime_container *c);

/* -1 also when a poststart hook fails: then init has been executed (runtime_was_started) and killed, and the caller should
 * destroy the container. */
int runtime_start(struct runtime_container *c, struct err *err);
bool runtime_was_started(const struct runtime_container *c);

/* What of a process object can't be had here though it is no error, in words: a new strv, or NULL. Capabilities are all
 * there in a user namespace of the container's own. */
char **runtime_process_warnings(const struct runtime_container *c, const json_t *process);

struct runtime_exec_options {
    const json_t *process; /* OCI process object, complete */
    int stdio[3];
    char *const
        *cgroups; /* groups below the container's own, as cgroup_open_below() has them; NULL: its own */
    int group;    /* cgroup_group_make(): it is found in there, besides; 0 or -EBADF: none. Where that can't be (on v2, in
                     threaded groups) it is left out of it */
    unsigned preserve_fds;
    bool plain_lines; /* its terminal leaves line feeds as they are: pty_leave_line_ends() */
    bool privileged;  /* under no seccomp filter; the capabilities are the process's own */
    const char *seccomp_cache_dir;
};

/* Comes back when execve() has succeeded or failed. The process is the caller's child. *ret_console: pty
 * master or -EBADF. */
int runtime_exec(struct runtime_container *c, const struct runtime_exec_options *options, pid_t *ret_pid,
                 int *ret_pidfd, int *ret_console, struct err *err);

/* The processes of the container, in the caller's pid namespace: those of its cgroup, or without one those of its pid
 * namespace. The caller frees *ret_pids. */
int runtime_pids(struct runtime_container *c, pid_t **ret_pids, size_t *ret_count, struct err *err);
/* Signals init, or with `all` every process of the cgroup; so does SIGKILL where init's end isn't that of all others.
 * ERR_CONFLICT when nothing is left of it. */
int runtime_kill(struct runtime_container *c, int signal, bool all, struct err *err);
/* Ends every process left, removes cgroups and the content of state_dir. Init must be dead or not yet started, or `force`.
 * 1 with *err when all of it is done, but a poststop hook has failed. */
int runtime_destroy(struct runtime_container *c, bool force, struct err *err);
/* Changes limits while it runs: OCI linux.resources; what isn't mentioned stays. They are recorded in the state, so that the
 * next update starts from them. When one can't be set, those before it are set back. */
int runtime_update(struct runtime_container *c, const json_t *resources, struct err *err);
/* Stops all processes, or lets them go on. */
int runtime_freeze(struct runtime_container *c, bool freeze, struct err *err);
/* How often the kernel's OOM killer struck in the container's cgroup (0 when it can't be read). */
unsigned long runtime_oom_kills(const struct runtime_container *c);
/* Borrowed descriptor that becomes readable when that number may have changed; clear it by
 * cgroup_oom_drain(). -1 when there is none. */
int runtime_oom_fd(struct runtime_container *c);

#endif
