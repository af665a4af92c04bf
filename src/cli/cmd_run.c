/* keg run, keg create. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/api_socket.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/container.h"
#include "cli/create.h"
#include "cli/pull.h"
#include "cli/reference.h"
#include "cli/terminal.h"

static const struct option_row run_options[] = {
    {"detach", 'd', OPTION_BOOL, "Run in the background and print the container's ID"},
    {"sig-proxy", 0, OPTION_BOOL, "Pass signals on to the process", "true"},
    {NULL},
};

/* ---- creating ---- */

/* The file must not exist: it is made before the container. */
static int open_cidfile(const struct args *args, int *ret_fd, struct err *err)
{
    const char *path = args_str(args, "cidfile");

    *ret_fd = -EBADF;
    if (!*path)
        return 0;
    *ret_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (*ret_fd < 0 && errno == EEXIST)
        return err_set(err, ERR_INVALID,
                       "container ID file found, make sure the other container isn't running or delete %s",
                       path);
    if (*ret_fd < 0) {
        err_errno(err, errno, "failed to create the container ID file: open %s", path);
        err->kind = ERR_INVALID;
        return -1;
    }
    return 0;
}

static bool is_missing_image(const struct err *err)
{
    return err->kind == ERR_NOT_FOUND && (strstr(err->message, "No such image") ||
                                          strstr(err->message, "does not match the specified platform"));
}

static int post_create(struct cli *cli, const struct args *args, const json_t *body, json_t **ret,
                       struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;

    url_path(&url, "/containers/create", NULL);
    url_add(&url, "name", args_str(args, "name"));
    url_add(&url, "platform", args_str(args, "platform"));
    return client_call(cli, "POST", &url, json_incref((json_t *)body), ret, err);
}

static void print_warnings(const json_t *created)
{
    json_t *warning;
    size_t i;

    json_array_foreach (json_object_get(created, "Warnings"), i, warning)
        fprintf(stderr, "WARNING: %s\n", json_string_value(warning));
}

/* The creation's body, or NULL: the options are wrong. */
static json_t *checked_body(const struct args *args, struct err *err)
{
    const char *policy = args_str(args, "pull");

    if (!*policy || str_eq(policy, "always") || str_eq(policy, "missing") || str_eq(policy, "never"))
        return create_body(args, err);
    err_set(err, ERR_INVALID,
            "invalid pull option: '%s': must be one of \"always\", \"missing\" or \"never\"", policy);
    return NULL;
}

/* What is allowed, and rarely meant. */
static void warn_of_options(const struct args *args)
{
    if (args_bool(args, "oom-kill-disable") && !args_bytes(args, "memory"))
        fputs("WARNING: Disabling the OOM killer on containers without setting a '-m/--memory' limit may be "
              "dangerous.\n",
              stderr);
    for (char **d = args_list(args, "dns"); d && *d; d++)
        if (str_starts(*d, "127.") || str_eq(*d, "::1")) {
            fprintf(stderr, "WARNING: Localhost DNS (%s) may fail in containers.\n", *d);
            return;
        }
}

/* The image's name and the platform, which the daemon needn't be asked about. */
static int check_image(const struct args *args, struct err *err)
{
    _cleanup_(reference_finish) struct reference reference = {0};
    const char *image = args->rest[0], *id = str_after(image, "sha256:");

    if (!id)
        id = image;
    if ((strlen(id) != 64 || strspn(id, "0123456789abcdef") != 64) &&
        reference_parse(image, &reference, err) < 0)
        return -1;
    return platform_check(args_str(args, "platform"), err) < 0
               ? err_wrap(err, "error parsing specified platform")
               : 0;
}

/* Creates the container; its image is pulled before, or when it is missing, as the policy says. */
static int create_pulling(struct cli *cli, const struct args *args, const json_t *body, json_t **ret,
                          struct err *err)
{
    const char *policy = args_str(args, "pull"), *image = args->rest[0];
    bool always = str_eq(policy, "always"), missing = str_eq(policy, "missing") || !*policy;

    if (always && pull_for_create(cli, args, image, err) < 0)
        return -1;
    if (post_create(cli, args, body, ret, err) == 0)
        return 0;
    if (!missing || !is_missing_image(err) || pull_announce(image, err) < 0 ||
        pull_for_create(cli, args, image, err) < 0)
        return -1;
    return post_create(cli, args, body, ret, err);
}

/* The answer to the creation, or NULL. */
static json_t *create_container(struct cli *cli, const struct args *args, json_t *body, struct err *err)
{
    _cleanup_close_ int cidfile = -EBADF;
    _cleanup_json_ json_t *auths = NULL;
    json_t *created;

    warn_of_options(args);
    if (check_image(args, err) < 0)
        return NULL;
    if (open_cidfile(args, &cidfile, err) < 0)
        return NULL;
    if (args_bool(args, "use-api-socket") && api_socket_add(cli, body, &auths, err) < 0)
        return NULL;
    if (create_pulling(cli, args, body, &created, err) < 0) {
        if (cidfile >= 0)
            unlink(args_str(args, "cidfile"));
        return NULL;
    }
    if (cidfile >= 0)
        dprintf(cidfile, "%s", json_str_or(created, "Id", ""));
    print_warnings(created);
    if (auths && api_socket_copy(cli, json_str_or(created, "Id", ""), auths, err) < 0) {
        json_decref(created);
        return NULL;
    }
    return created;
}

static int create_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_json_ json_t *body = checked_body(args, err), *created = NULL;

    if (!body)
        return -1;
    created = create_container(cli, args, body, err);
    if (!created) { /* unlike docker run's, this failure has a plain text and 1 */
        fprintf(stderr, "%s\n", err->message);
        return 1;
    }
    puts(json_str_or(created, "Id", ""));
    return 0;
}

/* ---- running ---- */

/* docker's exit codes for a program that can't be started. */
static enum err_kind start_failure_kind(const char *message)
{
    static const struct {
        const char *text;
        enum err_kind kind;
    } causes[] = {{"executable file not found", ERR_NO_PROGRAM},
                  {"no such file or directory", ERR_NO_PROGRAM},
                  {"system cannot find the file specified", ERR_NO_PROGRAM},
                  {"permission denied", ERR_CANNOT_INVOKE},
                  {"is a directory", ERR_CANNOT_INVOKE}};

    for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
        if (strcasestr(message, causes[i].text))
            return causes[i].kind;
    return ERR_SYSTEM;
}

static int start_container(struct cli *cli, const char *id, struct err *err)
{
    int r = container_start(cli, id, err);

    if (r < 0)
        err->kind = start_failure_kind(err->message);
    return r;
}

/* What -a, -i and -t make of the session. */
static struct session choose_streams(struct cli *cli, const struct args *args, const char *id)
{
    char **attach = args_list(args, "attach");
    struct session s = {
        .cli = cli, .kind = "containers", .id = id, .detach_keys = args_str(args, "detach-keys")};

    if (!*s.detach_keys && config_str(cli, "detachKeys"))
        s.detach_keys = config_str(cli, "detachKeys");
    s.tty = args_bool(args, "tty");
    s.forward_signals = args_bool(args, "sig-proxy");
    s.input = !attach && args_bool(args, "interactive");
    s.output = s.errors = !attach;
    for (; attach && *attach; attach++) {
        s.input |= strcasecmp(*attach, "stdin") == 0;
        s.output |= strcasecmp(*attach, "stdout") == 0;
        s.errors |= strcasecmp(*attach, "stderr") == 0;
    }
    return s;
}

static int run_attached(struct cli *cli, const struct args *args, const char *id, struct err *err)
{
    struct session s = choose_streams(cli, args, id);
    _cleanup_(http_free_p) struct http *stream = NULL, *wait = NULL;
    enum session_end end = SESSION_CLOSED;

    session_prepare();
    if (s.input || s.output || s.errors) {
        s.stream = stream = container_attach(&s, err);
        if (!stream)
            return -1;
    }
    wait = container_wait(cli, id, args_bool(args, "rm") ? "removed" : "next-exit", err);
    if (!wait || start_container(cli, id, err) < 0)
        return -1;
    session_resize(&s);
    if (stream)
        end = session_run(&s, err);
    if (end == SESSION_FAILED)
        return -1;
    if (end == SESSION_DETACHED) {
        fputs("read escape sequence\n", stderr);
        return 0;
    }
    http_free(take_ptr(&stream));
    return session_wait(&s, wait, err);
}

static int run_run(struct cli *cli, const struct args *args, struct err *err)
{
    bool detach = args_bool(args, "detach"), interactive = args_bool(args, "interactive");
    _cleanup_json_ json_t *body = NULL, *created = NULL;
    const char *id;

    if (detach && args_list(args, "attach")) {
        fputs("conflicting options: cannot specify both --attach and --detach\n", stderr);
        return 1;
    }
    if (!detach && interactive && args_bool(args, "tty") && !terminal_is(STDIN_FILENO)) {
        fputs("the input device is not a TTY\n", stderr);
        return 1;
    }
    body = checked_body(args, err);
    if (!body)
        return -1;
    created = create_container(cli, args, body, err);
    if (!created) {
        if (err->kind != ERR_NO_PROGRAM)
            err->kind = start_failure_kind(err->message);
        return -1;
    }
    id = json_str_or(created, "Id", "");
    if (!detach)
        return run_attached(cli, args, id, err);
    if (start_container(cli, id, err) < 0)
        return -1;
    puts(id);
    return 0;
}

const struct command cmd_run = {
    .paths = "container run,run",
    .summary = "Create a container from an image and run it",
    .arguments = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .flags = COMMAND_STOP_AT_ARGUMENT | COMMAND_COMMON | COMMAND_RUN_ERRORS,
    .options = {create_options, limit_options, run_options},
    .run = run_run,
};

const struct command cmd_create = {
    .paths = "container create,create",
    .summary = "Create a container from an image",
    .arguments = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .flags = COMMAND_STOP_AT_ARGUMENT | COMMAND_RUN_ERRORS,
    .options = {create_options, limit_options},
    .run = create_run,
};
