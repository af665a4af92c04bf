/* One container: its memory, its record, its words. */
#include "engine/container.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/attach.h"

static const char *const status_names[] = {"created",  "running", "paused", "restarting",
                                           "removing", "exited",  "dead"};

const char *container_status_name(enum container_status status)
{
    return status_names[status];
}

static enum container_status status_from_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(status_names); i++)
        if (str_eq(status_names[i], name))
            return (enum container_status)i;
    return CONTAINER_DEAD;
}

/* ---- words ---- */

/* Rounded as Docker's go-units does: one unit, "Less than a second", "About a minute", … */
static char *human_duration(int64_t ns)
{
    int64_t seconds = ns / CLOCK_NS_PER_S, minutes = seconds / 60, hours = (minutes + 30) / 60;
    if (seconds < 1)
        return xstrdup("Less than a second");
    if (seconds == 1)
        return xstrdup("1 second");
    if (seconds < 60)
        return xasprintf("%lld seconds", (long long)seconds);
    if (minutes == 1)
        return xstrdup("About a minute");
    if (minutes < 60)
        return xasprintf("%lld minutes", (long long)minutes);
    if (hours == 1)
        return xstrdup("About an hour");
    if (hours < 48)
        return xasprintf("%lld hours", (long long)hours);
    hours = minutes / 60;
    if (hours < 24 * 7 * 2)
        return xasprintf("%lld days", (long long)(hours / 24));
    if (hours < 24 * 30 * 2)
        return xasprintf("%lld weeks", (long long)(hours / 24 / 7));
    if (hours < 24 * 365 * 2)
        return xasprintf("%lld months", (long long)(hours / 24 / 30));
    return xasprintf("%lld years", (long long)(hours / 24 / 365));
}

static const char *const health_names[] = {"none", "starting", "healthy", "unhealthy"};
static const char *const health_texts[] = {"", " (health: starting)", " (healthy)", " (unhealthy)"};

int container_is_restarting(const struct container *c, struct err *err)
{
    return err_set(err, ERR_CONFLICT, "Container %s is restarting, wait until the container is running",
                   c->id);
}

const char *container_health_name(enum container_health health)
{
    return health_names[health];
}

enum container_health container_health_from_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(health_names); i++)
        if (str_eq(health_names[i], name))
            return (enum container_health)i;
    return HEALTH_NONE;
}

char *container_status_text(const struct container_state *state, int64_t now)
{
    bool is_up = container_status_runs(state->status) && state->status != CONTAINER_RESTARTING;
    _cleanup_free_ char *since = human_duration(now - (is_up ? state->started_at : state->finished_at));
    switch (state->status) {
    case CONTAINER_RUNNING:
        return xasprintf("Up %s%s", since, health_texts[state->health]);
    case CONTAINER_PAUSED:
        return xasprintf("Up %s (Paused)", since);
    case CONTAINER_RESTARTING:
        return xasprintf("Restarting (%d) %s ago", state->exit_code, since);
    case CONTAINER_REMOVING:
        return xstrdup("Removal In Progress");
    case CONTAINER_DEAD:
        return xstrdup("Dead");
    case CONTAINER_EXITED:
        return xasprintf("Exited (%d) %s ago", state->exit_code, since);
    case CONTAINER_CREATED:
    default:
        return xstrdup("Created");
    }
}

/* ---- memory ---- */

struct container *container_new(struct engine *e, const char *id)
{
    struct container *c = xcalloc(1, sizeof(*c));
    atomic_init(&c->references, 1);
    c->engine = e;
    snprintf(c->id, sizeof(c->id), "%s", id);
    pthread_mutex_init(&c->operation, NULL);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->reading_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->announced_done, &attr);
    pthread_condattr_destroy(&attr);
    c->endpoints = json_array();
    return c;
}

struct container *container_ref(struct container *c)
{
    atomic_fetch_add(&c->references, 1);
    return c;
}

struct container *container_unref(struct container *c)
{
    if (!c || atomic_fetch_sub(&c->references, 1) != 1)
        return NULL;
    container_drop_pending(c);
    free(c->image_id);
    free(c->image_ref);
    free(c->name);
    json_decref(c->config);
    json_decref(c->host_config);
    json_decref(c->network_config);
    json_decref(c->mounts);
    json_decref(c->endpoints);
    list_kept_free(c->list_kept);
    pthread_mutex_destroy(&c->operation);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->announced_done);
    pthread_mutex_destroy(&c->reading_lock);
    json_decref(c->reading);
    free(c);
    return NULL;
}

void container_snapshot(struct container *c, struct container_snapshot *ret)
{
    pthread_mutex_lock(&c->lock);
    *ret = (struct container_snapshot){
        .name = xstrdup(c->name),
        .config = json_incref(c->config),
        .host_config = json_incref(c->host_config),
        .network_config = json_incref(c->network_config),
        .mounts = json_incref(c->mounts),
        .endpoints = json_incref(c->endpoints),
        .state = c->state,
        .restart_count = c->restart_count,
    };
    pthread_mutex_unlock(&c->lock);
}

json_t *container_host_config(struct container *c)
{
    pthread_mutex_lock(&c->lock);
    json_t *host_config = json_incref(c->host_config);
    pthread_mutex_unlock(&c->lock);
    return host_config;
}

void container_snapshot_finish(struct container_snapshot *s)
{
    free(s->name);
    json_decref(s->config);
    json_decref(s->host_config);
    json_decref(s->network_config);
    json_decref(s->mounts);
    json_decref(s->endpoints);
    *s = (struct container_snapshot){0};
}

/* ---- the record ---- */

static json_t *state_to_json(const struct container_state *s)
{
    json_t *json = json_object();
    json_set_str(json, "Status", container_status_name(s->status));
    json_set_int(json, "ExitCode", s->exit_code);
    json_set_int(json, "StartedAt", s->started_at);
    json_set_int(json, "FinishedAt", s->finished_at);
    if (s->oom_killed)
        json_set_bool(json, "OOMKilled", true);
    if (s->stop_requested)
        json_set_bool(json, "StopRequested", true);
    if (s->health != HEALTH_NONE)
        json_set_str(json, "Health", container_health_name(s->health));
    if (s->failing_streak)
        json_set_int(json, "FailingStreak", s->failing_streak);
    if (*s->error)
        json_set_str(json, "Error", s->error);
    return json;
}

static struct container_state state_from_json(const json_t *json)
{
    struct container_state s = {
        .status = status_from_name(json_str(json, "Status")),
        .exit_code = (int)json_int_or(json, "ExitCode", 0),
        .started_at = json_int_or(json, "StartedAt", 0),
        .finished_at = json_int_or(json, "FinishedAt", 0),
        .oom_killed = json_bool_or(json, "OOMKilled", false),
        .stop_requested = json_bool_or(json, "StopRequested", false),
        .health = container_health_from_name(json_str(json, "Health")),
        .failing_streak = (int)json_int_or(json, "FailingStreak", 0),
    };
    snprintf(s.error, sizeof(s.error), "%s", json_str_or(json, "Error", ""));
    return s;
}

json_t *container_to_json(struct container *c)
{
    _cleanup_snapshot_ struct container_snapshot s = {0};
    container_snapshot(c, &s);
    json_t *record = json_object();
    json_set_int(record, "Created", c->created);
    json_set_str(record, "Image", c->image_id);
    json_set_str(record, "ImageName", c->image_ref);
    json_object_set(record, "Config", s.config);
    json_object_set(record, "HostConfig", s.host_config);
    json_object_set(record, "NetworkConfig", s.network_config);
    json_object_set(record, "Mounts", s.mounts);
    json_object_set(record, "Endpoints", s.endpoints);
    if (c->restarting && s.state.status == CONTAINER_EXITED)
        s.state.status = CONTAINER_RESTARTING; /* should this kegd not come to start it, the next one does */
    json_object_set_new(record, "State", state_to_json(&s.state));
    json_set_int(record, "RestartCount", s.restart_count);
    if (c->removing)
        json_set_bool(record, "Removing", true);
    return record;
}

int container_failed(struct container *c, const char *ref, struct err *err)
{
    pthread_mutex_lock(&c->lock);
    bool gone = c->gone, removing = c->removing;
    pthread_mutex_unlock(&c->lock);
    if (gone)
        return err_set(err, ERR_NOT_FOUND, "No such container: %s", ref);
    if (removing)
        return err_set(err, ERR_CONFLICT, "container %s is marked for removal", c->id);
    return -1;
}

static json_t *member_or_empty(const json_t *record, const char *key, json_t *empty)
{
    json_t *member = json_object_get(record, key);
    if (!member || json_typeof(member) != json_typeof(empty))
        return empty;
    json_decref(empty);
    return json_incref(member);
}

struct container *container_from_json(struct engine *e, const char *id, const char *name,
                                      const json_t *record, struct err *err)
{
    if (strlen(id) != CONTAINER_ID_SIZE - 1 || !json_is_object(json_object_get(record, "Config"))) {
        err_set(err, ERR_INVALID, "the record of container %.64s is damaged", id);
        return NULL;
    }
    struct container *c = container_new(e, id);
    c->name = xstrdup(name);
    c->created = json_int_or(record, "Created", 0);
    c->image_id = xstrdup(json_str_or(record, "Image", ""));
    c->image_ref = xstrdup(json_str_or(record, "ImageName", ""));
    c->config = json_incref(json_object_get(record, "Config"));
    c->host_config = member_or_empty(record, "HostConfig", json_object());
    c->network_config = member_or_empty(record, "NetworkConfig", json_object());
    c->mounts = member_or_empty(record, "Mounts", json_array());
    json_decref(c->endpoints);
    c->endpoints = member_or_empty(record, "Endpoints", json_array());
    c->state = state_from_json(json_object_get(record, "State"));
    c->restart_count = (unsigned)json_int_or(record, "RestartCount", 0);
    c->removing = json_bool_or(record, "Removing", false);
    container_settle_constants(c);
    return c;
}

void container_settle_constants(struct container *c)
{
    c->tty = json_bool_or(c->config, "Tty", false);
    c->open_stdin = json_bool_or(c->config, "OpenStdin", false);
    c->stdin_once = json_bool_or(c->config, "StdinOnce", false);
    c->auto_remove = json_bool_or(c->host_config, "AutoRemove", false);
}

int container_insert(struct container *c, struct err *err)
{
    _cleanup_json_ json_t *record = container_to_json(c);
    return db_insert(c->engine->db, DB_CONTAINERS, c->id, c->name, record,
                     c->auto_remove ? DB_LAZY : DB_SYNCED, err);
}

int container_save(struct container *c, struct err *err)
{
    _cleanup_json_ json_t *record = container_to_json(c);
    return db_put(c->engine->db, DB_CONTAINERS, c->id, c->name, record, DB_LAZY, err);
}

int container_keep(struct container *c, struct err *err)
{
    _cleanup_json_ json_t *record = container_to_json(c);
    return db_put(c->engine->db, DB_CONTAINERS, c->id, c->name, record, DB_SYNCED, err);
}

/* ---- places ---- */

static char *place(const char *root, const struct container *c, const char *file)
{
    return file ? xasprintf("%s/containers/%s/%s", root, c->id, file)
                : xasprintf("%s/containers/%s", root, c->id);
}

char *container_run_path(const struct container *c, const char *file)
{
    return place(c->engine->options.exec_root, c, file);
}

char *container_data_path(const struct container *c, const char *file)
{
    return place(c->engine->options.data_root, c, file);
}

char *container_log_path(const struct container *c)
{
    return xasprintf("%s/containers/%s/%s-json.log", c->engine->options.data_root, c->id, c->id);
}

char *container_cgroup_path(struct container *c)
{
    _cleanup_json_ json_t *host_config = container_host_config(c);
    const char *parent = json_str_or(host_config, "CgroupParent", "");
    if (!*parent)
        parent = c->engine->options.cgroup_parent;
    return xasprintf("%s%s/%s", *parent == '/' ? "" : "/", parent, c->id);
}

/* ---- events ---- */

static void container_event_list(struct container *c, int64_t time, const char *action, va_list ap)
{
    _cleanup_snapshot_ struct container_snapshot s = {0};
    container_snapshot(c, &s);
    _cleanup_json_ json_t *attributes = json_object();
    json_object_update(attributes, json_object_get(s.config, "Labels"));
    const char *key;
    while ((key = va_arg(ap, const char *)))
        json_set_str(attributes, key, va_arg(ap, const char *));
    json_set_str(attributes, "image", c->image_ref);
    json_set_str(attributes, "name", s.name);
    events_add_at(c->engine->events, time, "container", action, c->id, attributes);
}

void container_event(struct container *c, const char *action, ...)
{
    va_list ap;
    va_start(ap, action);
    container_event_list(c, clock_now(), action, ap);
    va_end(ap);
}

void container_event_at(struct container *c, int64_t time, const char *action, ...)
{
    va_list ap;
    va_start(ap, action);
    container_event_list(c, time, action, ap);
    va_end(ap);
}
