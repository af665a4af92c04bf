/* The short ones: stop, restart, kill, pause, unpause, wait, rm, rename, update. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/create.h"

/* ---- stop, restart, kill ---- */

static const struct option_row stop_options[] = {
    {"signal", 's', OPTION_STRING, "Signal to send"},
    {"time", 0, OPTION_INT, "Seconds to wait before killing", NULL, true},
    {"timeout", 't', OPTION_INT, "Seconds to wait before killing"},
    {NULL},
};

static const struct option_row kill_options[] = {
    {"signal", 's', OPTION_STRING, "Signal to send"},
    {NULL},
};

/* POST /containers/NAME/ACTION with --signal and --timeout where the command has them. */
static int post_action(struct cli *cli, const struct args *args, const char *name, const char *action,
                       struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    bool timed = args->command->options[0] == stop_options;

    url_path(&url, "/containers/", name, action, NULL);
    if (timed)
        url_add(&url, "t", args_given(args, "timeout") ? args_str(args, "timeout") : args_str(args, "time"));
    if (timed || args->command->options[0] == kill_options)
        url_add(&url, "signal", args_str(args, "signal"));
    return client_call(cli, "POST", &url, NULL, NULL, err);
}

static int complain(const struct args *args _unused_, const struct err *err)
{
    return cli_complain(err);
}

#define ACTION(name)                                                                                         \
    static int name##_one(struct cli *cli, const struct args *args, const char *container, struct err *err)  \
    {                                                                                                        \
        return post_action(cli, args, container, "/" #name, err);                                            \
    }                                                                                                        \
    static int name##_run(struct cli *cli, const struct args *args, _unused_ struct err *err)                \
    {                                                                                                        \
        return cli_together(cli, args, name##_one, complain);                                                \
    }
ACTION(stop)
ACTION(restart)
ACTION(kill)
ACTION(pause)
ACTION(unpause)

const struct command cmd_stop = {
    .paths = "container stop,stop",
    .summary = "Stop running containers",
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = {stop_options},
    .run = stop_run,
};
const struct command cmd_restart = {
    .paths = "container restart,restart",
    .summary = "Stop containers and start them again",
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = {stop_options},
    .run = restart_run,
};
const struct command cmd_kill = {
    .paths = "container kill,kill",
    .summary = "Send a signal to running containers (KILL by default)",
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = {kill_options},
    .run = kill_run,
};
const struct command cmd_pause = {
    .paths = "container pause,pause",
    .summary = "Freeze all processes of containers",
    .arguments = "CONTAINER [CONTAINER...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .run = pause_run,
};
const struct command cmd_unpause = {
    .paths = "container unpause,unpause",
    .summary = "Let frozen containers go on",
    .arguments = "CONTAINER [CONTAINER...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .run = unpause_run,
};

/* ---- wait ---- */

static int wait_run(struct cli *cli, const struct args *args, _unused_ struct err *err)
{
    int code = 0;

    for (size_t i = 0; i < args->rest_count; i++) {
        _cleanup_(buf_finish) struct buf url = URL_INIT;
        _cleanup_json_ json_t *answer = NULL;
        struct err why = {0};

        url_path(&url, "/containers/", args->rest[i], "/wait", NULL);
        if (client_call(cli, "POST", &url, NULL, &answer, &why) < 0)
            code = cli_complain(&why);
        else
            printf("%lld\n", (long long)json_int_or(answer, "StatusCode", 0));
    }
    return code;
}

const struct command cmd_wait = {
    .paths = "container wait,wait",
    .summary = "Wait until containers stop, then print their exit codes",
    .arguments = "CONTAINER [CONTAINER...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .run = wait_run,
};

/* ---- rm ---- */

static const struct option_row rm_options[] = {
    {"force", 'f', OPTION_BOOL, "Kill the container first if it runs"},
    {"link", 'l', OPTION_BOOL, "Remove the link of that name"},
    {"volumes", 'v', OPTION_BOOL, "Remove its anonymous volumes as well"},
    {NULL},
};

static int rm_one(struct cli *cli, const struct args *args, const char *name, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    int r;

    name += name[0] == '/';
    if (!*name)
        return err_set(err, ERR_INVALID, "container name cannot be empty");
    url_path(&url, "/containers/", name, NULL);
    url_add_bool(&url, "v", args_bool(args, "volumes"));
    url_add_bool(&url, "link", args_bool(args, "link"));
    url_add_bool(&url, "force", args_bool(args, "force"));
    r = client_call(cli, "DELETE", &url, NULL, NULL, err);
    return r;
}

static int rm_complain(const struct args *args, const struct err *err)
{
    int code = cli_complain(err);

    return args_bool(args, "force") && err->kind == ERR_NOT_FOUND ? 0 : code;
}

static int rm_run(struct cli *cli, const struct args *args, _unused_ struct err *err)
{
    return cli_together(cli, args, rm_one, rm_complain);
}

const struct command cmd_rm = {
    .paths = "container rm,container remove,rm",
    .summary = "Remove containers",
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = {rm_options},
    .run = rm_run,
};

/* ---- rename ---- */

static int rename_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;

    if (!*args->rest[0] || !*args->rest[1])
        return err_set(err, ERR_INVALID, "Error: Neither old nor new names may be empty");
    url_path(&url, "/containers/", args->rest[0], "/rename", NULL);
    url_add(&url, "name", args->rest[1]);
    if (client_call(cli, "POST", &url, NULL, NULL, err) < 0) {
        cli_complain(err);
        return err_set(err, ERR_SYSTEM, "Error: failed to rename container named %s", args->rest[0]);
    }
    return 0;
}

const struct command cmd_rename = {
    .paths = "container rename,rename",
    .summary = "Give a container another name",
    .arguments = "CONTAINER NEW_NAME",
    .min_arguments = 2,
    .max_arguments = 2,
    .run = rename_run,
};

/* ---- update ---- */

static const struct option_row update_options[] = {
    {"restart", 0, OPTION_STRING, "When to start again (no, always, unless-stopped, on-failure[:max])"},
    {NULL},
};

static int update_one(struct cli *cli, const struct args *args, const char *name, char ***warnings,
                      struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *body = json_object(), *answer = NULL;
    json_t *policy = create_restart_policy(args_str(args, "restart"), err), *warning;
    size_t i;

    if (!policy)
        return -1;
    json_object_set_new(body, "RestartPolicy", policy);
    create_limits(args, body);
    if (args_given(args, "pids-limit"))
        json_set_int(body, "PidsLimit", args_int(args, "pids-limit", 0));
    url_path(&url, "/containers/", name, "/update", NULL);
    if (client_call(cli, "POST", &url, json_incref(body), &answer, err) < 0)
        return -1;
    json_array_foreach (json_object_get(answer, "Warnings"), i, warning)
        strv_push(warnings, json_string_value(warning));
    return 0;
}

/* What the daemon warned of stands behind the names, as docker prints it. */
static int update_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf complaints = BUF_INIT(1024 * 1024);
    _cleanup_strv_ char **warnings = NULL;
    bool any = false;

    for (size_t i = 0; i < args->value_count; i++)
        any |= args->values[i].text != NULL;
    if (!any)
        return err_set(err, ERR_INVALID, "you must provide one or more flags when using this command");
    for (size_t i = 0; i < args->rest_count; i++) {
        struct err why = {0};

        if (update_one(cli, args, args->rest[i], &warnings, &why) == 0)
            puts(args->rest[i]);
        else
            buf_printf(&complaints, "%s\n", why.message);
    }
    for (char **w = warnings; w && *w; w++)
        puts(*w);
    fflush(stdout);
    fputs(buf_str(&complaints), stderr);
    return complaints.len > 0;
}

const struct command cmd_update = {
    .paths = "container update,update",
    .summary = "Change the limits and the restart policy of containers",
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = {limit_options, update_options},
    .run = update_run,
};
