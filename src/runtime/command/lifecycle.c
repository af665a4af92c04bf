/* create, start, run, kill, delete, pause, resume, update. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/command/command.h"
#include "sys/cgroup.h"

enum { CONFIG_MAX = 16 * 1024 * 1024 };

int command_write_pid(const struct request *request, pid_t pid, struct err *err)
{
    char text[16];
    int result;

    if (!request->pid_file)
        return 0;
    snprintf(text, sizeof(text), "%d", pid);
    result = file_replace(AT_FDCWD, request->pid_file, text, strlen(text), 0644, /* sync= */ false);
    return result < 0 ? err_errno(err, result, "write %s", request->pid_file) : 0;
}

static char *bundle_of(const struct request *request, struct err *err)
{
    char *bundle = realpath(request->bundle ? request->bundle : ".", NULL);

    if (!bundle)
        err_errno(err, errno, "open the bundle %s", request->bundle ? request->bundle : ".");
    return bundle;
}

static json_t *load_config(const char *bundle, struct err *err)
{
    _cleanup_free_ char *path = path_join(bundle, "config.json");

    return json_load(AT_FDCWD, path, CONFIG_MAX, err);
}

/* --preserve-fds and socket activation's LISTEN_FDS. */
static int preserved(const struct request *request, unsigned *ret, struct err *err)
{
    const char *listen_fds = getenv("LISTEN_FDS");
    uint32_t n = 0, listening = 0;

    if (request->preserve_fds && str_to_u32(request->preserve_fds, &n) < 0)
        return err_set(err, ERR_INVALID, "--preserve-fds: \"%s\" is no number", request->preserve_fds);
    if (listen_fds && str_to_u32(listen_fds, &listening) < 0)
        listening = 0;
    if (n > 1024 || listening > 1024)
        return err_set(err, ERR_INVALID, "too many descriptors to preserve");
    *ret = n + listening;
    return 0;
}

static int make_state_dir(const struct request *request, const char *directory, struct err *err)
{
    int result = path_mkdir_all(request->root, 0700);

    if (result == -EACCES && geteuid() != 0 && request->default_root)
        return err_errno(err, result, "make %s: set XDG_RUNTIME_DIR or give --root", request->root);
    if (result < 0)
        return err_errno(err, result, "make %s", request->root);
    if (request->default_root && geteuid() != 0)
        (void)chmod(request->root, 0700 | S_ISVTX); /* sticky: not to be tidied up (XDG base directories) */
    if (mkdir(directory, 0700) == 0)
        return 0;
    if (errno == EEXIST)
        return err_set(err, ERR_CONFLICT, "container with given ID already exists: %s", request->id);
    return err_errno(err, errno, "make %s", directory);
}

/* create and the first half of run. */
static struct runtime_container *create(const struct request *request, bool detached, struct err *err)
{
    _cleanup_free_ char *directory = command_state_dir(request, err), *bundle = NULL;
    _cleanup_json_ json_t *config = NULL;
    struct runtime_create_options options = {
        .id = request->id,
        .state_dir = directory,
        .stdio = {-EBADF, -EBADF, -EBADF},
        .no_pivot = request->no_pivot,
        .no_new_keyring = request->no_new_keyring,
        .rootless = command_is_rootless(request),
        .detached = detached,
    };
    _cleanup_(runtime_container_free_p) struct runtime_container *c = NULL;
    bool terminal;

    if (!directory || preserved(request, &options.preserve_fds, err) < 0)
        return NULL;
    bundle = bundle_of(request, err);
    config = bundle ? load_config(bundle, err) : NULL;
    if (!config)
        return NULL;
    terminal = json_is_true(json_at(config, "process.terminal"));
    if (command_check_console(request, terminal, detached || request->detach, err) < 0 ||
        make_state_dir(request, directory, err) < 0)
        return NULL;
    options.bundle = bundle;
    c = runtime_create(config, &options, err);
    if (c && ((request->console_socket && command_send_console(request, runtime_take_console(c), err) < 0) ||
              command_write_pid(request, runtime_pid(c), err) < 0)) {
        runtime_destroy(c, /* force= */ true, NULL);
        c = runtime_container_free(c);
    }
    if (!c)
        rmdir(directory);
    return take_ptr(&c);
}

/* Removes the container with all that is ours. */
static int destroy(const struct request *request, struct runtime_container *c, bool force, struct err *err)
{
    _cleanup_free_ char *directory = command_state_dir(request, err);
    int result = runtime_destroy(c, force, err);

    if (result == 0 && directory)
        rmdir(directory);
    return result;
}

int command_create(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c =
        create(request, /* detached= */ true, err);

    return c ? 0 : -1;
}

int command_start(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);

    return c ? runtime_start(c, err) : -1;
}

int command_run_container(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = NULL;
    int status, console;
    sigset_t all;

    c = create(request, /* detached= */ false, err);
    if (!c)
        return -1;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL); /* from here on they are the container's: see command_attend() */
    if (runtime_start(c, err) < 0) {
        destroy(request, c, /* force= */ true, NULL);
        return -1;
    }
    if (request->detach)
        return 0;
    console = runtime_take_console(c);
    status = command_attend(runtime_pidfd(c), console);
    close_fd(&console);
    if (!request->keep && destroy(request, c, /* force= */ true, err) < 0)
        return -1;
    return status;
}

static int signal_from_text(const char *text)
{
    uint32_t n;

    if (str_to_u32(text, &n) == 0)
        return n < NSIG ? (int)n : -EINVAL;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int i = 1; i < NSIG; i++)
        if (sigabbrev_np(i) && strcasecmp(sigabbrev_np(i), text) == 0)
            return i;
    return -EINVAL;
}

int command_kill(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);
    int signal = request->args[0] ? signal_from_text(request->args[0]) : SIGTERM;

    if (!c)
        return -1;
    if (signal < 0)
        return err_set(err, ERR_INVALID, "unknown signal \"%s\"", request->args[0]);
    return runtime_kill(c, signal, request->all, err);
}

int command_delete(struct request *request, struct err *err)
{
    _cleanup_free_ char *directory = command_state_dir(request, err);
    _cleanup_(runtime_container_free_p) struct runtime_container *c = NULL;
    struct err opening = {0};

    if (!directory)
        return -1;
    c = runtime_open(directory, &opening);
    if (c)
        return destroy(request, c, request->force, err);
    if (request->force && opening.kind == ERR_NOT_FOUND) {
        (void)path_remove_all(AT_FDCWD, directory); /* what a create that was killed has left */
        return 0;
    }
    if (err)
        *err = opening;
    return -1;
}

static int freeze(struct request *request, bool on, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);

    if (!c)
        return -1;
    if (!runtime_cgroup(c) || runtime_pidfd(c) < 0)
        return err_set(err, ERR_CONFLICT, "container not running");
    return cgroup_freeze(runtime_cgroup(c), on, err);
}

int command_pause(struct request *request, struct err *err)
{
    return freeze(request, true, err);
}

int command_resume(struct request *request, struct err *err)
{
    return freeze(request, false, err);
}

int command_update(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = NULL;
    _cleanup_(buf_finish) struct buf text = BUF_INIT(CONFIG_MAX);
    _cleanup_json_ json_t *resources = NULL;

    if (!request->resources)
        return err_set(err, ERR_INVALID, "update needs --resources");
    if (str_eq(request->resources, "-")) {
        int result = fd_read_all(STDIN_FILENO, &text);

        if (result < 0)
            return err_errno(err, result, "read standard input");
        resources = json_parse(buf_str(&text), text.len, "resources", err);
    } else {
        resources = json_load(AT_FDCWD, request->resources, CONFIG_MAX, err);
    }
    c = resources ? command_open(request, err) : NULL;
    if (!c)
        return -1;
    if (!runtime_cgroup(c))
        return err_set(err, ERR_CONFLICT, "container has no cgroup");
    return cgroup_apply(runtime_cgroup(c), resources, err);
}
