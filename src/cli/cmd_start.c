/* keg start, attach, exec: sessions with containers that exist. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/container.h"
#include "cli/create.h"
#include "cli/terminal.h"

static const char *choose_keys(struct cli *cli, const struct args *args)
{
    const char *configured = config_str(cli, "detachKeys");

    return args_given(args, "detach-keys") || !configured ? args_str(args, "detach-keys") : configured;
}

static enum session_end run_attached(struct session *s, struct err *err)
{
    enum session_end end;

    session_resize(s);
    end = session_run(s, err);
    if (end == SESSION_DETACHED)
        fputs("read escape sequence\n", stderr);
    return end;
}

/* The container's exit code; 0 when the user detached. */
static int run_to_the_end(struct session *s, struct http *wait, struct err *err)
{
    enum session_end end = run_attached(s, err);

    if (end != SESSION_CLOSED)
        return end == SESSION_FAILED ? -1 : 0;
    return session_wait(s, wait, err);
}

/* ---- start ---- */

static const struct option_row start_options[] = {
    {"attach", 'a', OPTION_BOOL, "Attach to STDOUT and STDERR, and pass signals on"},
    {"detach-keys", 0, OPTION_STRING, "Keys that detach from the container"},
    {"interactive", 'i', OPTION_BOOL, "Attach to STDIN"},
    {NULL},
};

static int start_attached(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_json_ json_t *container = container_inspect(cli, args->rest[0], err);
    _cleanup_(http_free_p) struct http *stream = NULL, *wait = NULL;
    struct session s = {.cli = cli, .kind = "containers", .output = true, .errors = true};

    if (!container)
        return -1;
    s.id = json_str_or(container, "Id", "");
    s.tty = json_is_true(json_at(container, "Config.Tty"));
    s.input = args_bool(args, "interactive") && json_is_true(json_at(container, "Config.OpenStdin"));
    s.forward_signals = !s.tty;
    s.detach_keys = choose_keys(cli, args);
    session_prepare();
    s.stream = stream = container_attach(&s, err);
    if (!stream)
        return -1;
    wait = container_wait(
        cli, s.id, json_is_true(json_at(container, "HostConfig.AutoRemove")) ? "removed" : "next-exit", err);
    if (!wait || container_start(cli, s.id, err) < 0)
        return -1;
    return run_to_the_end(&s, wait, err);
}

static int start_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_strv_ char **failed = NULL;
    _cleanup_free_ char *names = NULL;

    if (args_bool(args, "attach") || args_bool(args, "interactive")) {
        if (args->rest_count > 1)
            return err_set(err, ERR_INVALID, "you cannot start and attach multiple containers at once");
        return start_attached(cli, args, err);
    }
    for (size_t i = 0; i < args->rest_count; i++) {
        struct err why = {0};

        if (container_start(cli, args->rest[i], &why) == 0) {
            puts(args->rest[i]);
        } else {
            cli_complain(&why);
            strv_push(&failed, args->rest[i]);
        }
    }
    names = strv_join(failed, ", ");
    return failed ? err_set(err, ERR_SYSTEM, "Error: failed to start containers: %s", names) : 0;
}

const struct command cmd_start = {
    .paths = "container start,start",
    .summary = "Start stopped containers",
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = {start_options},
    .run = start_run,
};

/* ---- attach ---- */

static const struct option_row attach_options[] = {
    {"detach-keys", 0, OPTION_STRING, "Keys that detach from the container"},
    {"no-stdin", 0, OPTION_BOOL, "Don't attach STDIN"},
    {"sig-proxy", 0, OPTION_BOOL, "Pass signals on to the process", "true"},
    {NULL},
};

static int check_attachable(const json_t *container, struct err *err)
{
    const json_t *state = json_object_get(container, "State");

    if (!json_bool_or(state, "Running", false))
        return err_set(err, ERR_CONFLICT, "You cannot attach to a stopped container, start it first");
    if (json_bool_or(state, "Paused", false))
        return err_set(err, ERR_CONFLICT, "You cannot attach to a paused container, unpause it first");
    if (json_bool_or(state, "Restarting", false))
        return err_set(err, ERR_CONFLICT,
                       "You cannot attach to a restarting container, wait until it is running");
    return 0;
}

static int attach_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_json_ json_t *container = container_inspect(cli, args->rest[0], err);
    _cleanup_(http_free_p) struct http *stream = NULL, *wait = NULL;
    struct session s = {.cli = cli, .kind = "containers", .output = true, .errors = true};

    if (!container || check_attachable(container, err) < 0)
        return -1;
    s.id = json_str_or(container, "Id", "");
    s.tty = json_is_true(json_at(container, "Config.Tty"));
    s.input = !args_bool(args, "no-stdin") && json_is_true(json_at(container, "Config.OpenStdin"));
    s.forward_signals = args_bool(args, "sig-proxy") && !s.tty;
    s.detach_keys = choose_keys(cli, args);
    if (s.input && s.tty && !terminal_is(STDIN_FILENO))
        return err_set(err, ERR_INVALID, "the input device is not a TTY");
    session_prepare();
    wait = container_wait(cli, s.id, NULL, err);
    s.stream = stream = wait ? container_attach(&s, err) : NULL;
    if (!stream)
        return -1;
    session_redraw(&s);
    return run_to_the_end(&s, wait, err);
}

const struct command cmd_attach = {
    .paths = "container attach,attach",
    .summary = "Attach this terminal to a running container",
    .arguments = "[OPTIONS] CONTAINER",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = {attach_options},
    .run = attach_run,
};

/* ---- exec ---- */

static const struct option_row exec_options[] = {
    {"detach", 'd', OPTION_BOOL, "Run in the background"},
    {"detach-keys", 0, OPTION_STRING, "Keys that detach from the command"},
    {"ends-with", 0, OPTION_STRING, "What ends all that the command starts (process|client|none)"},
    {"env", 'e', OPTION_ENV, "Set environment variables"},
    {"env-file", 0, OPTION_LIST, "Read environment variables from a file"},
    {"interactive", 'i', OPTION_BOOL, "Keep STDIN open even if not attached"},
    {"privileged", 0, OPTION_BOOL, "Give the command the host's privileges"},
    {"tty", 't', OPTION_BOOL, "Give the command a terminal"},
    {"user", 'u', OPTION_STRING, "User and group to run as (name|uid[:group|gid])"},
    {"workdir", 'w', OPTION_STRING, "Directory to run in"},
    {NULL},
};

static json_t *exec_body(const struct args *args, const char *keys, struct err *err)
{
    bool detach = args_bool(args, "detach");
    _cleanup_strv_ char **environment = NULL;
    unsigned rows = 0, columns = 0;
    json_t *body;

    if (create_read_variables(args_list(args, "env"), args_list(args, "env-file"), true, &environment, err) <
        0)
        return NULL;
    body = json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:s, s:o, s:s, s:o}", "User", args_str(args, "user"),
                     "Privileged", args_bool(args, "privileged"), "Tty", args_bool(args, "tty"),
                     "AttachStdin", !detach && args_bool(args, "interactive"), "AttachStderr", !detach,
                     "AttachStdout", !detach, "DetachKeys", keys, "Env", create_list(environment, true),
                     "WorkingDir", args_str(args, "workdir"), "Cmd", json_from_strv(args->rest + 1));
    if (args_given(args, "ends-with"))
        json_set_str(body, "EndsWith", args_str(args, "ends-with"));
    if (args_bool(args, "tty") && terminal_size(&rows, &columns))
        json_object_set_new(body, "ConsoleSize", json_pack("[i, i]", (int)rows, (int)columns));
    return body;
}

static struct http *open_exec(const struct session *s, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {.method = "POST", .url = &url, .upgrade = true};
    unsigned rows = 0, columns = 0;

    request.body = json_pack("{s:b, s:b}", "Detach", 0, "Tty", s->tty);
    if (s->tty && terminal_size(&rows, &columns))
        json_object_set_new(request.body, "ConsoleSize", json_pack("[i, i]", (int)rows, (int)columns));
    url_path(&url, "/exec/", s->id, "/start", NULL);
    return client_open(s->cli, &request, err);
}

static int exec_attached(struct cli *cli, const struct args *args, const char *id, const char *keys,
                         struct err *err)
{
    enum session_end end;
    struct session s = {.cli = cli,
                        .kind = "exec",
                        .id = id,
                        .tty = args_bool(args, "tty"),
                        .output = true,
                        .errors = true,
                        .input = args_bool(args, "interactive"),
                        .detach_keys = keys};
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_(http_free_p) struct http *stream = NULL;
    _cleanup_json_ json_t *state = NULL;

    s.stream = stream = open_exec(&s, err);
    if (!stream)
        return -1;
    end = run_attached(&s, err);
    if (end != SESSION_CLOSED)
        return end == SESSION_FAILED ? -1 : 0;
    url_path(&url, "/exec/", id, "/json", NULL);
    state = client_get(cli, &url, err);
    return state ? (int)json_int_or(state, "ExitCode", 0) : -1;
}

static int exec_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT, start = URL_INIT;
    _cleanup_json_ json_t *created = NULL;
    const char *keys = choose_keys(cli, args), *id;
    json_t *body;

    if (!args_bool(args, "detach") && args_bool(args, "interactive") && args_bool(args, "tty") &&
        !terminal_is(STDIN_FILENO))
        return err_set(err, ERR_INVALID, "the input device is not a TTY");
    body = exec_body(args, keys, err);
    if (!body)
        return -1;
    url_path(&url, "/containers/", args->rest[0], "/exec", NULL);
    if (client_call(cli, "POST", &url, body, &created, err) < 0)
        return -1;
    id = json_str_or(created, "Id", "");
    if (!args_bool(args, "detach"))
        return exec_attached(cli, args, id, keys, err);
    url_path(&start, "/exec/", id, "/start", NULL);
    return client_call(cli, "POST", &start,
                       json_pack("{s:b, s:b}", "Detach", 1, "Tty", args_bool(args, "tty")), NULL, err);
}

const struct command cmd_exec = {
    .paths = "container exec,exec",
    .summary = "Run a command in a running container",
    .arguments = "[OPTIONS] CONTAINER COMMAND [ARG...]",
    .min_arguments = 2,
    .max_arguments = -1,
    .flags = COMMAND_STOP_AT_ARGUMENT | COMMAND_COMMON,
    .options = {exec_options},
    .run = exec_run,
};
