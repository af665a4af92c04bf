/* exec: the OCI process from a file, or the container's own with changes. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/command/command.h"
#include "sys/cgroup.h"
#include "sys/pidfd.h"

enum { CONFIG_MAX = 16 * 1024 * 1024, PRESERVED_MAX = 1024 };

static int parse_id(const char *text, uint32_t *ret)
{
    return text[0] == '0' && text[1] ? -EINVAL : str_to_u32(text, ret);
}

/* "UID", with the container's own group, or "UID:GID", in strict decimal: anything else could be taken for root. */
static int parse_user(const char *text, json_t *user, struct err *err)
{
    _cleanup_strv_ char **parts = strv_split(text, ':');
    uint32_t uid, gid = 0;

    if (strv_len(parts) > 2 || parse_id(parts[0], &uid) < 0 || (parts[1] && parse_id(parts[1], &gid) < 0) ||
        uid == UINT32_MAX || gid == UINT32_MAX)
        return err_set(err, ERR_INVALID, "user \"%s\" is not UID or UID:GID", text);
    json_set_int(user, "uid", uid);
    if (parts[1])
        json_set_int(user, "gid", gid);
    return 0;
}

static int set_groups(char **groups, json_t *user, struct err *err)
{
    json_t *array = json_array();

    json_object_set_new(user, "additionalGids", array);
    for (char **group = groups; *group; group++) {
        uint32_t gid;

        if (str_to_u32(*group, &gid) < 0)
            return err_set(err, ERR_INVALID, "\"%s\" is no group id", *group);
        json_array_append_new(array, json_integer(gid));
    }
    return 0;
}

static void add_missing(json_t *set, const char *name)
{
    json_t *member;
    size_t i;

    json_array_foreach (set, i, member)
        if (str_eq(json_string_value(member), name))
            return;
    json_array_append_new(set, json_string(name));
}

static void add_capabilities(char **names, json_t *process)
{
    static const char *const sets[] = {"bounding", "effective", "permitted", "ambient"};
    json_t *capabilities = json_object_get(process, "capabilities");
    /* ambient ones must be inheritable: they are left alone where nothing is */
    bool inheritable = json_object_get(capabilities, "inheritable");

    if (!capabilities)
        json_object_set_new(process, "capabilities", capabilities = json_object());
    for (size_t i = 0; i < ARRAY_SIZE(sets) - !inheritable; i++) {
        json_t *set = json_object_get(capabilities, sets[i]);

        if (!set)
            json_object_set_new(capabilities, sets[i], set = json_array());
        for (char **name = names; *name; name++)
            add_missing(set, *name);
    }
}

static void set_words(const struct request *request, json_t *process)
{
    json_t *env = json_object_get(process, "env");

    json_object_set_new(process, "args", json_from_strv(request->args));
    json_set_bool(process, "terminal", request->tty);
    if (request->cwd)
        json_set_str(process, "cwd", request->cwd);
    if (request->apparmor)
        json_set_str(process, "apparmorProfile", request->apparmor);
    if (request->label)
        json_set_str(process, "selinuxLabel", request->label);
    if (request->no_new_privileges)
        json_set_bool(process, "noNewPrivileges", true);
    if (!env)
        json_object_set_new(process, "env", env = json_array());
    for (char **e = request->env; e && *e; e++)
        json_array_append_new(env, json_string_lossy(*e, strlen(*e)));
}

/* The container's own process, with what the command line changes. */
static json_t *process_from_options(const struct request *request, const char *directory, struct err *err)
{
    _cleanup_free_ char *path = path_join(directory, "config.json");
    _cleanup_json_ json_t *config = json_load(AT_FDCWD, path, CONFIG_MAX, err), *process = NULL;
    json_t *user;

    if (!config)
        return NULL;
    if (!request->args[0]) {
        err_set(err, ERR_INVALID, "exec needs a command");
        return NULL;
    }
    process = json_deep_copy(json_object_get(config, "process"));
    if (!process)
        process = json_pack("{s:s}", "cwd", "/");
    set_words(request, process);
    user = json_object_get(process, "user");
    if (!user)
        json_object_set_new(process, "user", user = json_object());
    if ((request->user && parse_user(request->user, user, err) < 0) ||
        (request->groups && set_groups(request->groups, user, err) < 0))
        return NULL;
    if (request->capabilities)
        add_capabilities(request->capabilities, process);
    return take_ptr(&process);
}

static int check_status(const struct request *request, struct runtime_container *c, struct err *err)
{
    if (runtime_pidfd(c) < 0)
        return err_set(err, ERR_CONFLICT, "cannot exec in a stopped container");
    if (!request->ignore_paused && runtime_cgroup(c) && cgroup_is_frozen(runtime_cgroup(c)))
        return err_set(err, ERR_CONFLICT,
                       "cannot exec in a paused container (use --ignore-paused to override)");
    return 0;
}

/* The size of ours, unless it has one of its own. */
static void set_size(json_t *process)
{
    uint16_t rows, columns;

    if (!json_object_get(process, "consoleSize") && command_terminal_size(&rows, &columns))
        json_object_set_new(process, "consoleSize",
                            json_pack("{s:i, s:i}", "height", rows, "width", columns));
}

/* After that nothing is left to do with the process but to stand by. */
static int exec_in(const struct request *request, struct runtime_container *c, const json_t *process,
                   int *ret_pidfd, int *ret_console, struct err *err)
{
    _cleanup_free_ char *filters = command_filter_cache();
    struct runtime_exec_options options = {
        .process = process,
        .seccomp_cache_dir = filters,
        .stdio = {-EBADF, -EBADF, -EBADF},
        .cgroups = request->cgroups,
        .plain_lines = !request->console_socket,
    };
    uint32_t preserve = 0;
    sigset_t all;
    pid_t pid;

    if (request->preserve_fds &&
        (str_to_u32(request->preserve_fds, &preserve) < 0 || preserve > PRESERVED_MAX))
        return err_set(err, ERR_INVALID, "--preserve-fds: \"%s\" is no number", request->preserve_fds);
    options.preserve_fds = preserve;
    command_warn_process(request, c, process);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    if (runtime_exec(c, &options, &pid, ret_pidfd, ret_console, err) < 0)
        return -1;
    if ((request->console_socket && command_send_console(request, take_fd(ret_console), err) < 0) ||
        command_send_pidfd(request->pidfd_socket, *ret_pidfd, err) < 0 ||
        command_write_pid(request, pid, err) < 0) {
        pidfd_signal(*ret_pidfd, SIGKILL);
        return -1;
    }
    return 0;
}

int command_exec(struct request *request, struct err *err)
{
    _cleanup_free_ char *directory = command_state_dir(request, err);
    _cleanup_(runtime_container_free_p) struct runtime_container *c = NULL;
    _cleanup_json_ json_t *process = NULL;
    _cleanup_close_ int pidfd = -EBADF, console = -EBADF;
    bool terminal;

    c = directory ? runtime_open(directory, err) : NULL;
    if (!c || check_status(request, c, err) < 0)
        return -1;
    process = request->process ? command_load_json(request->process, err)
                               : process_from_options(request, directory, err);
    if (!process)
        return -1;
    terminal = json_is_true(json_object_get(process, "terminal"));
    if (terminal && !request->detach)
        set_size(process);
    if (command_check_console(request, terminal, request->detach, err) < 0 ||
        exec_in(request, c, process, &pidfd, &console, err) < 0)
        return -1;
    return request->detach ? 0 : command_attend(pidfd, console, /* notify= */ NULL, err);
}
