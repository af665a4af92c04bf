/* keg logs, top, port, diff. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/container.h"
#include "cli/option_checks.h"
#include "cli/output.h"
#include "cli/times.h"

/* ---- logs ---- */

static const struct option_row logs_options[] = {
    {"details", 0, OPTION_BOOL, "Show what the log driver adds"},
    {"follow", 'f', OPTION_BOOL, "Go on with what is still to come"},
    {"since", 0, OPTION_STRING,
     "Show what was written since (2013-01-02T13:23:37Z, or 42m for 42 minutes ago)"},
    {"tail", 'n', OPTION_STRING, "Number of lines to show from the end", "all"},
    {"timestamps", 't', OPTION_BOOL, "Show times"},
    {"until", 0, OPTION_STRING,
     "Show what was written before (2013-01-02T13:23:37Z, or 42m for 42 minutes ago)"},
    {NULL},
};

static int logs_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_json_ json_t *container = container_inspect(cli, args->rest[0], err);
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {.method = "GET", .url = &url};
    _cleanup_(http_free_p) struct http *http = NULL;

    if (!container)
        return -1;
    url_path(&url, "/containers/", json_str_or(container, "Id", ""), "/logs?stdout=1&stderr=1", NULL);
    if (times_add(&url, "since", args_str(args, "since"), /* named= */ true, err) < 0 ||
        times_add(&url, "until", args_str(args, "until"), /* named= */ true, err) < 0)
        return -1;
    url_add_bool(&url, "follow", args_bool(args, "follow"));
    url_add_bool(&url, "timestamps", args_bool(args, "timestamps"));
    url_add_bool(&url, "details", args_bool(args, "details"));
    url_add(&url, "tail", args_str(args, "tail"));
    http = client_open(cli, &request, err);
    return http ? stream_copy(http, json_is_true(json_at(container, "Config.Tty")), err) : -1;
}

const struct command cmd_logs = {
    .paths = "container logs,logs",
    .summary = "Show what a container has written",
    .arguments = "[OPTIONS] CONTAINER",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = {logs_options},
    .run = logs_run,
};

/* ---- top ---- */

static void append_cells(struct buf *out, const json_t *cells)
{
    const json_t *cell;
    size_t i;

    json_array_foreach (cells, i, cell)
        buf_printf(out, "%s%s", i ? "\t" : "", json_string_value(cell) ? json_string_value(cell) : "");
    buf_putc(out, '\n');
}

static int top_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT, text = BUF_INIT(64 * 1024 * 1024);
    _cleanup_free_ char *ps = strv_join(args->rest + 1, " ");
    _cleanup_json_ json_t *answer = NULL;
    const json_t *process;
    size_t i;

    url_path(&url, "/containers/", args->rest[0], "/top", NULL);
    url_add(&url, "ps_args", ps);
    answer = client_get(cli, &url, err);
    if (!answer)
        return -1;
    append_cells(&text, json_object_get(answer, "Titles"));
    json_array_foreach (json_object_get(answer, "Processes"), i, process)
        append_cells(&text, process);
    output_table(stdout, buf_str(&text), 20);
    return 0;
}

const struct command cmd_top = {
    .paths = "container top,top",
    .summary = "Show the processes of a container",
    .arguments = "CONTAINER [ps OPTIONS]",
    .min_arguments = 1,
    .max_arguments = -1,
    .flags = COMMAND_STOP_AT_ARGUMENT,
    .run = top_run,
};

/* ---- port ---- */

static void print_bindings(const json_t *bindings, const char *prefix)
{
    const json_t *binding;
    size_t i;

    json_array_foreach (bindings, i, binding) {
        const char *ip = json_str_or(binding, "HostIp", "");
        bool v6 = strchr(ip, ':') != NULL;

        printf("%s%s%s%s:%s\n", prefix, v6 ? "[" : "", ip, v6 ? "]" : "",
               json_str_or(binding, "HostPort", ""));
    }
}

static int compare_names(const void *a, const void *b)
{
    int x = atoi(*(char *const *)a), y = atoi(*(char *const *)b);

    return x != y ? x - y : strcmp(*(char *const *)a, *(char *const *)b);
}

static int port_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_json_ json_t *container = container_inspect(cli, args->rest[0], err);
    json_t *ports = json_at(container, "NetworkSettings.Ports"), *bindings;
    _cleanup_strv_ char **names = NULL;
    const char *name;

    if (!container)
        return -1;
    if (args->rest_count > 1 && *args->rest[1]) {
        _cleanup_free_ char *number = xstrndup(args->rest[1], strcspn(args->rest[1], "/"));
        const char *slash = strchr(args->rest[1], '/');
        _cleanup_free_ char *wanted = xasprintf("%s%s", number, slash ? slash : "/tcp");
        uint64_t ignored;
        int r = option_parse_uint(number, UINT16_MAX, &ignored);

        if (r < 0)
            return err_set(err, ERR_INVALID,
                           "Error: invalid port (%s): strconv.ParseUint: parsing \"%s\": %s", number, number,
                           r == -ERANGE ? "value out of range" : "invalid syntax");
        bindings = json_object_get(ports, wanted);
        if (!json_array_size(bindings))
            return err_set(err, ERR_NOT_FOUND, "Error: No public port '%s' published for %s", args->rest[1],
                           args->rest[0]);
        print_bindings(bindings, "");
        return 0;
    }
    json_object_foreach (ports, name, bindings)
        strv_push(&names, name);
    if (names)
        qsort(names, strv_len(names), sizeof(*names), compare_names);
    for (char **n = names; n && *n; n++) {
        _cleanup_free_ char *prefix = xasprintf("%s -> ", *n);

        print_bindings(json_object_get(ports, *n), prefix);
    }
    return 0;
}

const struct command cmd_port = {
    .paths = "container port,port",
    .summary = "Show where a container's ports are published",
    .arguments = "CONTAINER [PRIVATE_PORT[/PROTO]]",
    .min_arguments = 1,
    .max_arguments = 2,
    .run = port_run,
};

/* ---- diff ---- */

static int diff_run(struct cli *cli, const struct args *args, struct err *err)
{
    static const char kinds[] = "CAD";
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *changes = NULL;
    const json_t *change;
    size_t i;

    url_path(&url, "/containers/", args->rest[0], "/changes", NULL);
    if (client_call(cli, "GET", &url, NULL, &changes, err) < 0)
        return -1;
    json_array_foreach (changes, i, change) {
        int64_t kind = json_int_or(change, "Kind", 0);

        printf("%c %s\n", kind >= 0 && kind < 3 ? kinds[kind] : '?', json_str_or(change, "Path", ""));
    }
    return 0;
}

const struct command cmd_diff = {
    .paths = "container diff,diff",
    .summary = "Show what a container has changed in its filesystem",
    .arguments = "CONTAINER",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = diff_run,
};
