/* The domain: containers, execs, images, networks, volumes and events, as the API sees them. No HTTP, no
 * argv.
 *
 * JSON goes in and out in the shapes of Docker's API 1.51; the API layer parses parameters, calls, and trims
 * answers for older versions. All functions are thread-safe and blocking (a thread per connection), end with
 * `struct err *err` (ERR_NOT_FOUND, ERR_CONFLICT, ERR_INVALID, ERR_NOT_MODIFIED, …: the kind is the HTTP
 * status) and return 0 or -1. `ret` is a new reference, the caller's to json_decref().
 *
 * Where things are: engine.c open and close; containers here, implemented in create.c, start.c, stop.c,
 * remove.c, list.c, inspect.c, wait.c, attach.c, exec.c, logs.c, top.c; events.h, images.h, networks.h,
 * volumes.h, system.h have the rest of the domain beside this file. internal.h (struct engine) and db.h are
 * for src/engine only. */
#ifndef KEG_ENGINE_ENGINE_H
#define KEG_ENGINE_ENGINE_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct engine;

/* ---- the engine ---- */

/* Everything has a default when zero or NULL; strings and arrays are copied by engine_open(). */
struct engine_options {
    const char *data_root;          /* /var/lib/keg */
    const char *exec_root;          /* /run/keg */
    const char *storage_driver;     /* NULL: "overlay2" */
    const char *const *storage_options; /* "overlay2.size=10G" */
    const char *bip;                /* default bridge's address, "172.17.0.1/16" */
    const char *bip6, *fixed_cidr6; /* … "fd00:1::1/64"; of which subnet containers get addresses */
    const char *const *default_address_pools; /* "base,size" */
    const char *const *insecure_registries;
    const char *const *registry_mirrors;
    const char *const *dns, *const *dns_search, *const *dns_options;
    const char *const *cdi_dirs; /* NULL: /etc/cdi, /var/run/cdi */
    const char *const *labels;   /* the engine's own, for info */
    const char *const
        *open_hosts;        /* how strangers reach the API, for info: "http://ADDRESS without encryption" */
    const char *log_driver; /* NULL: "json-file" */
    const json_t *log_options;     /* {"max-size":"10m",…} */
    const json_t *image_gc;        /* see images_collect.h; NULL: off */
    const json_t *default_ulimits; /* [{"Name","Soft","Hard"}]; NULL: nofile 1024:524288 */
    const json_t *runtimes;        /* see runtimes.h; NULL: keg's own alone */
    const char *default_runtime;   /* NULL: keg's own */
    const char *cgroup_parent;     /* NULL: the instance's tag */
    const char *seccomp_profile;   /* NULL or "builtin", "unconfined", or a file */
    const char *ipc_mode;          /* NULL: "private" */
    const char *cgroupns_mode;     /* NULL: "private" */
    const char *host_mounts;      /* a path to the mount namespace in which shared binds are; NULL: our own */
    int64_t shm_size;             /* 0: 64 MiB */
    int mtu;                      /* 0: chosen */
    int max_concurrent_downloads; /* 0: 3 */
    int max_concurrent_uploads;   /* 0: 5 */
    bool no_icc, no_ip_forward, no_nat, no_nat6;
    bool ipv6; /* on the default bridge */
    bool no_new_privileges;
    bool init;        /* keg-init as PID 1 unless a container says otherwise */
    bool no_networks; /* leave the host's network alone: only "none" and "host" (tests) */
};

/* Opens data and run directories (made 0700/0710), migrates the database, finds the monitors of containers
 * that still run, finishes what an earlier life left half-done. ERR_CONFLICT when another kegd has them. */
struct engine *engine_open(const struct engine_options *options, struct err *err);
/* What can be told of the options without opening anything: for kegd --validate. ERR_INVALID. */
int engine_check_storage_driver(const char *name, struct err *err);
int engine_check_storage_options(const char *const *options, struct err *err);
/* Lets go of everything; containers go on running. No request may be under way. */
struct engine *engine_close(struct engine *e);
DEFINE_CLEANUP_PTR(struct engine, engine_close)
/* Ends every blocking call (events, logs -f, wait, attach) so that the server can be stopped. */
void engine_interrupt(struct engine *e);

/* ---- streams ---- */

/* Where streamed answers go. write returns 0, or -1 when the client has gone, after which nothing more is
 * written and the function ends with ERR_CANCELLED. Functions that stream check everything they can before
 * the first write. */
struct engine_sink {
    int (*write)(void *arg, const void *data, size_t len);
    void *arg;
    int client_fd; /* polled for hang-up while there is nothing to write; -1: none */
};

/* A client's connection that leaves HTTP and is handed over to a monitor. The engine duplicates or passes the
 * descriptor; it stays the caller's to close (the connection ends when the monitor has closed its copy too:
 * close, never shutdown()). The response's header must have been sent. */
struct engine_stream {
    int fd;
    const void *input; /* bytes that were read from the client behind the request */
    size_t input_len;
};

/* ---- containers ---- */
/* `ref` is a name (with or without leading "/"), an id, or an unambiguous id prefix. */

/* body: {Config…, HostConfig, NetworkingConfig}. name and platform may be NULL. ret: {"Id","Warnings"}. */
int engine_container_create(struct engine *e, const char *name, const char *platform, const json_t *body,
                            json_t **ret, struct err *err);
/* ERR_NOT_MODIFIED when it runs already. */
int engine_container_start(struct engine *e, const char *ref, const char *detach_keys, struct err *err);

enum { ENGINE_TIMEOUT_DEFAULT = INT_MIN }; /* the container's own StopTimeout, else 10 s; -1: wait for ever */
/* signal: name or number, NULL for the container's own. ERR_NOT_MODIFIED when it doesn't run. */
int engine_container_stop(struct engine *e, const char *ref, const char *signal, int timeout_s,
                          struct err *err);
int engine_container_restart(struct engine *e, const char *ref, const char *signal, int timeout_s,
                             struct err *err);
/* signal NULL: KILL. ERR_CONFLICT when it doesn't run. */
int engine_container_kill(struct engine *e, const char *ref, const char *signal, struct err *err);
int engine_container_pause(struct engine *e, const char *ref, struct err *err);
int engine_container_unpause(struct engine *e, const char *ref, struct err *err);
int engine_container_rename(struct engine *e, const char *ref, const char *name, struct err *err);
int engine_container_resize(struct engine *e, const char *ref, unsigned height, unsigned width,
                            struct err *err);
int engine_container_update(struct engine *e, const char *ref, const json_t *body, json_t **ret,
                            struct err *err);

struct engine_remove_options {
    bool force, volumes, link;
};
int engine_container_remove(struct engine *e, const char *ref, const struct engine_remove_options *o,
                            struct err *err);
/* ret: {"ContainersDeleted":[…],"SpaceReclaimed":n}. filters as in list. */
int engine_container_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err);

struct engine_list_options {
    bool all, size;
    int limit;             /* 0 or negative: no limit */
    const json_t *filters; /* {"status":["running"]} or {"status":{"running":true}}; NULL: none */
    bool
        brief; /* as text: only Id, Names, Image, ImageID (if Image is the same), Command, Created, Ports, Status */
};
int engine_container_list(struct engine *e, const struct engine_list_options *o, json_t **ret,
                          struct err *err);
/* The same as text, the quick way, but never with sizes. The caller frees; NULL after an error. */
char *engine_container_list_text(struct engine *e, const struct engine_list_options *o, struct err *err);
int engine_container_inspect(struct engine *e, const char *ref, bool size, json_t **ret, struct err *err);
/* ret: {"Titles":[…],"Processes":[[…]]}. ps_args NULL: "-ef". Nothing of the container's is executed. */
int engine_container_top(struct engine *e, const char *ref, const char *ps_args, json_t **ret,
                         struct err *err);
/* ret: [{"Path","Kind"}] */
int engine_container_changes(struct engine *e, const char *ref, json_t **ret, struct err *err);

/* Two steps, because the client must see the response's header while the wait goes on: begin registers
 * (condition "not-running", "next-exit", "removed" or NULL), finish blocks until it is met, the client on
 * client_fd (-1: none) hangs up (ERR_CANCELLED) or the engine is interrupted, and frees w. ret:
 * {"StatusCode":n,"Error":null or {"Message"}}. */
struct engine_wait;
struct engine_wait *engine_container_wait_begin(struct engine *e, const char *ref, const char *condition,
                                                struct err *err);
int engine_container_wait_finish(struct engine_wait *w, int client_fd, json_t **ret, struct err *err);

struct engine_logs_options {
    bool stdout_too, stderr_too; /* which streams; neither is ERR_INVALID */
    bool follow, timestamps, details;
    int64_t since, until; /* ns since 1970, 0: unbounded */
    int64_t tail;         /* lines, negative: all */
    bool raw;             /* unframed, though there is no terminal */
};
/* *ret_tty tells whether the container has a terminal: without one the output is framed (8-byte headers).
 * Call engine_container_has_tty() first where the content type must be known. */
int engine_container_logs(struct engine *e, const char *ref, const struct engine_logs_options *o,
                          const struct engine_sink *sink, struct err *err);
/* 1 or 0; -1 and ERR_NOT_FOUND. */
int engine_container_has_tty(struct engine *e, const char *ref, struct err *err);

enum engine_websocket { ENGINE_WEBSOCKET_NONE, ENGINE_WEBSOCKET_TEXT, ENGINE_WEBSOCKET_BINARY };
struct engine_attach_options {
    bool logs, stream, stdin_too, stdout_too, stderr_too;
    enum engine_websocket websocket; /* the bytes as frames, with a terminal or without; instead of headers */
    const char *detach_keys;         /* NULL: "ctrl-p,ctrl-q" */
};
/* Everything that can be refused, before the connection is upgraded. Returns 1 when the container has a
 * terminal (application/vnd.docker.raw-stream), 0 when the stream is framed (…multiplexed-stream), -1 on
 * error. *ret_id: what to attach to, for a name may mean another container by then; the caller frees. */
int engine_container_attach_check(struct engine *e, const char *ref, const struct engine_attach_options *o,
                                  char **ret_id, struct err *err);
/* After the upgrade. Returns at once: the monitor owns the stream from here on. */
int engine_container_attach(struct engine *e, const char *ref, const struct engine_attach_options *o,
                            const struct engine_stream *stream, struct err *err);

/* ---- execs ---- */

/* body: {"Cmd","Tty","AttachStdin",…}. ret: {"Id"}. */
int engine_exec_create(struct engine *e, const char *ref, const json_t *body, json_t **ret, struct err *err);

struct engine_exec_start_options {
    bool detach, tty;
    unsigned height, width; /* 0: unknown */
};
/* As engine_container_attach_check: 1, 0, or -1. Whether the stream is framed is up to how it is started: without tty it is, of a
 * terminal as well. */
int engine_exec_start_check(struct engine *e, const char *exec_id, const struct engine_exec_start_options *o,
                            struct err *err);
/* stream is NULL with detach. Where the program can't be run, the error's text has also been written to the
 * stream, as Docker does; the caller then only closes. */
int engine_exec_start(struct engine *e, const char *exec_id, const struct engine_exec_start_options *o,
                      const struct engine_stream *stream, struct err *err);
int engine_exec_resize(struct engine *e, const char *exec_id, unsigned height, unsigned width,
                       struct err *err);
/* SIGKILL to all that runs of it and all it has left behind. */
int engine_exec_end(struct engine *e, const char *exec_id, struct err *err);
/* Docker's, and "LeftPids": the processes (in the host's numbers) that it has started and that go on after its end. */
int engine_exec_inspect(struct engine *e, const char *exec_id, json_t **ret, struct err *err);

#endif
