/* What runs in the new process, from clone3() to execve(). Init's steps are a table in init.c; those that
 * exec shares are here as functions. They run single-threaded and may allocate. */
#ifndef KEG_RUNTIME_INIT_INIT_H
#define KEG_RUNTIME_INIT_INIT_H

#include "base/err.h"
#include "runtime/rootfs/rootfs.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"
#include "sys/cgroup.h"
#include "sys/seccomp.h"

struct runtime_container;

struct init {
    const struct runtime_container *container;
    const struct spec *spec;
    const struct runtime_create_options *options;
    struct cgroup *cgroup;
    struct seccomp_filter *filter; /* NULL: none */
    struct rootfs rootfs;
    int namespaces[NAMESPACE_COUNT]; /* to join */
    int procfs;
    int sync;            /* to the caller; close-on-exec */
    int start_socket;    /* listening, or -EBADF */
    int slave;           /* of the terminal, or -EBADF */
    bool born_in_cgroup; /* clone3() put it into the v2 cgroup */
    bool in_cgroup;      /* has joined the rest of it */
    bool sources_open;   /* the caller has done rootfs_open_host() */
    /* A user namespace that has a path can only be entered for good, and a new one takes the privilege to enter others: then
     * a process in between joins what has a path and clones init, with clone_flags, as its sibling. */
    bool in_between;
    uint64_t clone_flags;
    char *program; /* resolved args[0] */
};

/* Never returns: execve(), or the error sent to the caller. */
_noreturn_ void init_run(struct init *in);

/* One sysctl each, in the container's namespaces, through the host's checked procfs. */
int init_apply_sysctls(const struct init *in, struct err *err);

/* The process's own properties. All need the privileges the process is going to lose. */

/* 0, 1, 2 from `stdio` (below 0: stay), or the terminal's slave, which also becomes the controlling terminal.
 */
int process_set_stdio(const struct spec_process *p, const int stdio[3], int slave, struct err *err);
/* A session keyring of its own. */
int process_new_keyring(const char *id, struct err *err);
/* Limits come twice. A privileged caller, whom the namespaces of `pid` take nothing from, raises the hard ones as far as
 * needed; the process itself lowers them at the very end, so that its own descriptors and memory aren't counted against
 * them. RLIMIT_NPROC (`of_user`) is set before the user changes: execve() then counts that user's processes. */
int process_raise_rlimits(const struct spec_process *p, pid_t pid, struct err *err);
int process_set_rlimits(const struct spec_process *p, bool of_user, struct err *err);
/* Scheduler, I/O priority. */
int process_set_priority(const struct spec_process *p, struct err *err);
/* Below 0: as it is. */
int process_set_personality(int64_t persona, struct err *err);
int process_set_memory_policy(const json_t *policy, struct err *err);
/* "0-3,7" as sched_setaffinity(2). */
int process_set_affinity(const char *cpus, struct err *err);
/* Every CPU that the cgroup allows: what the caller was bound to is its own affair. */
void process_reset_affinity(void);
/* What linux.memoryPolicy knows, for `features`: new arrays of names. */
json_t *process_memory_modes(void);
json_t *process_memory_flags(void);
/* Bounding set, groups, ids, umask; keeps the permitted capabilities. */
int process_set_identity(const struct spec_process *p, struct err *err);
/* The working directory, which is proven to be inside the root. */
int process_set_directory(const struct spec_process *p, struct err *err);
/* What an errno means, in Go's wording, which Docker's clients look for: strerror()'s in small letters. Returns out. */
const char *process_reason(int errnum, char *out, size_t size);
/* HOME, when the environment lacks it, from the root's /etc/passwd. *ret_env is a NULL-terminated copy of
 * env. */
int process_make_env(const struct spec_process *p, char ***ret_env, struct err *err);
/* Finds args[0] as execvp(3) would, with the process's own PATH. The caller frees *ret_program. */
int process_find_program(const struct spec_process *p, struct err *err, char **ret_program);
/* LSM label for the next execve(). procfs: the host's. */
int process_set_label(const struct spec_process *p, int procfs, struct err *err);
/* Closes all but 0, 1, 2, those of the `preserve_fds` after them that are the caller's own, and `kept` (which is sorted). */
int process_close_descriptors(unsigned preserve_fds, int *kept, size_t count, struct err *err);
/* The last that is changed before execve(): limits, no_new_privs, final capabilities, seccomp. `sync` is for a listener
 * (see sync.h). Behind it a profile may refuse everything: nothing but process_execute() follows. */
int process_confine(const struct spec_process *p, const struct seccomp_filter *filter, int sync,
                    struct err *err);
/* A part of that: see filter.c. */
int process_install_filter(const struct seccomp_filter *filter, int sync, struct err *err);
/* execve(). Comes back only with an error. */
int process_execute(const struct spec_process *p, const char *program, char *const *env, struct err *err);

#endif
