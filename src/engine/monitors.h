/* Monitors: spawning them, asking them, and listening to them (monitor/protocol.h). */
#ifndef KEG_ENGINE_MONITORS_H
#define KEG_ENGINE_MONITORS_H

#include "engine/container.h"

/* ---- monitors.c ---- */

/* keg-monitor as a sealed copy in memory: nothing that a container finds behind /proc/PID/exe can be written
 * to, and all monitors share its pages. */
struct spawner *spawner_new(const char *libexec, struct err *err);
struct spawner *spawner_free(struct spawner *s);

/* One monitor, as its starter or the watcher holds it. */
struct monitor {
    struct container *container; /* a reference */
    int sock;                    /* control or watch connection */
    int pidfd;                   /* -EBADF when it isn't our child */
    bool exit_seen;
};
struct monitor *monitor_free(struct monitor *m);
DEFINE_CLEANUP_PTR(struct monitor, monitor_free)
/* Spawns one in RUN/containers/<id>, which must exist. */
struct monitor *monitor_spawn(struct container *c, struct err *err);
/* Connects to one that runs and asks for its events; *ret_state is its state reply. ERR_UNAVAILABLE when nobody
 * listens. */
struct monitor *monitor_watch(struct container *c, json_t **ret_state, struct err *err);
/* For one whose start failed: waits (bounded) until it has cleaned up and gone, and reaps it. */
void monitor_bury(struct monitor *m);

int monitor_send(int sock, const json_t *packet, const int *fds, size_t nfds, struct err *err);
enum { MONITOR_FDS_MAX = 4 };
/* Receives one packet; descriptors that came with it go to fds (MONITOR_FDS_MAX of them). ERR_UNAVAILABLE at
 * the end of the connection. */
json_t *monitor_receive(int sock, int *fds, size_t *ret_nfds, struct err *err);
/* 0 with *ret_ok (new reference) for an "ok" reply; -1 with the error it carries. */
int monitor_reply(const json_t *packet, json_t **ret_ok, struct err *err);
/* Sends and waits for the reply, passing over events. ret_ok may be NULL. */
int monitor_ask(int sock, const json_t *request, const int *fds, size_t nfds, json_t **ret_ok,
                struct err *err);
/* The same over a connection of its own. ERR_CONFLICT when no monitor answers. */
int monitor_request(struct container *c, const json_t *request, const int *fds, size_t nfds, json_t **ret_ok,
                    struct err *err);
/* The same, and the connection is left open, for the caller to close. -1 on failure. */
int monitor_request_open(struct container *c, const json_t *request, const int *fds, size_t nfds,
                         json_t **ret_ok, struct err *err);
/* The same as monitor_request() for one that is answered by an event with descriptors first: they go to fds (MONITOR_FDS_MAX of them). */
int monitor_request_fds(struct container *c, const json_t *request, int *fds, size_t *ret_nfds,
                        struct err *err);
/* A sealed memfd with the JSON text. */
int monitor_memfd(const json_t *json, struct err *err);

/* ---- watcher.c ---- */

struct watcher *watcher_new(struct engine *e, struct err *err);
/* Ends the thread, and waits for work that monitors' events started. */
struct watcher *watcher_free(struct watcher *w);
/* Listens to m from here on and owns it. */
void watcher_add(struct engine *e, struct monitor *m);
/* Runs fn(c, arg) in a thread that watcher_free() waits for; the reference to c is given back after. */
struct exit_report {
    bool lost;    /* the monitor went without a word */
    bool told;    /* the event is out already */
    bool stopped; /* by hand */
    bool restart; /* to be started again by kegd, or by the next one */
    int exit_code;
    bool oom_killed;
    int64_t finished_at;
    int64_t time;     /* of the event; 0: finished_at */
    char error[1000]; /* why its policy couldn't start it again; "" */
};
/* The members of the event "exit", or of a monitor's state. */
void exit_report_read(struct exit_report *report, const json_t *packet);
/* Does what an ended container needs, in a thread of its own. */
void watcher_report_exit(struct engine *e, struct container *c, const struct exit_report *report);

/* ---- lives.c ---- */

/* keg's own label: what follows when a container becomes unhealthy. */
#define HEALTH_ACTION_LABEL "keg.health.on-failure"

/* What a monitor's journal has, as it comes: the event and the state. Of "exit" only the event. */
void container_heard(struct container *c, const json_t *packet);
/* Whether nobody has heard of it yet; from now on somebody has. */
bool container_is_news(struct container *c, const json_t *packet);
/* Reads the journal for what was missed. True when the end is in it. */
bool container_catch_up(struct container *c);
/* The state of a monitor that was found ("running" or "restarting"). */
void container_take_state(struct container *c, const json_t *state);
/* "mount" or "unmount" of its volumes, as a start and an end mean it to those who watch volumes. */
void container_tell_volumes(struct container *c, bool mounted);
/* The event "die". ran: ns. */
void container_tell_end(struct container *c, int exit_code, int64_t ran, int64_t time);
/* Members of the monitor's start request, new objects: "restart"; "joins", whose namespaces it shares; "health" (NULL: none). */
json_t *container_restart_part(struct container *c);
json_t *container_joins_part(struct container *c);
json_t *container_health_part(struct container *c);
bool container_is_checked(const struct container *c);
/* The last results, Docker's State.Health.Log; a new array. They are in RUN while it runs; kept for later at its end, and there
 * again, with those to come, after its next start. */
json_t *container_health_log(struct container *c);
void container_keep_health_log(struct container *c);
void container_renew_health_log(struct container *c);

/* ---- exit.c ---- */

void container_exited(struct container *c, const struct exit_report *report);
/* Whether its restart policy brings a container back that ended with this code. */
bool container_wants_restart(struct container *c, int exit_code);
/* What a lost monitor left: kills what still runs in the container's cgroups and removes them. */
void container_clean_cgroups(struct container *c);
/* Waits, not longer than timeout_ms (-1: for ever), until the container has ended and all that follows is
 * done. 1 ended, 0 not yet. */
int container_wait_ended(struct container *c, int timeout_ms);

/* ---- stop.c ---- */

/* Ends it for good; no restart policy brings it back. */
int container_kill_and_wait(struct container *c, struct err *err);

/* ---- start.c, remove.c: with c->operation held ---- */

int container_start_locked(struct container *c, struct err *err);
int container_remove_locked(struct container *c, bool anonymous_volumes, struct err *err);

#endif
