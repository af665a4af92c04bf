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

enum { STATE_MAX = 1024 * 1024, CONFIG_MAX = 16 * 1024 * 1024 };

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

int state_save_config(const struct runtime_container *c, struct err *err)
{
    return c->state_dir ? write_json(c, CONFIG_FILE, c->spec->json, err) : 0;
}

void state_remove(const struct runtime_container *c)
{
    static const char *const files[] = {STATE_FILE, CONFIG_FILE, START_SOCKET};

    for (size_t i = 0; c->state_dir && i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *path = path_join(c->state_dir, files[i]);

        unlink(path);
    }
}

static bool is_alive(const struct runtime_container *c)
{
    uint64_t ticks;
    char state;

    return c->pid > 0 && process_start_time(c->pid, &ticks, &state) == 0 && ticks == c->start_time &&
           state != 'Z' && state != 'X';
}

const char *state_status(struct runtime_container *c)
{
    _cleanup_free_ char *path = c->state_dir ? path_join(c->state_dir, START_SOCKET) : NULL;

    if (!is_alive(c))
        return "stopped";
    if (c->sync >= 0 || (!c->is_child && path && access(path, F_OK) == 0))
        return "created";
    return c->cgroup && cgroup_is_frozen(c->cgroup) ? "paused" : "running";
}

static int load(struct runtime_container *c, struct err *err)
{
    _cleanup_free_ char *state_path = path_join(c->state_dir, STATE_FILE),
                        *config_path = path_join(c->state_dir, CONFIG_FILE);
    _cleanup_json_ json_t *state = json_load(AT_FDCWD, state_path, STATE_MAX, err);
    _cleanup_json_ json_t *config = state ? json_load(AT_FDCWD, config_path, CONFIG_MAX, err) : NULL;
    const json_t *cgroup = json_object_get(state, "cgroup");

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
    if (cgroup)
        c->cgroup = cgroup_open(cgroup, NULL); /* gone with its last process's container: fine */
    return 0;
}

struct runtime_container *runtime_open(const char *state_dir, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = container_new(NULL);
    _cleanup_free_ char *path = NULL;
    struct stat st;

    c->state_dir = xstrdup(state_dir);
    path = path_join(state_dir, STATE_FILE);
    if (stat(path, &st) < 0) {
        if (errno == ENOENT)
            err_set(err, ERR_NOT_FOUND, "container does not exist");
        else
            err_errno(err, errno, "open %s", path);
        return NULL;
    }
    if (load(c, err) < 0)
        return NULL;
    c->pidfd = pidfd_from_pid(c->pid);
    if (!is_alive(c)) /* checked with the descriptor in hand: the pid may be somebody else's by now */
        close_fd(&c->pidfd);
    return take_ptr(&c);
}
