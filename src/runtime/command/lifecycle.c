/* create, start, run, delete. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/command/command.h"
#include "runtime/command/notify.h"

enum { CONFIG_MAX = 16 * 1024 * 1024, PRESERVED_MAX = 1024 };

/* Relative paths of a configuration count from here, but for the default's name, which is the bundle's. */
static json_t *load_config(const struct request *request, const char *bundle, struct err *err)
{
    bool other = request->config && !str_eq(request->config, "config.json");
    _cleanup_free_ char *path = other ? xstrdup(request->config) : path_join(bundle, "config.json");

    return json_load_wide(AT_FDCWD, path, CONFIG_MAX, err);
}

static void add_variable(json_t *config, char *text)
{
    json_t *process = json_object_get(config, "process"), *env = json_object_get(process, "env");

    if (!env && process)
        json_object_set_new(process, "env", env = json_array());
    json_array_append_new(env, json_string(text));
    free(text);
}

/* Socket activation's LISTEN_FDS come first, then --preserve-fds. Whoever stands between the manager and this program leaves
 * LISTEN_PID as it was, so it isn't asked; the program will be its own process 1. */
static int preserve(const struct request *request, json_t *config, unsigned *ret, struct err *err)
{
    const char *text = getenv("LISTEN_FDS");
    uint32_t n = 0, listening = 0;

    if (request->preserve_fds && str_to_u32(request->preserve_fds, &n) < 0)
        return err_set(err, ERR_INVALID, "--preserve-fds: \"%s\" is no number", request->preserve_fds);
    if (text && str_to_u32(text, &listening) < 0)
        listening = 0;
    if (n > PRESERVED_MAX || listening > PRESERVED_MAX)
        return err_set(err, ERR_INVALID, "too many descriptors to preserve");
    if (listening) {
        add_variable(config, xasprintf("LISTEN_FDS=%u", listening));
        add_variable(config, xstrdup("LISTEN_PID=1"));
    }
    *ret = n + listening;
    return 0;
}

static int cannot_make(const struct request *request, const char *path, int result, struct err *err)
{
    bool foreign = result == -EACCES && geteuid() != 0 && request->default_root;

    return err_errno(err, result, "make %s%s", path, foreign ? ": set XDG_RUNTIME_DIR or give --root" : "");
}

int command_make_state_dir(const struct request *request, const char *directory, struct err *err)
{
    int result = path_mkdir_all(request->root, 0700);

    if (result < 0)
        return cannot_make(request, request->root, result, err);
    if (request->default_root && geteuid() != 0)
        (void)chmod(request->root, 0700 | S_ISVTX); /* sticky: not to be tidied up (XDG base directories) */
    if (mkdir(directory, 0700) == 0)
        return 0;
    if (errno == EEXIST)
        return err_set(err, ERR_CONFLICT, "container with given ID already exists: %s", request->id);
    return cannot_make(request, directory, -errno, err);
}

static int remove_state_dir(const char *directory, struct err *err)
{
    int result = rmdir(directory) < 0 ? -errno : 0;

    if (result == -ENOTEMPTY) /* the socket of notify.h */
        result = path_remove_all(AT_FDCWD, directory);
    if (result == -ENOENT) /* another delete was faster */
        result = 0;
    return result < 0 ? err_errno(err, result, "remove %s", directory) : 0;
}

void command_discard_state_dir(const char *directory, struct err *err)
{
    _cleanup_free_ char *state = path_join(directory, "state.json");
    struct err left = {0};

    if (access(state, F_OK) < 0 && remove_state_dir(directory, &left) < 0)
        err_add(err, "and then it could not be cleaned up: %s", left.message);
}

int command_destroy(const struct request *request, struct runtime_container *c, bool force, struct err *err)
{
    _cleanup_free_ char *directory = command_state_dir(request, err);
    struct err hook = {0};
    int result = runtime_destroy(c, force, &hook);

    if (result < 0)
        return err_pass(err, &hook);
    if (result > 0)
        command_warn(request, hook.message);
    return directory ? remove_state_dir(directory, err) : 0;
}

/* What others are told when the container is there. */
static int hand_over(const struct request *request, const json_t *config, struct runtime_container *c,
                     struct err *err)
{
    const char *receiver = json_str(json_object_get(config, "annotations"), "run.oci.pidfd_receiver");

    if (request->console_socket && command_send_console(request, runtime_take_console(c), err) < 0)
        return -1;
    if (command_send_pidfd(request->pidfd_socket, runtime_pidfd(c), err) < 0 ||
        command_send_pidfd(receiver, runtime_pidfd(c), err) < 0)
        return -1;
    return command_write_pid(request, runtime_pid(c), err);
}

static struct runtime_container *create_in(const struct request *request, const char *directory,
                                           json_t *config, const char *bundle, bool detached, struct err *err)
{
    _cleanup_free_ char *filters = command_filter_cache();
    struct runtime_create_options options = {
        .id = request->id,
        .state_dir = directory,
        .seccomp_cache_dir = filters,
        .bundle = bundle,
        .stdio = {-EBADF, -EBADF, -EBADF},
        .no_pivot = request->no_pivot,
        .no_new_keyring = request->no_new_keyring,
        .rootless = command_is_rootless(request),
        .cgroups = request->systemd_cgroup                       ? RUNTIME_CGROUPS_SYSTEMD
                   : str_eq(request->cgroup_manager, "disabled") ? RUNTIME_CGROUPS_DISABLED
                                                                 : RUNTIME_CGROUPFS,
        .detached = detached,
    };
    _cleanup_(runtime_container_free_p) struct runtime_container *c = NULL;

    if (preserve(request, config, &options.preserve_fds, err) < 0 ||
        (notify_is_wanted() && notify_prepare(directory, config, err) < 0))
        return NULL;
    c = runtime_create(config, &options, err);
    if (c)
        command_warn_process(request, c, json_object_get(config, "process"));
    if (c && hand_over(request, config, c, err) < 0) {
        runtime_destroy(c, /* force= */ true, NULL);
        return NULL;
    }
    return take_ptr(&c);
}

/* create and the first half of run. */
static struct runtime_container *create(const struct request *request, bool detached, struct err *err)
{
    _cleanup_free_ char *directory = command_state_dir(request, err), *bundle = NULL;
    const char *given = request->bundle ? request->bundle : ".";
    _cleanup_json_ json_t *config = NULL;
    struct runtime_container *c;
    bool terminal;

    if (!directory)
        return NULL;
    bundle = realpath(given, NULL);
    if (!bundle) {
        err_errno(err, errno, "open the bundle %s", given);
        return NULL;
    }
    config = load_config(request, bundle, err);
    if (!config)
        return NULL;
    command_add_user_namespace(config);
    terminal = json_is_true(json_at(config, "process.terminal"));
    if (command_check_console(request, terminal, detached || request->detach, err) < 0 ||
        command_make_state_dir(request, directory, err) < 0)
        return NULL;
    c = create_in(request, directory, config, bundle, detached, err);
    if (!c)
        command_discard_state_dir(directory, err);
    return c;
}

int command_create(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c =
        create(request, /* detached= */ true, err);

    return c ? 0 : -1;
}

/* The program runs, or what failed afterwards has ended it and with it the container. */
static int start(const struct request *request, struct runtime_container *c, struct notify *notify,
                 struct err *err)
{
    _cleanup_free_ char *directory = command_state_dir(request, err);

    struct err unheard = {0};

    if (!directory)
        return -1;
    if (notify_open(notify, directory, &unheard) < 0) { /* the program runs, whoever wants to know */
        command_warn(request, unheard.message);
        notify_close(notify);
    }
    if (runtime_start(c, err) == 0)
        return 0;
    if (runtime_was_started(c))
        command_destroy(request, c, /* force= */ true, NULL);
    return -1;
}

int command_start(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);
    _cleanup_(notify_close) struct notify notify = NOTIFY_INIT;

    if (!c || start(request, c, &notify, err) < 0)
        return -1;
    notify_wait(&notify, runtime_pid(c), runtime_pidfd(c));
    return 0;
}

int command_run_container(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = NULL;
    _cleanup_(notify_close) struct notify notify = NOTIFY_INIT;
    _cleanup_close_ int console = -EBADF;
    sigset_t all;
    int status;

    c = create(request, /* detached= */ false, err);
    if (!c)
        return -1;
    console = runtime_take_console(c);
    command_prepare_console(console);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL); /* from here on they are the container's: see command_attend() */
    if (start(request, c, &notify, err) < 0) {
        if (!runtime_was_started(c))
            command_destroy(request, c, /* force= */ true, NULL);
        return -1;
    }
    if (request->detach) {
        notify_wait(&notify, runtime_pid(c), runtime_pidfd(c));
        return 0;
    }
    status = command_attend(runtime_pidfd(c), console, &notify, err);
    close_fd(&console);
    if (!request->keep && command_destroy(request, c, /* force= */ true, status < 0 ? NULL : err) < 0)
        return -1;
    return status;
}

static int delete_one(const struct request *request, struct err *err)
{
    _cleanup_free_ char *directory = command_state_dir(request, err);
    _cleanup_(runtime_container_free_p) struct runtime_container *c = NULL;
    struct err opening = {0};

    if (!directory)
        return -1;
    c = runtime_open(directory, &opening);
    if (c)
        return command_destroy(request, c, request->force, err);
    if (request->force && opening.kind == ERR_NOT_FOUND)
        return runtime_sweep(directory, err);
    return err_pass(err, &opening);
}

/* All whose id matches; the first failure is told, the others are deleted nevertheless. */
static int delete_matching(const struct request *request, struct err *err)
{
    const struct dirent *entry;
    int result = 0;
    regex_t regex;
    DIR *dir;

    if (regcomp(&regex, request->id, REG_EXTENDED | REG_NOSUB) != 0)
        return err_set(err, ERR_INVALID, "invalid regular expression \"%s\"", request->id);
    dir = opendir(request->root);
    while (dir && (entry = readdir(dir))) {
        struct request one = *request;

        one.id = entry->d_name;
        if (entry->d_name[0] == '.' || regexec(&regex, entry->d_name, 0, NULL, 0) != 0)
            continue;
        if (delete_one(&one, result == 0 ? err : NULL) < 0)
            result = -1;
    }
    if (dir)
        closedir(dir);
    regfree(&regex);
    return result;
}

int command_delete(struct request *request, struct err *err)
{
    return request->regex ? delete_matching(request, err) : delete_one(request, err);
}
