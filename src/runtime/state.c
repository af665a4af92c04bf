/* What is kept about a container for other processes: state.json (OCI's members and some of our own) and
 * config.json. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/internal.h"
#include "sys/pidfd.h"

enum { STATE_MAX = 1024 * 1024, CONFIG_MAX = 16 * 1024 * 1024, SWEEP_TIMEOUT_MS = 5000 };

json_t *state_json(const struct runtime_container *c, const char *status)
{
    json_t *state = json_object();

    json_set_str(state, "ociVersion", c->spec && c->spec->oci_version ? c->spec->oci_version : "1.3.0");
    json_set_str(state, "id", c->id);
    json_set_str(state, "status", status);
    if (!str_eq(status, "stopped"))
        json_set_int(state, "pid", c->pid);
    json_set_str(state, "bundle", c->bundle ? c->bundle : "");
    if (c->spec && c->spec->annotations)
        json_object_set(state, "annotations", (json_t *)c->spec->annotations);
    return state;
}

static int write_json(const struct runtime_container *c, const char *name, const json_t *json,
                      struct err *err)
{
    _cleanup_free_ char *path = path_join(c->state_dir, name);
    _cleanup_(buf_finish) struct buf text = BUF_INIT(CONFIG_MAX);
    int result = json_append(&text, json);

    if (result == 0)
        result = file_replace(AT_FDCWD, path, text.data, text.len, 0600, /* sync= */ false);
    return result < 0 ? err_errno(err, result, "write %s", path) : 0;
}

int state_save(const struct runtime_container *c, struct err *err)
{
    _cleanup_json_ json_t *state = NULL;

    if (!c->state_dir)
        return 0;
    state = state_json(c, "created");
    json_set_int(state, "startTime", (json_int_t)c->start_time);
    if (c->cgroup)
        json_object_set_new(state, "cgroup", cgroup_save(c->cgroup));
    if (write_json(c, CONFIG_FILE, c->spec->json, err) < 0)
        return -1;
    return write_json(c, STATE_FILE, state, err);
}

/* One write to a new file: whoever finds a part of it finds that nothing was made yet. */
int state_plan(const struct runtime_container *c, struct err *err)
{
    _cleanup_free_ char *path = c->state_dir ? path_join(c->state_dir, STATE_FILE) : NULL;
    _cleanup_json_ json_t *state = NULL, *cgroup = NULL;
    _cleanup_free_ char *text = NULL;
    _cleanup_close_ int fd = -EBADF;
    int result;

    if (!path || !c->cgroup)
        return 0;
    cgroup = cgroup_save(c->cgroup);
    state = json_pack("{s:s, s:s, s:O}", "id", c->id, "status", "creating", "cgroup", cgroup);
    text = json_text(state);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    result = fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));
    return result < 0 ? err_errno(err, result, "write %s", path) : 0;
}

int state_save_config(const struct runtime_container *c, struct err *err)
{
    return c->state_dir ? write_json(c, CONFIG_FILE, c->spec->json, err) : 0;
}

int state_remove(const struct runtime_container *c, struct err *err)
{
    static const char *const files[] = {START_SOCKET, CONFIG_FILE, STATE_FILE};

    for (size_t i = 0; c->state_dir && i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *path = path_join(c->state_dir, files[i]);

        if (unlink(path) < 0 && errno != ENOENT)
            return err_errno(err, errno, "remove %s", path);
    }
    return 0;
}

/* 1, 0, or -errno when it can't be told. */
static int is_alive(const struct runtime_container *c)
{
    uint64_t ticks;
    char state;
    int result = c->pid > 0 ? process_start_time(c->pid, &ticks, &state) : -ESRCH;

    if (result == -ENOENT || result == -ESRCH)
        return 0;
    if (result < 0)
        return result;
    return ticks == c->start_time && state != 'Z' && state != 'X';
}

const char *state_status(struct runtime_container *c)
{
    _cleanup_free_ char *path = c->state_dir ? path_join(c->state_dir, START_SOCKET) : NULL;

    if (is_alive(c) == 0)
        return "stopped";
    if (c->sync >= 0 || (!c->is_child && path && access(path, F_OK) == 0))
        return "created";
    return c->cgroup && cgroup_is_frozen(c->cgroup) ? "paused" : "running";
}

static int load(struct runtime_container *c, struct err *err)
{
    _cleanup_free_ char *state_path = path_join(c->state_dir, STATE_FILE),
                        *config_path = path_join(c->state_dir, CONFIG_FILE);
    _cleanup_json_ json_t *state = json_load(AT_FDCWD, state_path, STATE_MAX, err), *config = NULL;
    const json_t *cgroup = json_object_get(state, "cgroup");
    struct err opening = {0};

    if (!state)
        return -1;
    if (!json_object_get(state, "pid") || access(config_path, F_OK) < 0)
        return err_set(err, ERR_NOT_FOUND, "container does not exist (it is half made, or half removed)");
    config = json_load(AT_FDCWD, config_path, CONFIG_MAX, err);
    if (!config)
        return -1;
    c->spec = spec_parse(config, err);
    if (!c->spec)
        return -1;
    c->id = xstrdup(json_str_or(state, "id", ""));
    if (*json_str_or(state, "bundle", ""))
        c->bundle = xstrdup(json_str(state, "bundle"));
    c->pid = (pid_t)json_int_or(state, "pid", 0);
    c->start_time = (uint64_t)json_int_or(state, "startTime", 0);
    c->cgroup = cgroup ? cgroup_open(cgroup, &opening) : NULL;
    if (!cgroup || c->cgroup || opening.kind == ERR_NOT_FOUND) /* gone with the last process: fine */
        return 0;
    return err_pass(err, &opening);
}

struct runtime_container *runtime_open(const char *state_dir, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = container_new(NULL);
    _cleanup_free_ char *path = NULL;
    struct stat st;
    int alive;

    c->state_dir = xstrdup(state_dir);
    path = path_join(state_dir, STATE_FILE);
    if (stat(path, &st) < 0) {
        if (errno == ENOENT)
            err_set(err, ERR_NOT_FOUND, "container does not exist");
        else
            err_errno(err, errno, "open %s", path);
        return NULL;
    }
    if (st.st_size == 0) { /* state_plan() was about to write it */
        err_set(err, ERR_NOT_FOUND, "container does not exist (it is half made)");
        return NULL;
    }
    if (load(c, err) < 0)
        return NULL;
    c->pidfd = c->pid > 0 ? pidfd_from_pid(c->pid) : -ESRCH;
    alive = c->pidfd < 0 && c->pidfd != -ESRCH ? c->pidfd : is_alive(c);
    if (alive < 0) {
        err_errno(err, alive, "look at process %d, the container's init", c->pid);
        return NULL;
    }
    if (!alive) /* asked with the descriptor in hand: the pid may be somebody else's by now */
        close_fd(&c->pidfd);
    return take_ptr(&c);
}

int runtime_sweep(const char *state_dir, struct err *err)
{
    _cleanup_free_ char *path = path_join(state_dir, STATE_FILE);
    _cleanup_json_ json_t *state = NULL;
    struct err opening = {0};
    int result;

    state = json_load(AT_FDCWD, path, STATE_MAX, &opening);
    if (!state && opening.kind == ERR_SYSTEM && opening.errnum != ENOENT && opening.errnum != ENOTDIR)
        return err_pass(err, &opening);
    if (json_object_get(state, "cgroup")) {
        _cleanup_(cgroup_free_p) struct cgroup *cgroup = NULL;

        opening = (struct err){0};
        cgroup = cgroup_open(json_object_get(state, "cgroup"), &opening);
        if (!cgroup && opening.kind != ERR_NOT_FOUND)
            return err_pass(err, &opening);
        if (cgroup && cgroup_remove(cgroup, SWEEP_TIMEOUT_MS, err) < 0)
            return -1;
    }
    result = path_remove_all(AT_FDCWD, state_dir);
    return result < 0 ? err_errno(err, result, "remove %s", state_dir) : 0;
}
