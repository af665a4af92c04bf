/* "start": from a configuration to a running container. With a network that kegd has to furnish the namespace
 * goes out first, and kegd works on it while the container is prepared here. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

enum { CONFIG_MAX = 16 * 1024 * 1024 };

json_t *monitor_read_json(int fd, const char *what, struct err *err)
{
    struct stat st;
    json_t *json = NULL;
    void *text;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > CONFIG_MAX) {
        err_set(err, ERR_INVALID, "%s: missing, empty or larger than %d bytes", what, CONFIG_MAX);
        return NULL;
    }
    text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED) {
        err_errno(err, errno, "map %s", what);
        return NULL;
    }
    json = json_parse(text, (size_t)st.st_size, what, err);
    munmap(text, (size_t)st.st_size);
    if (json && !json_is_object(json)) {
        err_set(err, ERR_INVALID, "%s: not an object", what);
        json_decref(json);
        return NULL;
    }
    return json;
}

void monitor_set_oom_score(const struct monitor *m, json_t *process)
{
    int64_t score;

    if (process && !json_object_get(process, "oomScoreAdj") && str_to_i64(m->oom_score_adj, &score) == 0)
        json_set_int(process, "oomScoreAdj", score);
}

/* The log takes more again: what its backlog held back may go on. */
static void log_has_room(void *owner)
{
    struct monitor *m = owner;

    if (m->main && m->main->begun && !m->main->closed)
        session_settle(m->main);
}

static int start_log(struct monitor *m, const json_t *options, struct err *err)
{
    const struct logger_events events = {.unblocked = log_has_room, .owner = m};

    if (logger_open(&m->loop, options, &events, &m->log, err) < 0)
        return -1;
    m->main->log = m->log;
    return 0;
}

/* True when the container gets a namespace of its own of this type. */
static bool has_new_namespace(const json_t *config, const char *type)
{
    json_t *ns;
    size_t i;

    json_array_foreach (json_at(config, "linux.namespaces"), i, ns) {
        if (str_eq(json_str(ns, "type"), type) && !json_str(ns, "path"))
            return true;
    }
    return false;
}

static int start_send_network(struct monitor *m, int netlink, struct err *err)
{
    _cleanup_close_ int socket = netlink;
    int fds[] = {m->netns.fd, socket};
    int r = connection_event(m->starter, json_pack("{s:s}", "event", "network"), fds, 2);

    if (r < 0)
        return err_errno(err, r, "hand over the network namespace");
    m->network_pending = true;
    return 0;
}

/* "new": makes the namespace, or has it made with the user namespace's (*ret_late), whose it must be then. */
static int start_network(struct monitor *m, const json_t *body, json_t *config, bool *ret_late,
                         struct err *err)
{
    const char *mode = json_str_or(body, "network", "config");
    int netlink;

    *ret_late = false;
    if (str_eq(mode, "inherit") || str_eq(mode, "config"))
        return 0;
    if (!str_eq(mode, "new"))
        return err_set(err, ERR_INVALID, "network \"%s\": must be new, inherit or config", mode);
    if (has_new_namespace(config, "user")) {
        json_array_append_new(json_at(config, "linux.namespaces"), json_pack("{s:s}", "type", "network"));
        *ret_late = m->restarts.by_kegd = true;
        return 0;
    }
    if (m->netns.fd >= 0) /* a restart: everything in it is as it was */
        return 0;
    if (netns_make(&m->netns, &netlink, err) < 0)
        return -1;
    return start_send_network(m, netlink, err);
}

static int start_network_late(struct monitor *m, struct err *err)
{
    int netlink;

    if (netns_join(&m->netns, m->pid, &netlink, err) < 0)
        return -1;
    return start_send_network(m, netlink, err);
}

static int start_create(struct monitor *m, const json_t *body, const json_t *config, struct err *err)
{
    const json_t *overlay_json = json_object_get(body, "overlay");
    _cleanup_strv_ char **lower = json_strv(overlay_json, "lower"), **program = json_strv(body, "runtime");
    _cleanup_free_ char *here = program ? get_current_dir_name() : NULL,
                        *bundle = here ? path_join(here, "bundle") : NULL;
    struct runtime_overlay overlay = {.lower = (const char *const *)lower,
                                      .upper = json_str(overlay_json, "upper"),
                                      .work = json_str(overlay_json, "work"),
                                      .volatile_upper = json_bool_or(overlay_json, "volatile", false)};
    struct runtime_create_options options = {.id = json_str_or(body, "id", "container"),
                                             .bundle = program ? bundle : json_str(body, "bundle"),
                                             .overlay = lower ? &overlay : NULL,
                                             .stdio = {-EBADF, -EBADF, -EBADF},
                                             .host_mounts = m->restarts.host_mounts,
                                             .own_network = m->netns.fd >= 0,
                                             .bound = true,
                                             .network = m->netns.fd,
                                             .host_network = m->netns.host_fd,
                                             .program = program,
                                             .seccomp_cache_dir = m->seccomp_cache};
    int master, r = 0;

    if (!m->main->tty && session_make_stdio(m->main, /* outputs= */ true, options.stdio, err) < 0)
        return -1;
    m->container = runtime_create(config, &options, err);
    for (int i = 0; i < 3; i++)
        close_fd(&options.stdio[i]);
    if (!m->container) {
        if (program) /* it has said there what is in *err */
            session_discard(m->main);
        return -1;
    }
    m->pid = runtime_pid(m->container);
    master = runtime_take_console(m->container);
    if (m->main->tty && master < 0)
        return err_set(err, ERR_INVALID, "the configuration has no terminal");
    if (m->main->tty)
        r = session_take_console(m->main, &master, err);
    close_fd(&master);
    if (r == 0)
        monitor_console_size(m->main, body);
    return r;
}

/* Everything up to the point where only execve() is left. */
static int start_prepare(struct monitor *m, const json_t *body, struct err *err)
{
    _cleanup_json_ json_t *config = monitor_read_json(m->restarts.config, "configuration", err);
    bool network_late;

    if (!config || (m->started_at && restart_renew(m, body, config, err) < 0))
        return -1;
    monitor_set_oom_score(m, json_object_get(config, "process"));
    m->own_pid_namespace = has_new_namespace(config, "pid");
    m->main->tty = json_bool_or(body, "tty", false);
    m->main->open_stdin = json_bool_or(body, "open_stdin", false);
    m->main->stdin_once = json_bool_or(body, "stdin_once", false);
    if (start_network(m, body, config, &network_late, err) < 0)
        return -1;
    if (start_log(m, json_object_get(body, "log"), err) < 0)
        return -1;
    if (start_create(m, body, config, err) < 0)
        return -1;
    return network_late ? start_network_late(m, err) : 0;
}

/* The program runs: the one who asked gets a reply, all others an event. */
static void tell_started(struct monitor *m)
{
    int64_t time = journal_add(m,
                               json_pack("{s:s, s:i, s:I, s:i, s:b}", "event", "start", "pid", (int)m->pid,
                                         "started_at", (json_int_t)m->started_at, "restart_count",
                                         (int)m->restarts.count, "manual", m->restarts.manual),
                               m->started_at);

    m->restarts.manual = false;

    if (m->starter)
        connection_reply(m->starter, json_pack("{s:i, s:I, s:I}", "pid", (int)m->pid, "started_at",
                                               (json_int_t)m->started_at, "time", (json_int_t)time));
    m->starter = NULL;
}

static void start_go(struct monitor *m)
{
    struct err err = {0};

    if (runtime_start(m->container, &err) < 0) {
        monitor_abandon(m, &err);
        return;
    }
    m->status = MONITOR_RUNNING;
    m->started_at = clock_now();
    monitor_write_state(m, MONITOR_STATE);
    tell_started(m);
    monitor_watch_oom(m);
    m->main->running = true;
    session_begin(m->main);
    health_begin(m);
}

void monitor_start(struct monitor *m, struct request *r)
{
    struct err err = {0};
    int none = -EBADF;

    if (m->status != MONITOR_IDLE) {
        err_set(&err, ERR_CONFLICT, "this monitor has started its container already");
        connection_reply_error(r->from, &err);
        return;
    }
    m->status = MONITOR_STARTING;
    m->starter = r->from;
    m->seccomp_cache = xstrdup(json_str(r->body, "seccomp_cache"));
    restart_remember(m, r->body, r->nfds ? &r->fds[0] : &none);
    health_configure(m, json_object_get(r->body, "health"));
    if (start_prepare(m, r->body, &err) < 0)
        monitor_abandon(m, &err);
    else if (!m->network_pending)
        start_go(m);
}

int monitor_open_dns(struct monitor *m, struct err *err)
{
    if (m->netns.fd < 0)
        return err_set(err, ERR_CONFLICT, "the container has no network namespace of its own");
    if (!m->dns)
        m->dns = dns_open(&m->loop, &m->netns, MONITOR_NAMES, err);
    return m->dns ? 0 : -1;
}

void monitor_start_again(struct monitor *m)
{
    const char *text = m->restarts.request;
    struct err err = {0};
    _cleanup_json_ json_t *body = json_parse(text, strlen(text), "request", &err);

    m->status = MONITOR_STARTING;
    m->oom_killed = false;
    m->oom_seen = 0;
    if (!body || start_prepare(m, body, &err) < 0)
        monitor_abandon(m, &err);
    else
        start_go(m);
}

void monitor_network_ready(struct monitor *m, struct request *r)
{
    const json_t *error = json_object_get(r->body, "error");
    struct err err = {0};

    if (!m->network_pending)
        return;
    m->network_pending = false;
    if (!error && json_bool_or(r->body, "names", false) && monitor_open_dns(m, &err) < 0) {
        monitor_abandon(m, &err);
        return;
    }
    if (!error) {
        start_go(m);
        return;
    }
    err_set(&err, err_kind_from_name(json_str_or(error, "kind", "")), "%s",
            json_str_or(error, "message", "the network failed"));
    monitor_abandon(m, &err);
}
