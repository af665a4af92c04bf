/* What the files of this folder share about a container. */
#ifndef KEG_RUNTIME_INTERNAL_H
#define KEG_RUNTIME_INTERNAL_H

#include <stdint.h>

#include "runtime/runtime.h"
#include "runtime/spec.h"
#include "sys/cgroup.h"

#define STATE_FILE   "state.json"
#define CONFIG_FILE  "config.json"
#define START_SOCKET "start.sock"

struct foreign;

struct runtime_container {
    struct foreign *foreign; /* another runtime's container; NULL: ours */
    char *id, *state_dir, *bundle;
    struct spec *spec;
    struct cgroup *cgroup;
    pid_t pid;
    int pidfd;           /* -EBADF when init is gone (a handle from runtime_open) */
    uint64_t start_time; /* of init, clock ticks since boot: with pid its identity */
    int sync;            /* to init while it waits for the start, else -EBADF */
    int console;         /* the pty's master, until taken */
    int oom_fd;          /* -EBADF: not yet asked for */
    enum runtime_cgroups cgroups;
    bool detached, is_child, started, rootless;
    uint64_t join_flags; /* CLONE_NEW… that exec has to join; 0: not yet known */
};

struct runtime_container *container_new(const struct runtime_create_options *options);

/* OCI's state, with that status: a new object. For hooks and state.json. */
json_t *state_json(const struct runtime_container *c, const char *status);
/* Writes state.json and config.json; a container without state_dir has none. */
int state_save(const struct runtime_container *c, struct err *err);
/* Before anything is made: where the cgroup will be, so that runtime_sweep() finds it. */
int state_plan(const struct runtime_container *c, struct err *err);
/* Writes config.json alone, after its limits have changed. */
int state_save_config(const struct runtime_container *c, struct err *err);
/* state.json last: what can't be removed can be tried again. */
int state_remove(const struct runtime_container *c, struct err *err);
/* "created", "running", "paused" or "stopped". */
const char *state_status(struct runtime_container *c);

/* Runs the hooks of a stage one after the other, the state with that status on their standard input. The first failure ends
 * it, but for poststop, where all run. They start in `directory` when it is >= 0, else where the bundle is (in the container's
 * own stages: where the caller is); those without an environment get `env`, or the caller's when that is NULL. */
int hooks_run(const struct runtime_container *c, enum spec_hook_stage stage, const char *status,
              int directory, char *const *env, struct err *err);

/* Starts init (launch.c): fills in pid, pidfd, sync, console. On failure the process is gone. */
int launch_init(struct runtime_container *c, const struct runtime_create_options *options, struct err *err);
/* Its cgroup, before and after the clone (launch_cgroup.c). */
int launch_begin_cgroup(struct runtime_container *c, struct err *err);
int launch_finish_cgroup(struct runtime_container *c, struct err *err);
/* All device rules: nothing, then those of linux.resources, then the default devices. A new array. */
json_t *launch_complete_devices(const json_t *devices_of_spec);
/* Both at once, for processes that aren't cloned here. */
int launch_make_cgroup(struct runtime_container *c, struct err *err);
/* The caller's side of the start, over `socket`: comes back when execve() has succeeded. */
int launch_start(struct runtime_container *c, int socket, struct err *err);
/* A process in between has cloned the real one as a sibling of its own: *pid and *pidfd are that one's from here on. */
int launch_follow(int socket, pid_t *pid, int *pidfd, struct err *err);
/* Makes a time namespace for children, with linux.timeOffsets (timens.c). */
int launch_make_time_namespace(int procfs, const json_t *offsets, struct err *err);
/* Kills a child of ours and reaps it. */
void launch_kill(int *pidfd);
/* process.oomScoreAdj of a process ("self" or its pid); INT64_MIN leaves it. An ordinary user can't lower it: then it stays,
 * and there is a warning, which the caller frees (oom_score.c). */
int oom_score_set(int procfs, const char *process, int64_t score, struct err *err);
char *oom_score_warning(int64_t score);
/* Any signal to every process of a container without a cgroup (processes.c). */
int processes_signal(struct runtime_container *c, int signal, struct err *err);
/* Moves linux.netDevices from the caller's network namespace into the container's (netdevices.c). */
int netdevices_move(const struct runtime_container *c, struct err *err);

/* A handle of the seccomp notifications of process `pid` goes to the profile's listenerPath (config-linux.md). */
int listener_deliver(const struct runtime_container *c, pid_t pid, int listener, struct err *err);

#endif
