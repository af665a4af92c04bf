/* checkpoint and restore. */
#include "runtime/checkpoint/checkpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/command/command.h"

enum { CONFIG_MAX = 16 * 1024 * 1024 };

#define DEFAULT_IMAGE_PATH "checkpoint"

/* The options that aren't as they were given. */
static int complete(const struct request *request, struct checkpoint_options *o, struct err *err)
{
    uint32_t fd;

    *o = request->checkpoint;
    if (str_empty(o->image_path))
        o->image_path = DEFAULT_IMAGE_PATH;
    if (str_empty(o->work_path))
        o->work_path = NULL;
    if (str_empty(o->parent_path))
        o->parent_path = NULL;
    if (str_empty(o->page_server))
        o->page_server = NULL;
    o->status_fd = -1;
    if (request->status_fd && !str_eq(request->status_fd, "-1")) {
        if (str_to_u32(request->status_fd, &fd) < 0 || fd > INT32_MAX)
            return err_set(err, ERR_INVALID, "--status-fd: \"%s\" is no descriptor", request->status_fd);
        o->status_fd = (int)fd;
    }
    for (char **name = request->empty_namespaces; name && *name; name++)
        if (!str_eq(*name, "network"))
            return err_set(err, ERR_INVALID, "namespace \"%s\" is not supported", *name);
    if (command_is_rootless(request))
        command_warn(request, "checkpoint and restore are for root; CRIU may refuse");
    return 0;
}

int command_checkpoint(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);
    struct checkpoint_options options;

    if (!c || complete(request, &options, err) < 0 || runtime_checkpoint(c, &options, err) < 0)
        return -1;
    return options.leave_running || options.pre_dump ? 0
                                                     : command_destroy(request, c, /* force= */ true, err);
}

static struct runtime_container *restore(const struct request *request, const char *directory,
                                         const json_t *config, const char *bundle, struct err *err)
{
    struct runtime_create_options options = {
        .id = request->id,
        .state_dir = directory,
        .bundle = bundle,
        .stdio = {-EBADF, -EBADF, -EBADF},
        .rootless = command_is_rootless(request),
        .cgroups = request->systemd_cgroup                       ? RUNTIME_CGROUPS_SYSTEMD
                   : str_eq(request->cgroup_manager, "disabled") ? RUNTIME_CGROUPS_DISABLED
                                                                 : RUNTIME_CGROUPFS,
    };
    _cleanup_(runtime_container_free_p) struct runtime_container *c = NULL;
    struct checkpoint_options checkpoint;

    if (complete(request, &checkpoint, err) < 0)
        return NULL;
    c = runtime_restore(config, &options, &checkpoint, err);
    if (!c)
        return NULL;
    if ((!request->console_socket || command_send_console(request, runtime_take_console(c), err) == 0) &&
        command_write_pid(request, runtime_pid(c), err) == 0)
        return take_ptr(&c);
    runtime_destroy(c, /* force= */ true, NULL);
    return NULL;
}

static json_t *load(const struct request *request, char **ret_bundle, struct err *err)
{
    const char *given = str_empty(request->bundle) ? "." : request->bundle;
    _cleanup_free_ char *path = NULL;

    *ret_bundle = realpath(given, NULL);
    if (!*ret_bundle) {
        err_errno(err, errno, "open the bundle %s", given);
        return NULL;
    }
    path = path_join(*ret_bundle, "config.json");
    return json_load(AT_FDCWD, path, CONFIG_MAX, err);
}

int command_restore(struct request *request, struct err *err)
{
    _cleanup_free_ char *directory = command_state_dir(request, err), *bundle = NULL;
    _cleanup_json_ json_t *config = directory ? load(request, &bundle, err) : NULL;
    _cleanup_(runtime_container_free_p) struct runtime_container *c = NULL;
    _cleanup_close_ int console = -EBADF;
    sigset_t all;
    int status;

    if (!config ||
        command_check_console(request, json_is_true(json_at(config, "process.terminal")), request->detach,
                              err) < 0 ||
        command_make_state_dir(request, directory, err) < 0)
        return -1;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    c = restore(request, directory, config, bundle, err);
    if (!c) {
        command_discard_state_dir(directory, err);
        return -1;
    }
    if (request->detach)
        return 0;
    console = runtime_take_console(c);
    status = command_attend(runtime_pidfd(c), console, NULL, err);
    return command_destroy(request, c, /* force= */ true, status < 0 ? NULL : err) < 0 ? -1 : status;
}
