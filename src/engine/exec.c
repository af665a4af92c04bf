/* Execs: a list under one lock, which is never held while a monitor is asked. */
#include "engine/exec_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/attach.h"
#include "engine/links.h"
#include "engine/monitors.h"
#include "engine/oci.h"
#include "storage/storage.h"

enum { KEPT_S = 300, KEPT_MAX = 512 };

struct execs *execs_new(void)
{
    struct execs *x = xcalloc(1, sizeof(*x));
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->ended, NULL);
    return x;
}

static void exec_free(struct exec *ex)
{
    json_decref(ex->config);
    free(ex);
}

struct execs *execs_free(struct execs *x)
{
    if (!x)
        return NULL;
    for (struct exec *ex = x->first, *next; ex; ex = next) {
        next = ex->next;
        exec_free(ex);
    }
    pthread_cond_destroy(&x->ended);
    pthread_mutex_destroy(&x->lock);
    free(x);
    return NULL;
}

/* ---- with the lock held ---- */

struct exec *execs_find(struct execs *x, const char *id)
{
    struct exec *found = NULL;
    size_t len = strlen(id);
    for (struct exec *ex = x->first; ex && len; ex = ex->next)
        if (strncmp(ex->id, id, len) == 0) {
            if (found)
                return NULL;
            found = ex;
        }
    return found;
}

/* All of a container's; or, with container NULL, what ended before that time and has left nothing, and what doesn't run (perhaps
 * was never started) and isn't among the last KEPT_MAX of those. */
static void drop_execs(struct execs *x, const char *container, int64_t ended_before)
{
    size_t idle = 0;
    for (struct exec **p = &x->first; *p;) {
        struct exec *ex = *p;
        bool old = ((ex->ended_at || !ex->started) && ++idle > KEPT_MAX) ||
                   (ex->ended_at && !ex->left && ex->ended_at < ended_before);
        bool drop = container ? str_eq(ex->container, container) : old;
        if (!drop) {
            p = &ex->next;
            continue;
        }
        *p = ex->next;
        exec_free(ex);
    }
}

void execs_end(struct execs *x, struct exec *ex, int exit_code, bool left)
{
    if (ex->ended_at)
        return;
    ex->running = false;
    ex->exit_code = exit_code;
    ex->left = left;
    ex->ended_at = clock_now();
    pthread_cond_broadcast(&x->ended);
}

static struct exec *add_exec(struct execs *x, const char *id, const struct container *c, json_t *config)
{
    struct exec *ex = xcalloc(1, sizeof(*ex));
    snprintf(ex->id, sizeof(ex->id), "%s", id);
    snprintf(ex->container, sizeof(ex->container), "%s", c->id);
    ex->config = config;
    ex->next = x->first;
    x->first = ex;
    return ex;
}

/* ---- what happens to them ---- */

void exec_ended(struct container *c, const char *exec_id, int exit_code, bool left, int64_t time)
{
    struct execs *x = c->engine->execs;
    char code[16];
    pthread_mutex_lock(&x->lock);
    struct exec *ex = execs_find(x, exec_id);
    if (ex)
        execs_end(x, ex, exit_code, left);
    pthread_mutex_unlock(&x->lock);
    snprintf(code, sizeof(code), "%d", exit_code);
    container_event_at(c, time, "exec_die", "execID", exec_id, "exitCode", code, NULL);
}

void execs_restore(struct container *c, const json_t *known)
{
    struct execs *x = c->engine->execs;
    const char *id;
    json_t *state;
    json_object_foreach ((json_t *)known, id, state) {
        pthread_mutex_lock(&x->lock);
        struct exec *ex = execs_find(x, id);
        if (!ex)
            ex = add_exec(x, id, c, json_object());
        ex->started = true;
        ex->pid = (int)json_int_or(state, "pid", 0);
        ex->running = json_bool_or(state, "running", false);
        if (!ex->running)
            execs_end(x, ex, (int)json_int_or(state, "exit_code", EXEC_GONE_CODE),
                      json_bool_or(state, "left", false));
        pthread_mutex_unlock(&x->lock);
    }
}

void execs_container_ended(struct container *c)
{
    struct execs *x = c->engine->execs;
    pthread_mutex_lock(&x->lock);
    for (struct exec *ex = x->first; ex; ex = ex->next) {
        if (!str_eq(ex->container, c->id))
            continue;
        ex->left = false;
        if (ex->running)
            execs_end(x, ex, EXEC_GONE_CODE, /* left= */ false);
    }
    pthread_mutex_unlock(&x->lock);
}

void execs_forget(struct container *c)
{
    pthread_mutex_lock(&c->engine->execs->lock);
    drop_execs(c->engine->execs, c->id, 0);
    pthread_mutex_unlock(&c->engine->execs->lock);
}

json_t *execs_ids(struct container *c)
{
    struct execs *x = c->engine->execs;
    json_t *ids = json_array();
    pthread_mutex_lock(&x->lock);
    for (struct exec *ex = x->first; ex; ex = ex->next)
        if (str_eq(ex->container, c->id) && (!ex->ended_at || ex->left))
            json_array_append_new(ids, json_string(ex->id));
    pthread_mutex_unlock(&x->lock);
    if (json_array_size(ids) > 0)
        return ids;
    json_decref(ids);
    return json_null();
}

/* ---- create ---- */

bool exec_end_is_known(const char *ends_with)
{
    static const char *const ends[] = {"", "none", "process", "client"};
    size_t i = 0;
    while (i < ARRAY_SIZE(ends) && !str_eq(ends[i], ends_with))
        i++;
    return i < ARRAY_SIZE(ends);
}

static int check_config(const json_t *body, struct err *err)
{
    static const char *const booleans[] = {"Tty", "AttachStdin", "AttachStdout", "AttachStderr",
                                           "Privileged"};
    const json_t *cmd = json_object_get(body, "Cmd"), *env = json_object_get(body, "Env"), *row;
    size_t i;
    if (!json_is_object(body))
        return err_set(err, ERR_INVALID, "invalid JSON: the exec's definition must be an object");
    if (!json_is_array(cmd) || json_array_size(cmd) == 0)
        return err_set(err, ERR_INVALID, "No exec command specified");
    json_array_foreach (cmd, i, row) {
        if (!json_is_string(row))
            return err_set(err, ERR_INVALID, "invalid JSON: Cmd must be a list of strings");
    }
    if (env && !json_is_null(env) && !json_is_array(env))
        return err_set(err, ERR_INVALID, "invalid JSON: Env must be a list of strings");
    json_array_foreach (env, i, row) {
        if (!json_is_string(row))
            return err_set(err, ERR_INVALID, "invalid JSON: Env must be a list of strings");
    }
    const char *ends_with = json_str_or(body, "EndsWith", "");
    if (!exec_end_is_known(ends_with))
        return err_set(err, ERR_INVALID, "EndsWith \"%.64s\": must be none, process or client", ends_with);
    for (i = 0; i < ARRAY_SIZE(booleans); i++) {
        const json_t *v = json_object_get(body, booleans[i]);
        if (v && !json_is_boolean(v) && !json_is_null(v))
            return err_set(err, ERR_INVALID, "invalid JSON: %s must be true or false", booleans[i]);
    }
    return 0;
}

static int check_running(struct container *c, struct err *err)
{
    pthread_mutex_lock(&c->lock);
    enum container_status status = c->state.status;
    pthread_mutex_unlock(&c->lock);
    if (status == CONTAINER_PAUSED)
        return err_set(err, ERR_CONFLICT, "Container %s is paused, unpause the container before exec",
                       c->name);
    if (status == CONTAINER_RESTARTING)
        return container_is_restarting(c, err);
    if (status != CONTAINER_RUNNING)
        return err_set(err, ERR_CONFLICT, "container %s is not running", c->id);
    return 0;
}

char *exec_command_text(const json_t *object, const char *key)
{
    _cleanup_strv_ char **words = json_strv(object, key);
    if (!words || !words[0])
        return xstrdup("");
    _cleanup_free_ char *args = strv_join(words + 1, " ");
    return xasprintf("%s %s", words[0], args);
}

static void exec_event(struct container *c, const char *action, const char *id, const json_t *config)
{
    _cleanup_free_ char *command = exec_command_text(config, "Cmd"),
                        *full = xasprintf("%s: %s", action, command);
    container_event(c, full, "execID", id, NULL);
}

static json_t *compose_process(struct container *c, const json_t *exec_config, struct err *err)
{
    struct storage_rootfs rootfs = {0};
    _cleanup_snapshot_ struct container_snapshot s = {0};
    if (storage_container_rootfs(c->engine->storage, c->id, &rootfs, err) < 0)
        return NULL;
    container_snapshot(c, &s);
    _cleanup_(links_free_p) struct links *links = NULL;
    links_resolve(c, &links, NULL); /* what has ended since leaves no variables */
    _cleanup_json_ json_t *link_environment = links_environment(links, s.name);
    struct oci_input input = {
        .link_environment = link_environment,
        .options = &c->engine->options,
        .config = s.config,
        .host_config = s.host_config,
        .rootfs = &rootfs,
        .hostname = json_str_or(s.config, "Hostname", ""),
    };
    json_t *process = oci_compose_exec(&input, exec_config, err);
    storage_rootfs_finish(&rootfs);
    return process;
}

/* A user who isn't there is told now: the start has no status to tell it with. */
static int check_user(struct container *c, const json_t *config, struct err *err)
{
    if (!*json_str_or(config, "User", ""))
        return 0;
    _cleanup_json_ json_t *process = compose_process(c, config, err);
    return process ? 0 : -1;
}

int engine_exec_create(struct engine *e, const char *ref, const json_t *body, json_t **ret, struct err *err)
{
    char id[2 * EXEC_ID_BYTES + 1];
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c || check_config(body, err) < 0 || check_running(c, err) < 0 || check_user(c, body, err) < 0)
        return -1;
    random_hex(id, EXEC_ID_BYTES);
    pthread_mutex_lock(&e->execs->lock);
    drop_execs(e->execs, NULL, clock_now() - KEPT_S * CLOCK_NS_PER_S);
    struct exec *ex = add_exec(e->execs, id, c, json_deep_copy(body));
    snprintf(ex->detach_keys, sizeof(ex->detach_keys), "%s", json_str_or(body, "DetachKeys", ""));
    pthread_mutex_unlock(&e->execs->lock);
    exec_event(c, "exec_create", id, body);
    *ret = json_object();
    json_set_str(*ret, "Id", id);
    return 0;
}

/* ---- start ---- */

int execs_get(struct engine *e, const char *id, struct exec *ret, struct err *err)
{
    pthread_mutex_lock(&e->execs->lock);
    const struct exec *ex = execs_find(e->execs, id);
    if (ex) {
        *ret = *ex;
        json_incref(ret->config);
    }
    pthread_mutex_unlock(&e->execs->lock);
    return ex ? 0 : err_set(err, ERR_NOT_FOUND, "No such exec instance: %s", id);
}

/* Marks it started; ERR_CONFLICT when it was. */
static int claim_exec(struct engine *e, const char *id, struct err *err)
{
    pthread_mutex_lock(&e->execs->lock);
    struct exec *ex = execs_find(e->execs, id);
    bool taken = ex && ex->started;
    if (ex && !taken) {
        ex->started = true;
        ex->running = true;
    }
    pthread_mutex_unlock(&e->execs->lock);
    if (taken)
        return err_set(err, ERR_CONFLICT, "exec %s has already been started", id);
    return ex ? 0 : err_set(err, ERR_NOT_FOUND, "No such exec instance: %s", id);
}

static void note_exec(struct engine *e, const char *id, int pid, int failed_code)
{
    pthread_mutex_lock(&e->execs->lock);
    struct exec *ex = execs_find(e->execs, id);
    if (ex && failed_code)
        execs_end(e->execs, ex, failed_code, /* left= */ false);
    else if (ex)
        ex->pid = pid;
    pthread_mutex_unlock(&e->execs->lock);
}

/* Said with the exec, or for all of the container's by its label. */
static const char *ends_with(const struct container *c, const struct exec *ex)
{
    const char *own = json_str_or(ex->config, "EndsWith", "");
    return *own ? own : json_str_or(json_object_get(c->config, "Labels"), EXEC_END_LABEL, "");
}

static json_t *start_request(const struct container *c, const struct exec *ex,
                             const struct engine_exec_start_options *o, const struct engine_stream *stream)
{
    bool tty = json_bool_or(ex->config, "Tty", false);
    bool stdin_too = stream && json_bool_or(ex->config, "AttachStdin", false);
    json_t *request = json_object();
    json_set_str(request, "op", "exec");
    json_set_str(request, "exec_id", ex->id);
    json_set_bool(request, "tty", tty);
    json_set_str(request, "ends_with", ends_with(c, ex));
    json_set_bool(request, "open_stdin", stdin_too);
    json_set_bool(request, "privileged", json_bool_or(ex->config, "Privileged", false));
    if (tty && o->height && o->width)
        json_object_set_new(request, "console_size", json_pack("[ii]", (int)o->height, (int)o->width));
    if (!stream)
        return request;
    const struct engine_attach_options attach = {
        .stream = true,
        .stdin_too = stdin_too,
        .stdout_too = json_bool_or(ex->config, "AttachStdout", false),
        .stderr_too = json_bool_or(ex->config, "AttachStderr", false),
        .detach_keys = *ex->detach_keys ? ex->detach_keys : NULL,
    };
    json_object_set_new(request, "attach", attach_request(&attach, /* framed= */ !o->tty, stream));
    return request;
}

int engine_exec_start_check(struct engine *e, const char *exec_id, const struct engine_exec_start_options *o,
                            struct err *err)
{
    struct exec ex;
    if (execs_get(e, exec_id, &ex, err) < 0)
        return -1;
    _cleanup_json_ json_t *config = ex.config;
    _cleanup_container_ struct container *c = containers_find(e, ex.container, err);
    if (!c || check_running(c, err) < 0)
        return -1;
    if (ex.ended_at)
        return err_set(err, ERR_CONFLICT, "exec command %s has already run", exec_id);
    if (ex.started)
        return err_set(err, ERR_CONFLICT, "exec %s has already been started", exec_id);
    return o->tty;
}

static int run_exec(struct container *c, const struct exec *ex, const struct engine_exec_start_options *o,
                    const struct engine_stream *stream, struct err *err)
{
    _cleanup_json_ json_t *process = compose_process(c, ex->config, err), *ok = NULL;
    if (process && o->height && o->width) /* before the program looks, however long its start takes */
        json_object_set_new(process, "consoleSize",
                            json_pack("{s:i, s:i}", "height", (int)o->height, "width", (int)o->width));
    _cleanup_json_ json_t *request = process ? start_request(c, ex, o, stream) : NULL;
    _cleanup_close_ int memfd = process ? monitor_memfd(process, err) : -EBADF;
    if (memfd < 0)
        return -1;
    exec_event(c, "exec_start", ex->id, ex->config);
    const int fds[2] = {memfd, stream ? stream->fd : -EBADF};
    if (monitor_request(c, request, fds, stream ? 2 : 1, &ok, err) < 0)
        return -1;
    note_exec(c->engine, ex->id, (int)json_int_or(ok, "pid", 0), 0);
    return 0;
}

static int exit_code_of(const struct err *err)
{
    return err->kind == ERR_NO_PROGRAM ? 127 : 126;
}

/* The client reads the stream, not the reply: the error goes there, framed like output, as Docker does. */
static void tell_stream(bool tty, const struct engine_stream *stream, const char *message)
{
    char text[1200];
    int n = snprintf(text, sizeof(text), "%s\r\n", message);
    unsigned char head[8] = {1, 0, 0, 0, 0, 0, (unsigned char)(n >> 8), (unsigned char)n};
    if (!tty)
        fd_write_full(stream->fd, head, sizeof(head));
    fd_write_full(stream->fd, text, (size_t)n);
}

int engine_exec_start(struct engine *e, const char *exec_id, const struct engine_exec_start_options *o,
                      const struct engine_stream *stream, struct err *err)
{
    struct exec ex;
    struct err why = {0};
    if (execs_get(e, exec_id, &ex, err) < 0)
        return -1;
    _cleanup_json_ json_t *config = ex.config;
    _cleanup_container_ struct container *c = containers_find(e, ex.container, err);
    if (!c || claim_exec(e, ex.id, err) < 0)
        return -1;
    if (run_exec(c, &ex, o, stream, &why) == 0)
        return 0;
    err_wrap(&why, "OCI runtime exec failed");
    note_exec(e, ex.id, 0, exit_code_of(&why));
    if (stream)
        tell_stream(o->tty, stream, why.message);
    return err_pass(err, &why);
}

/* ---- the rest ---- */

static json_t *resize_request(const char *exec_id, unsigned height, unsigned width)
{
    json_t *request = json_object();
    json_set_str(request, "op", "resize");
    if (exec_id)
        json_set_str(request, "exec_id", exec_id);
    json_set_int(request, "height", height);
    json_set_int(request, "width", width);
    return request;
}

int engine_exec_resize(struct engine *e, const char *exec_id, unsigned height, unsigned width,
                       struct err *err)
{
    struct exec ex;
    if (execs_get(e, exec_id, &ex, err) < 0)
        return -1;
    json_decref(ex.config);
    _cleanup_container_ struct container *c = containers_find(e, ex.container, err);
    _cleanup_json_ json_t *request = resize_request(ex.id, height, width);
    return c ? monitor_request(c, request, NULL, 0, NULL, err) : -1;
}

int engine_container_resize(struct engine *e, const char *ref, unsigned height, unsigned width,
                            struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    _cleanup_json_ json_t *request = resize_request(NULL, height, width);
    if (!c || check_running(c, err) < 0)
        return -1;
    return c->tty ? monitor_request(c, request, NULL, 0, NULL, err) : 0;
}
