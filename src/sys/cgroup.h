/* Control groups, whichever way the host mounts them: v1 hierarchies, v2 (unified), or both (hybrid).
 *
 * A struct cgroup is one path ("/keg/0a1b…") in every hierarchy of the host. Its directories are opened once
 * and used by descriptor from then on; all are close-on-exec. On a hybrid host the v2 directory carries no
 * controllers, but gives atomic kill and birth inside the cgroup (CLONE_INTO_CGROUP).
 *
 * How the host is laid out is found at the first call and kept for the life of the process; that part is
 * thread-safe. One struct cgroup belongs to one thread at a time.
 *
 * Needs write access to the cgroup trees. Errors: ERR_NOT_IMPLEMENTED when the kernel or the mounts lack a
 * controller or file that a setting needs (the message names the setting), ERR_INVALID for values,
 * ERR_CONFLICT for a cgroup in use, ERR_NOT_FOUND, ERR_SYSTEM. Sources: cgroups(7), the kernel's cgroup-v1/
 * and cgroup-v2.rst, OCI config-linux.md. */
#ifndef KEG_SYS_CGROUP_H
#define KEG_SYS_CGROUP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum cgroup_mode {
    CGROUP_MODE_NONE,    /* no cgroup filesystem is mounted */
    CGROUP_MODE_LEGACY,  /* v1 hierarchies only */
    CGROUP_MODE_HYBRID,  /* v1 with controllers, and a v2 tree */
    CGROUP_MODE_UNIFIED, /* v2 only */
};

/* One mounted hierarchy, for those who mount /sys/fs/cgroup in a container. Strings live as long as the
 * process. */
struct cgroup_hierarchy {
    bool v2;
    const char *mountpoint; /* absolute, on the host */
    const char *name;       /* last component of the mount point: "cpu,cpuacct", "systemd", "unified" */
    const char *options;    /* mount options that select it: "cpu,cpuacct", "name=systemd"; "" for v2 */
};

enum cgroup_mode cgroup_mode(void);
/* The hierarchies, *ret_count of them. */
const struct cgroup_hierarchy *cgroup_hierarchies(size_t *ret_count);
/* Whether a controller ("cpu", "memory", "pids", "io"/"blkio", "devices", …) can be used in any hierarchy. */
bool cgroup_has_controller(const char *controller);

struct cgroup;

/* Makes the cgroup, in every hierarchy. An absolute path counts from the mount points, a relative one from
 * the caller's own cgroup (/proc/self/cgroup); ".." is refused. Parents are made as needed; on v2 all
 * controllers are enabled down the path (if the caller's own cgroup is in the way, its processes move to a
 * leaf "keg.leaf" below it); v1 cpusets are filled from their parents. A directory that exists is used if no
 * process is in it, else ERR_CONFLICT. On failure nothing new is left. */
struct cgroup *cgroup_create(const char *path, struct err *err);
/* The same in two steps, for a process that is cloned in between: begin makes it in the v2 tree only (which has
 * cgroup_unified_fd() to be born in), finish in all others. A handle between the two is good for that, and to be
 * freed. When finish fails nothing new is left. */
struct cgroup *cgroup_begin(const char *path, struct err *err);
int cgroup_finish(struct cgroup *cg, struct err *err);
/* cgroup_begin() for an ordinary user: hierarchies that refuse (no permission, mounted read-only) are left out, by finish
 * as well; maybe all of them are. */
struct cgroup *cgroup_begin_where_allowed(const char *path, struct err *err);
/* Whether it is in any hierarchy. */
bool cgroup_is_anywhere(const struct cgroup *cg);
/* The same where systemd owns the tree: `cgroups_path` is "slice:prefix:name" (the first two may be empty, all of it for
 * `id` in the default slice), and the group is the scope prefix-name.scope in that slice, or the slice `name` if that ends in
 * ".slice". plan finds out where that is and makes nothing; start has systemd make it with the process in it (for a slice:
 * without) and all limits that it knows, and with properties from annotations org.systemd.property.NAME; then follow
 * cgroup_finish() and cgroup_apply(). `user`: the caller's own systemd, not the system's. Speaks on the message bus
 * (DBUS_SYSTEM_BUS_ADDRESS, DBUS_SESSION_BUS_ADDRESS or the usual sockets). ERR_UNAVAILABLE when no systemd answers. */
struct cgroup *cgroup_plan_unit(const char *cgroups_path, const char *id, bool user, struct err *err);
int cgroup_start_unit(struct cgroup *cg, pid_t pid, const json_t *resources, const json_t *annotations,
                      struct err *err);
/* Whether the host's hierarchies could be looked at: where it failed, there seem to be none, or fewer. */
int cgroup_find(struct err *err);
/* As destroy, where it isn't certain that the cgroup is ours: nobody in it is killed. */
int cgroup_remove(struct cgroup *cg, int timeout_ms, struct err *err);
/* What begin does, without making anything. */
struct cgroup *cgroup_plan(const char *path, struct err *err);
int cgroup_begin_planned(struct cgroup *cg, struct err *err);
/* One that exists, by path; hierarchies in which it is missing are left out. ERR_NOT_FOUND when it is in
 * none. */
struct cgroup *cgroup_open_path(const char *path, struct err *err);
/* What another process needs to reopen it: a new JSON value, and the way back. */
json_t *cgroup_save(const struct cgroup *cg);
struct cgroup *cgroup_open(const json_t *saved, struct err *err);
/* Closes the handle; the cgroup stays. */
struct cgroup *cgroup_free(struct cgroup *cg);
DEFINE_CLEANUP_PTR(struct cgroup, cgroup_free)

/* Kills what is left, removes the directories and those below, waiting at most timeout_ms for processes to go. Missing
 * directories are fine, and what a handle has only planned is left alone. ERR_CONFLICT when processes stay. The handle is
 * good for nothing else then but cgroup_free(). */
int cgroup_destroy(struct cgroup *cg, int timeout_ms, struct err *err);
/* For _cleanup_: kills, removes and frees: for a cgroup whose container failed to come up. */
void cgroup_discard_p(struct cgroup **cg);

/* The path below the mount points, as given to create. */
const char *cgroup_path(const struct cgroup *cg);
/* Absolute directory on the host in the i-th of cgroup_hierarchies(); NULL if it isn't there. The caller
 * frees. */
char *cgroup_directory(const struct cgroup *cg, size_t hierarchy);
/* The v2 directory for clone3()'s CLONE_INTO_CGROUP, borrowed; -EBADF without v2. */
int cgroup_unified_fd(const struct cgroup *cg);

/* The v2 directory in which a process of the container is now: cg's own or one below it, which is where others can still be
 * born when cg itself has given its controllers on. The caller closes it. -errno; -EXDEV when it is elsewhere. */
int cgroup_unified_fd_of(const struct cgroup *cg, pid_t pid);
/* Groups below cg that exist, per specification: "PATH" in every hierarchy, "CONTROLLER[,CONTROLLER…]:PATH" in theirs; where
 * none is about a hierarchy (or specs is NULL) it is cg. Later ones outrank earlier ones. ERR_INVALID for ".." and unknown
 * controllers, ERR_NOT_FOUND. */
struct cgroup *cgroup_open_below(const struct cgroup *cg, char *const *specs, struct err *err);
/* A group `name` below cg, to find again what is put into it. It limits nothing, and is in one hierarchy only: v2, where a
 * process can be born in it (CLONE_INTO_CGROUP) and the rest of the container may stay where it is, as long as no controller
 * is given on; without v2 in that of pids, else the first. All return -errno on failure; -EBADF when cg is nowhere.
 *     make    its directory, which the caller closes; that of the group that is there, if there is one
 *     join    on v1: the calling process, single-threaded
 *     kill    its processes, and those below, until none is left or some don't go for a tenth of a second
 *     remove  0 also if it isn't there, -EBUSY while any process is in it
 *     pids    its processes, and those below; the caller frees *ret_pids */
int cgroup_group_make(const struct cgroup *cg, const char *name);
int cgroup_group_join(int group);
void cgroup_group_kill(const struct cgroup *cg, const char *name);
int cgroup_group_remove(const struct cgroup *cg, const char *name);
int cgroup_group_pids(const struct cgroup *cg, const char *name, pid_t **ret_pids, size_t *ret_count);
/* Gives the v2 directory to uid:gid, with the files that cgroup-v2.rst, "Delegation", names: its owner may then make
 * groups in it, but not change its limits. */
int cgroup_delegate(struct cgroup *cg, uid_t uid, gid_t gid, struct err *err);

enum cgroup_attach_flags {
    CGROUP_BORN_UNIFIED =
        1, /* the process was cloned into cgroup_unified_fd(): only the v1 hierarchies are left */
};
/* Opens the files by which a child joins by itself (pid 0 below); the child then needs no /proc, no path and
 * no privilege but the open descriptors. They are closed with the handle. */
int cgroup_prepare_join(struct cgroup *cg, struct err *err);
/* Those files' descriptors, borrowed, in the order of the hierarchies; how many there are. They are sent to a child that
 * was cloned between begin and finish, whose copy of the handle takes them over (closing them on failure) and is whole
 * then. The child needs no /proc for it, and no more privilege than to open the directories. */
enum { CGROUP_JOIN_MAX = 16 };
size_t cgroup_join_fds(const struct cgroup *cg, int fds[CGROUP_JOIN_MAX]);
int cgroup_adopt_join_fds(struct cgroup *cg, const int *fds, size_t count, struct err *err);
/* Moves a process with its threads in. pid 0 is the calling process, which must be single-threaded: it goes by v1's
 * `tasks` files, which spares the kernel a lock over all processes and so an RCU grace period. Measured on nine
 * hierarchies: a child born in the unified one that joins the others itself needs 0.2 ms; moved by its parent, or
 * joining the unified one by writing, 12 ms. */
int cgroup_attach(struct cgroup *cg, pid_t pid, unsigned flags, struct err *err);

/* Applies OCI linux.resources: every member of config-linux.md, on v1 and v2, with the customary conversions
 * (shares to weight, memory+swap to swap, blkio weight to io.weight). Absent, null and zero (where zero means
 * "unset") are skipped; what can't be done is an error that names the setting. Members keep the order the
 * kernel needs, so it serves creation and update alike. `devices` replaces the device rules: evaluated first
 * to last, the last match decides. */
int cgroup_apply(struct cgroup *cg, const json_t *resources, struct err *err);
/* Whether every member is of the type it must be, asked before all that: a limit that isn't understood is no limit.
 * ERR_INVALID names the member. */
int cgroup_check(const json_t *resources, struct err *err);
/* The same for a cgroup that has been in use for a while; systemd is told where it has made it. */
int cgroup_update(struct cgroup *cg, const json_t *resources, struct err *err);
/* The same for devices alone: OCI array of {allow, type, major, minor, access}. */
int cgroup_apply_devices(struct cgroup *cg, const json_t *devices, struct err *err);

/* Freezes or thaws and waits until it is so (at most two seconds: ERR_UNAVAILABLE). */
int cgroup_freeze(struct cgroup *cg, bool freeze, struct err *err);
bool cgroup_is_frozen(struct cgroup *cg);
/* SIGKILL to every process, below too, such that forks don't escape (cgroup.kill, else freeze, kill, thaw).
 * Doesn't wait. */
int cgroup_kill(struct cgroup *cg, struct err *err);
/* Any signal to every process, below too. */
int cgroup_signal(struct cgroup *cg, int signal, struct err *err);
/* The processes in it, and with `recursive` below it, in the caller's pid namespace. The caller frees
 * *ret_pids. */
int cgroup_pids(struct cgroup *cg, bool recursive, pid_t **ret_pids, size_t *ret_count, struct err *err);
/* Whether any process is in it or below. A cgroup that is gone is empty. */
bool cgroup_is_empty(struct cgroup *cg);

/* How often the OOM killer struck in it; 0 when that can't be read. */
uint64_t cgroup_oom_kills(struct cgroup *cg);
/* A descriptor that becomes readable (POLLIN) when that number may have changed; the caller closes it. Call
 * cgroup_oom_drain(fd) before counting again. -1 and ERR_NOT_IMPLEMENTED without a memory controller. */
int cgroup_oom_fd(struct cgroup *cg, struct err *err);
void cgroup_oom_drain(int fd);

/* Times in ns, memory in bytes. What can't be read is 0; limits are UINT64_MAX when there is none. */
struct cgroup_stats {
    uint64_t cpu_total, cpu_user, cpu_system;
    uint64_t cpu_periods, cpu_throttled_periods, cpu_throttled_time;
    uint64_t memory_usage, memory_max_usage, memory_limit, memory_failcnt;
    uint64_t memory_inactive_file; /* what Docker subtracts from usage */
    uint64_t swap_usage;
    uint64_t pids_current, pids_limit;
    uint64_t oom_kills;
    json_t *memory_stat; /* object: memory.stat entry → integer */
    json_t *cpu_percpu;  /* array of ns per CPU (v1), NULL on v2 */
    json_t *io_bytes;    /* array of {"major","minor","op":"read"|"write"|…,"value"}; bytes */
    json_t *io_serviced; /* the same; operations */
};
/* Everything at once; finish it in any case. `details` false leaves the json members NULL. */
int cgroup_stats(struct cgroup *cg, bool details, struct cgroup_stats *ret, struct err *err);
void cgroup_stats_finish(struct cgroup_stats *stats);

#endif
