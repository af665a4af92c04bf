/* keg stats. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/terminal.h"

static json_t *stats_container(const struct format_row *row)
{
    return format_member(row, "asked");
}

static json_t *stats_id(const struct format_row *row)
{
    const char *id = json_str_or(row->data, "id", "");

    return row->truncate ? format_take(short_id(id)) : json_string(id);
}

static json_t *stats_name(const struct format_row *row)
{
    const char *name = json_str_or(row->data, "name", "");

    return json_string(*name == '/' ? name + 1 : name);
}

static double number_at(const json_t *data, const char *path)
{
    return json_number_value(json_at(data, path));
}

/* The share of one CPU since the previous sample. */
static json_t *stats_cpu(const struct format_row *row)
{
    double used = number_at(row->data, "cpu_stats.cpu_usage.total_usage") -
                  number_at(row->data, "precpu_stats.cpu_usage.total_usage");
    double passed = number_at(row->data, "cpu_stats.system_cpu_usage") -
                    number_at(row->data, "precpu_stats.system_cpu_usage");
    double cpus = number_at(row->data, "cpu_stats.online_cpus");
    double percent = used > 0 && passed > 0 ? used / passed * (cpus > 0 ? cpus : 1) * 100 : 0;

    return format_take(xasprintf("%.2f%%", percent));
}

/* What is in use, without the file cache that could be dropped. */
static double memory_used(const json_t *data)
{
    double usage = number_at(data, "memory_stats.usage");
    const json_t *inactive = json_at(data, "memory_stats.stats.total_inactive_file");

    if (!inactive)
        inactive = json_at(data, "memory_stats.stats.inactive_file");
    return json_number_value(inactive) < usage ? usage - json_number_value(inactive) : usage;
}

static json_t *stats_memory(const struct format_row *row)
{
    char used[SIZE_TEXT], limit[SIZE_TEXT];

    return format_take(xasprintf("%s / %s", human_bytes(memory_used(row->data), used),
                                 human_bytes(number_at(row->data, "memory_stats.limit"), limit)));
}

static json_t *stats_memory_percent(const struct format_row *row)
{
    double limit = number_at(row->data, "memory_stats.limit");

    return format_take(xasprintf("%.2f%%", limit > 0 ? memory_used(row->data) / limit * 100 : 0));
}

static json_t *pair(double a, double b)
{
    char x[SIZE_TEXT], y[SIZE_TEXT];

    return format_take(xasprintf("%s / %s", human_size(a, 3, x), human_size(b, 3, y)));
}

static json_t *stats_network(const struct format_row *row)
{
    double received = 0, sent = 0;
    const char *name;
    json_t *network;

    json_object_foreach (json_object_get(row->data, "networks"), name, network) {
        received += json_number_value(json_object_get(network, "rx_bytes"));
        sent += json_number_value(json_object_get(network, "tx_bytes"));
    }
    return pair(received, sent);
}

static json_t *stats_block(const struct format_row *row)
{
    const json_t *entry;
    double read = 0, written = 0;
    size_t i;

    json_array_foreach (json_at(row->data, "blkio_stats.io_service_bytes_recursive"), i, entry) {
        const char *op = json_str_or(entry, "op", "");

        if (*op == 'r' || *op == 'R')
            read += json_number_value(json_object_get(entry, "value"));
        else if (*op == 'w' || *op == 'W')
            written += json_number_value(json_object_get(entry, "value"));
    }
    return pair(read, written);
}

static json_t *stats_pids(const struct format_row *row)
{
    return format_take(xasprintf("%.0f", number_at(row->data, "pids_stats.current")));
}

static const struct format_column stats_columns[] = {
    {"BlockIO", "BLOCK I/O", stats_block},
    {"CPUPerc", "CPU %", stats_cpu},
    {"Container", "CONTAINER", stats_container},
    {"ID", "CONTAINER ID", stats_id},
    {"MemPerc", "MEM %", stats_memory_percent},
    {"MemUsage", "MEM USAGE / LIMIT", stats_memory},
    {"Name", "NAME", stats_name},
    {"NetIO", "NET I/O", stats_network},
    {"PIDs", "PIDS", stats_pids},
    {NULL},
};
static const struct format_view stats_view = {
    "*container.statsContext",
    "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
    "{{.ID}}", stats_columns};

static const struct option_row stats_options[] = {
    {"all", 'a', OPTION_BOOL, "Show stopped containers as well"},
    {"format", 0, OPTION_STRING, format_help_table},
    {"no-stream", 0, OPTION_BOOL, "Print once instead of again and again"},
    {"no-trunc", 0, OPTION_BOOL, "Don't shorten anything"},
    {NULL},
};

/* The containers to look at: those named, else all that run. */
static int list_containers(struct cli *cli, const struct args *args, char ***ret, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *all = NULL;
    const json_t *container;
    size_t i;

    for (i = 0; i < args->rest_count; i++)
        strv_push(ret, args->rest[i]);
    if (args->rest_count)
        return 0;
    url_path(&url, "/containers/json", NULL);
    url_add_bool(&url, "all", args_bool(args, "all"));
    all = client_get(cli, &url, err);
    json_array_foreach (all, i, container)
        strv_push(ret, json_str_or(container, "Id", ""));
    return all ? 0 : -1;
}

/* With `all`, what has been removed since it was listed is passed over. */
static int sample(struct cli *cli, char *const *names, bool all, json_t *rows, struct err *err)
{
    for (; names && *names; names++) {
        _cleanup_(buf_finish) struct buf url = URL_INIT;
        struct err why = {0};
        json_t *stats;

        url_path(&url, "/containers/", *names, "/stats?stream=false", NULL);
        stats = client_get(cli, &url, &why);
        if (!stats && all && why.kind == ERR_NOT_FOUND)
            continue;
        if (!stats)
            return err_pass(err, &why);
        json_set_str(stats, "asked", *names);
        json_array_append_new(rows, stats);
    }
    return 0;
}

/* A first look at each, so that there is something to compare with when they are asked for: one second for all of them
 * together, not for each. */
static void look_ahead(struct cli *cli, char *const *names)
{
    const struct timespec second = {.tv_sec = 1};

    if (!names || !names[0] || !names[1])
        return; /* one alone waits by itself */
    for (; *names; names++) {
        _cleanup_(buf_finish) struct buf url = URL_INIT;

        url_path(&url, "/containers/", *names, "/stats?stream=false&one-shot=true", NULL);
        json_decref(client_get(cli, &url, NULL));
    }
    nanosleep(&second, NULL);
}

static int stats_run(struct cli *cli, const struct args *args, struct err *err)
{
    struct format_wish wish = {.format = args_str(args, "format"), .no_trunc = args_bool(args, "no-trunc")};
    const struct timespec second = {.tv_sec = 1};
    bool screen = !args_bool(args, "no-stream") && terminal_is(STDOUT_FILENO), first = true;

    wish.format = config_format(cli, "statsFormat", wish.format, /* quiet= */ false);
    if (screen) /* a frame at a time, so that it doesn't flicker */
        setvbuf(stdout, NULL, _IOFBF, 1024 * 1024);
    for (;; first = false) {
        _cleanup_json_ json_t *rows = json_array();
        _cleanup_strv_ char **names = NULL;

        if (list_containers(cli, args, &names, err) < 0)
            return -1;
        if (first)
            look_ahead(cli, names);
        if (sample(cli, names, !args->rest_count, rows, err) < 0)
            return -1;
        if (screen)
            fputs("\033[H\033[J", stdout);
        if (format_print(&stats_view, &wish, rows, err) < 0)
            return -1;
        fflush(stdout);
        if (args_bool(args, "no-stream"))
            return 0;
        nanosleep(&second, NULL);
    }
}

const struct command cmd_stats = {
    .paths = "container stats,stats",
    .summary = "Show what containers use, live",
    .arguments = "[OPTIONS] [CONTAINER...]",
    .max_arguments = -1,
    .options = {stats_options},
    .run = stats_run,
};
