/* The monitor as a whole: one container's guardian from its start to its end. monitor_main() is the program;
 * the rest is what its parts (start, exec, requests, state) share. */
#ifndef KEG_MONITOR_MONITOR_H
#define KEG_MONITOR_MONITOR_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "monitor/dns.h"
#include "monitor/loop.h"
#include "monitor/netns.h"
#include "monitor/server.h"
#include "monitor/session.h"
#include "runtime/runtime.h"

enum monitor_status {
    MONITOR_IDLE,     /* nothing was asked yet; clients may attach */
    MONITOR_STARTING, /* "start" is not answered yet */
    MONITOR_RUNNING,
    MONITOR_RESTARTING, /* ended, and to be started again when the timer rings */
    MONITOR_STOPPED,    /* leaving as soon as the last client has everything */
};

/* With what an exec ends, besides its first process: all that it has started, too. */
enum exec_bond {
    EXEC_UNBOUND,
    EXEC_BOUND_TO_PROCESS, /* with that process */
    EXEC_BOUND_TO_CLIENT,  /* … and all of it when its client hangs up */
};

/* What is remembered of an exec: while it runs, and until somebody has heard of its end. */
struct exec_record {
    struct exec_record *next;
    char *id;
    bool running;
    bool heard; /* its end went to a watcher */
    pid_t pid;
    int exit_code;
    enum exec_bond bond;
    unsigned group; /* of exec_group.c; 0: none, or gone */
    bool left;      /* it has ended, and what it started goes on */
};

/* What the next start needs, and whether there will be one. */
struct restarts {
    struct monitor *monitor;
    char *request; /* "start" */
    int config;    /* its memfd */
    char policy[16];
    unsigned limit;  /* of on-failure; 0: none */
    unsigned count;  /* restarts so far */
    int64_t delay;   /* before the last one, ns */
    bool stopped;    /* by hand: no policy brings it back */
    bool forced;     /* once, whatever the policy says */
    bool manual;     /* "restart": it is stopped to be started again at once, whatever the policy says */
    struct connection *asker; /* … who starts it anew as long as it is there; NULL: nobody, so it is us */
    bool by_kegd;    /* its network namespace goes with its user namespace, and needs kegd */
    bool left;       /* it is for kegd to start it again */
    int host_mounts; /* the namespace that shared binds belong to, or -EBADF */
    unsigned sources; /* mounts "source-N" in the RUN directory, that are ours to take away in the end */
    char *resources; /* limits that were updated since, as JSON; NULL */
    struct loop_timer timer;
};

struct health;

struct monitor {
    struct loop loop;
    struct server *server;
    struct loop_source signals; /* SIGCHLD */
    struct loop_source oom;     /* readable when the OOM killer strikes */
    enum monitor_status status;
    char *seccomp_cache;    /* directory, or NULL */
    char oom_score_adj[16]; /* what containers begin with: the monitor's own is lower */
    struct runtime_container *container;
    struct netns netns;
    bool network_pending;       /* "network-ready" is outstanding */
    struct dns *dns;            /* NULL: the container resolves names as its resolv.conf says */
    struct connection *control; /* where the monitor was born */
    struct connection *starter; /* waits for the reply to "start" */
    struct logger *log;
    struct session *main;
    struct session *old_mains; /* of ends that a restart followed, until their clients have everything */
    struct session *execs;
    struct exec_record *exec_records; /* oldest first */
    unsigned exec_groups;             /* how many there have been */
    pid_t pid;
    int64_t started_at, finished_at; /* ns */
    int exit_code;
    bool oom_killed;
    unsigned long oom_seen;
    const struct err *failure; /* why it wasn't started again, while that is written down */
    bool own_pid_namespace;    /* its first process is PID 1 */
    struct restarts restarts;
    struct loop_timer stop_timer;
    struct health *health; /* NULL: it isn't checked */
    int64_t journal_time;  /* of the last event */
    bool heard;            /* … which somebody listened to */
};

/* The program: returns its exit code when the container has ended and all clients have been served. */
int monitor_main(void);

/* monitor.c: the container's end, and the end of an attempt to start it. */
void monitor_ended(struct monitor *m, int exit_code);
void monitor_abandon(struct monitor *m, const struct err *err);
/* Nobody wants it started again any more (MONITOR_RESTARTING). */
void monitor_give_up(struct monitor *m);
/* The container runs: hears of the OOM killer from now on. */
void monitor_watch_oom(struct monitor *m);
/* Events of sessions: {"event": name, "exec_id": …}. True when somebody heard it. */
bool monitor_session_event(struct monitor *m, const struct session *s, const char *name);
/* What waitid() told, as Docker's exit code: 0…255, 128 + signal. */
int monitor_exit_code(const siginfo_t *info);

/* journal.c: an event that no kegd may miss: written to MONITOR_EVENTS, then sent. Takes the object; returns the time that
 * it bears, `time` (clock_now()) but after the last one's. */
int64_t journal_add(struct monitor *m, json_t *event_take, int64_t time);

/* restart.c */

/* Keeps "start" and its configuration (taken over) for later. */
void restart_remember(struct monitor *m, const json_t *request, int *config);
void restart_finish(struct monitor *m);
/* {"name":…,"limit":n}; NULL changes nothing. */
void restart_configure(struct monitor *m, const json_t *policy);
/* linux.resources that hold from the next start on. */
void restart_set_resources(struct monitor *m, const json_t *resources);
/* Whether the end that just happened is followed by another start. */
bool restart_is_wanted(const struct monitor *m);
/* Has monitor_start_again() called when the back-off is over, or at once if that was asked for. */
void restart_wait(struct monitor *m);
void restart_cancel(struct monitor *m);
/* "restart": stops it as stop_begin() does; what comes then, monitor_ended() decides. */
int restart_by_hand(struct monitor *m, struct connection *asker, int signal, int64_t timeout, struct err *err);
/* Takes the mounts away that were made for its starts. */
void restart_drop_sources(struct monitor *m);
/* Brings a configuration up to date that was composed for the first start. */
int restart_renew(const struct monitor *m, const json_t *request, json_t *config, struct err *err);

/* stop.c */

/* Sends a signal and tells of it ("kill"). */
int stop_signal(struct monitor *m, int signal, bool all, struct err *err);
/* The signal, and SIGKILL after `timeout` ns (negative: never), or at once if the first process wouldn't notice the signal. */
int stop_begin(struct monitor *m, int signal, int64_t timeout, struct err *err);

/* health.c */

/* The member "health" of "start"; NULL: none. */
void health_configure(struct monitor *m, const json_t *settings);
/* The container has just been started / has ended. */
void health_begin(struct monitor *m);
void health_end(struct monitor *m);
void health_free(struct monitor *m);
/* A child has ended: true if it was the probe. */
bool health_probe_ended(struct monitor *m, pid_t pid, int exit_code);
/* {"status","failing_streak"}, a new object; NULL when it isn't checked. */
json_t *health_json(const struct monitor *m);

/* start.c */
/* Once more with what restart.c kept. */
void monitor_start_again(struct monitor *m);
void monitor_start(struct monitor *m, struct request *r);
void monitor_network_ready(struct monitor *m, struct request *r);
/* Opens the name server, unless it is open. */
int monitor_open_dns(struct monitor *m, struct err *err);
/* A whole JSON object from a descriptor (a memfd). NULL and *err on failure. */
json_t *monitor_read_json(int fd, const char *what, struct err *err);
/* Gives a process object the oom_score_adj of containers if it has none. */
void monitor_set_oom_score(const struct monitor *m, json_t *process);

/* exec.c */
void monitor_exec(struct monitor *m, struct request *r);
/* A child that isn't the container's init has ended. */
void monitor_exec_ended(struct monitor *m, pid_t pid, int exit_code);
/* The container has ended: so do its execs. */
void monitor_execs_end(struct monitor *m);
struct session *monitor_find_exec(struct monitor *m, const char *id);
struct exec_record *monitor_exec_record(const struct monitor *m, const char *id);
json_t *monitor_execs_json(const struct monitor *m);
void monitor_execs_free(struct monitor *m);

/* exec_group.c: what an exec has started, found by a cgroup of its own below the container's */

/* Makes the group: its directory, which the caller closes, or -EBADF where there can't be one. */
int exec_group_make(struct monitor *m, struct exec_record *r);
/* Its processes in the host's numbers, "pids" of the reply to "exec-left". */
json_t *exec_group_pids(struct monitor *m, const struct exec_record *r);
/* SIGKILL to all of them. */
void exec_group_kill(struct monitor *m, const struct exec_record *r);
/* Its first process has ended (or never ran): removes the group, or finds that something is left. */
void exec_group_end(struct monitor *m, struct exec_record *r);
/* Looks again at those in which something was left. */
void exec_group_look(struct monitor *m);

/* requests.c */
void monitor_request(void *arg, struct request *r);
/* "attach" members into options; *early holds the decoded input that options points to. */
int monitor_read_attach(const json_t *body, struct session_client_options *ret, struct buf *early,
                        struct err *err);
/* [height, width] of a request as a terminal's size, if there is one. */
void monitor_console_size(struct session *s, const json_t *body);

/* state.c */
json_t *monitor_state_json(const struct monitor *m);
/* Replaces the file MONITOR_STATE or MONITOR_EXIT. */
int monitor_write_state(const struct monitor *m, const char *file);

#endif
