/* Starting a container.
 *
 *     spawn          the monitor, in RUN/containers/<id>; it gets ready while the rest is prepared
 *     compose        the OCI configuration, from what the record says and what the host has now
 *     hand over      clients that are already attached, then "start" with the configuration
 *     network        on the monitor's event: veth, address, ports; the record has them before the program runs
 *     note           state, record, event; the watcher listens from here on
 *
 * A kegd that dies at any point leaves a monitor that either gives up (its peer went before the reply) or runs on, and
 * is found again by its socket. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/apparmor.h"
#include "engine/attach.h"
#include "engine/copies.h"
#include "engine/endpoints.h"
#include "engine/links.h"
#include "engine/logs.h"
#include "engine/monitors.h"
#include "engine/mount_sources.h"
#include "engine/mounts.h"
#include "engine/namespaces.h"
#include "engine/netfiles.h"
#include "engine/runtimes.h"
#include "engine/zones.h"
#include "storage/storage.h"

enum { RUN_MODE = 0700 };

struct start {
    struct container *c;
    struct oci_input input;
    struct namespaces names; /* what input points to */
    struct storage_rootfs rootfs;
    char *cgroup, *init;
    json_t *link_environment;
    struct mount_sources sources;
    char **runtime; /* another one's program; NULL: ours */
    struct monitor *monitor;
    bool asked;    /* the monitor, to start it */
    bool attached; /* to networks */
    bool mounted;  /* its volumes are told to be */
    bool network_failed;
    struct err *err;
};

static void start_finish(struct start *s)
{
    namespaces_finish(&s->names);
    storage_rootfs_finish(&s->rootfs);
    free(s->cgroup);
    free(s->init);
    json_decref(s->link_environment);
    mount_sources_keep(&s->sources);
    strv_free(s->runtime);
    monitor_free(s->monitor);
}

/* ---- compose ---- */

static void choose_init(struct start *s)
{
    const json_t *own = json_object_get(s->c->host_config, "Init");
    if (own ? json_is_true(own) : s->c->engine->options.init)
        s->init = xasprintf("%s/keg-init", s->c->engine->libexec);
}

static int find_links(struct start *s)
{
    _cleanup_(links_free_p) struct links *links = NULL;
    if (links_resolve(s->c, &links, s->err) < 0)
        return -1;
    s->link_environment = links_environment(links, s->c->name);
    return 0;
}

static json_t *compose(struct start *s)
{
    struct container *c = s->c;
    choose_init(s);
    s->cgroup = container_cgroup_path(c);
    s->input = (struct oci_input){
        .options = &c->engine->options,
        .config = c->config,
        .host_config = c->host_config,
        .mounts = s->sources.mounts,
        .rootfs = &s->rootfs,
        .hostname = s->names.hostname,
        .domainname = json_str(c->config, "Domainname"),
        .cgroup_path = s->cgroup,
        .hosts_file = s->names.hosts_file,
        .hostname_file = s->names.hostname_file,
        .resolv_file = s->names.resolv_file,
        .shm_dir = s->names.shm_dir,
        .init_program = s->init,
        .link_environment = s->link_environment,
        .portable = s->runtime != NULL,
    };
    memcpy(s->input.namespaces, s->names.choices, sizeof(s->input.namespaces));
    const char *apparmor = apparmor_profile(c->host_config);
    if (apparmor && apparmor_load(apparmor, s->err) < 0)
        return NULL;
    json_t *config = oci_compose(&s->input, s->err);
    if (config && s->rootfs.root)
        json_set_str(json_object_get(config, "root"), "path", s->rootfs.root);
    return config;
}

/* NULL: the root filesystem is one directory. */
static json_t *overlay_part(struct start *s)
{
    if (s->rootfs.root)
        return NULL;
    json_t *overlay = json_object();
    json_object_set_new(overlay, "lower", json_from_strv(s->rootfs.lower));
    json_set_str(overlay, "upper", s->rootfs.upper);
    if (s->rootfs.work)
        json_set_str(overlay, "work", s->rootfs.work);
    json_set_bool(overlay, "volatile", s->c->auto_remove);
    return overlay;
}

static json_t *start_request(struct start *s)
{
    struct container *c = s->c;
    json_t *log = log_start_request(c, s->err);
    if (!log)
        return NULL;
    json_t *request = json_object(), *size = json_object_get(c->host_config, "ConsoleSize");
    _cleanup_free_ char *cache = xasprintf("%s/seccomp", c->engine->options.exec_root);
    json_set_str(request, "op", "start");
    json_set_str(request, "id", c->id);
    json_set_bool(request, "tty", c->tty);
    json_set_bool(request, "open_stdin", c->open_stdin);
    json_set_bool(request, "stdin_once", c->stdin_once);
    json_set_str(request, "network", namespaces_network_word(&s->names));
    json_t *overlay = overlay_part(s);
    if (overlay)
        json_object_set_new(request, "overlay", overlay);
    json_set_str(request, "seccomp_cache", cache);
    if (s->runtime)
        json_object_set_new(request, "runtime", json_from_strv(s->runtime));
    if (c->engine->options.host_mounts)
        json_set_str(request, "host_mounts", c->engine->options.host_mounts);
    if (c->tty && json_array_size(size) == 2)
        json_object_set(request, "console_size", size);
    json_object_set_new(request, "log", log);
    json_object_set_new(request, "restart", container_restart_part(c));
    json_set_int(request, "restart_count", c->restart_count);
    json_set_int(request, "sources", (json_int_t)strv_len(s->sources.places));
    json_object_set_new(request, "joins", container_joins_part(c));
    json_t *health = container_health_part(c);
    if (health)
        json_object_set_new(request, "health", health);
    return request;
}

/* ---- talk ---- */

static int make_run_directory(struct container *c, struct err *err)
{
    _cleanup_free_ char *path = container_run_path(c, NULL);
    mount_sources_sweep(c);
    path_remove_all(AT_FDCWD, path); /* what an earlier life left */
    return mkdir(path, RUN_MODE) < 0 ? err_errno(err, errno, "make %s", path) : 0;
}

/* The monitor made the namespace: join the networks, tell it to go on. */
static void handle_network(struct start *s, const int *fds, size_t nfds)
{
    struct container *c = s->c;
    struct err why = {0};
    _cleanup_json_ json_t *go = json_object();
    json_set_str(go, "op", "network-ready");
    json_set_bool(go, "names", zones_served(c->network_config));
    int r = nfds < 2 ? err_set(&why, ERR_SYSTEM, "the monitor sent no network namespace")
                     : endpoints_attach(c, fds[0], fds[1], &why);
    if (r == 0) {
        s->attached = true;
        r = netfiles_add_addresses(c, c->endpoints, &why) < 0 || zones_write_container(c, &why) < 0 ||
                    container_save(c, &why) < 0
                ? -1
                : 0;
    }
    if (r < 0) {
        s->network_failed = true;
        json_t *error = json_object();
        json_set_str(error, "kind", err_kind_name(why.kind));
        json_set_int(error, "errno", why.errnum);
        json_set_str(error, "message", why.message);
        json_object_set_new(go, "error", error);
    }
    /* A monitor that is leaving because the program can't be run doesn't take this any more; what it said first comes
     * with the next packet. */
    monitor_send(s->monitor->sock, go, NULL, 0, NULL);
}

/* Receives until the reply to "start". */
static int await_start(struct start *s, json_t **ret_ok)
{
    for (;;) {
        int fds[MONITOR_FDS_MAX];
        size_t nfds = 0;
        _cleanup_json_ json_t *packet = monitor_receive(s->monitor->sock, fds, &nfds, s->err);
        if (!packet)
            return -1;
        const char *event = json_str(packet, "event");
        if (str_eq(event, "network"))
            handle_network(s, fds, nfds);
        for (size_t i = 0; i < nfds; i++)
            close(fds[i]);
        if (!event)
            return monitor_reply(packet, ret_ok, s->err);
    }
}

static int talk(struct start *s, json_t **ret_ok)
{
    _cleanup_json_ json_t *config = compose(s), *request = config ? start_request(s) : NULL;
    _cleanup_close_ int memfd = request ? monitor_memfd(config, s->err) : -EBADF;
    if (memfd < 0)
        return -1;
    s->asked = true;
    if (container_send_pending(s->c, s->monitor->sock, s->err) < 0 ||
        monitor_send(s->monitor->sock, request, &memfd, 1, s->err) < 0)
        return -1;
    return await_start(s, ret_ok);
}

/* ---- note ---- */

static void note_started(struct start *s, const json_t *ok)
{
    struct container *c = s->c;
    pthread_mutex_lock(&c->lock);
    c->state = (struct container_state){
        .status = CONTAINER_RUNNING,
        .pid = (int)json_int_or(ok, "pid", 0),
        .started_at = json_int_or(ok, "started_at", clock_now()),
        .finished_at = c->state.finished_at,
        .health = container_is_checked(c) ? HEALTH_STARTING : HEALTH_NONE,
    };
    c->told = json_int_or(ok, "time", c->state.started_at);
    pthread_mutex_unlock(&c->lock);
    struct err err = {0};
    endpoints_note_driverless(c);
    if (container_save(c, &err) < 0)
        log_error("container %.12s: %s", c->id, err.message);
    container_event_at(c, c->told, "start", NULL);
    links_announce(c);
    watcher_add(c->engine, take_ptr(&s->monitor));
}

/* Docker's exit codes for what can't be run. */
static int exit_code_of(const struct err *err)
{
    return err->kind == ERR_NO_PROGRAM ? 127 : err->kind == ERR_CANNOT_INVOKE ? 126 : 128;
}

static void note_failed(struct start *s)
{
    struct container *c = s->c;
    if (s->monitor && !s->asked)
        shutdown(s->monitor->sock, SHUT_RDWR); /* so it leaves */
    if (s->monitor)
        monitor_bury(s->monitor);
    if (s->attached)
        endpoints_detach(c);
    if (s->mounted)
        container_tell_volumes(c, /* mounted= */ false);
    container_drop_pending(c);
    container_clean_cgroups(c);
    namespaces_release(c);
    mount_sources_finish(&s->sources); /* before what they are mounted on goes */
    _cleanup_free_ char *run = container_run_path(c, NULL);
    path_remove_all(AT_FDCWD, run);
    pthread_mutex_lock(&c->lock);
    c->state.starting = false;
    c->state.exit_code = exit_code_of(s->err);
    snprintf(c->state.error, sizeof(c->state.error), "%s", s->err->message);
    pthread_mutex_unlock(&c->lock);
    mounts_ended(c);
    container_save(c, NULL);
}

static int start_run(struct start *s)
{
    struct container *c = s->c;
    _cleanup_json_ json_t *ok = NULL;
    if (runtimes_command(c->engine, c, &s->runtime, s->err) < 0)
        return -1;
    if (find_links(s) < 0 || mounts_check_sources(c->mounts, s->err) < 0 || make_run_directory(c, s->err) < 0)
        return -1;
    container_renew_health_log(c);
    s->monitor = monitor_spawn(c, s->err);
    if (!s->monitor || storage_container_renew(c->engine->storage, c->id, s->err) < 0 ||
        storage_container_rootfs(c->engine->storage, c->id, &s->rootfs, s->err) < 0 ||
        mount_sources_open(c, &s->sources, s->err) < 0 || namespaces_resolve(c, &s->names, s->err) < 0)
        return -1;
    container_tell_volumes(c, /* mounted= */ true);
    s->mounted = true;
    if (talk(s, &ok) < 0) /* what the monitor or the runtime said needs a subject; the rest names its own */
        return s->asked && !s->network_failed ? err_wrap(s->err, "failed to create task for container") : -1;
    note_started(s, ok);
    return 0;
}

int container_start_locked(struct container *c, struct err *err)
{
    struct err own = {0};
    struct start s = {.c = c, .err = &own};
    container_end_writer(c, /* patiently= */ true);
    pthread_mutex_lock(&c->lock);
    c->state.starting = true;
    c->handed_over = false;
    pthread_mutex_unlock(&c->lock);
    int r = start_run(&s);
    if (r < 0) {
        note_failed(&s);
        if (err)
            *err = own;
    }
    start_finish(&s);
    return r;
}

static int check_startable(struct container *c, struct err *err)
{
    if (c->removing || !c->visible)
        return err_set(err, ERR_CONFLICT, "container is marked for removal and cannot be started");
    if (c->state.status == CONTAINER_PAUSED)
        return err_set(err, ERR_CONFLICT, "cannot start a paused container, try unpause instead");
    if (c->state.status == CONTAINER_RUNNING || c->state.status == CONTAINER_RESTARTING)
        return err_set(err, ERR_NOT_MODIFIED, "container %s is already running", c->id);
    return 0;
}

int engine_container_start(struct engine *e, const char *ref, const char *detach_keys, struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    (void)detach_keys; /* each attach brings its own */
    if (!c)
        return -1;
    pthread_mutex_lock(&c->operation);
    int r = check_startable(c, err);
    if (r == 0) {
        pthread_mutex_lock(&c->lock);
        c->state.stop_requested = false;
        c->restart_count = 0;
        pthread_mutex_unlock(&c->lock);
        r = container_start_locked(c, err);
        if (r < 0 && c->auto_remove && !c->engine->closing)
            container_remove_locked(c, /* anonymous_volumes= */ true, NULL);
    }
    pthread_mutex_unlock(&c->operation);
    return r;
}
