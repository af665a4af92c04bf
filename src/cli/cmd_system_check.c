/* keg system check. */
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/credentials.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/terminal.h"

enum { EXIT_FOUND = 1, SHORT_ID = 12 };

static const struct option_row check_options[] = {
    {"format", 0, OPTION_STRING, format_help_table},
    {"quick", 0, OPTION_BOOL, "Look what is there, without reading it"},
    {"quiet", 'q', OPTION_BOOL, "Print nothing: the exit status tells"},
    {"repair", 0, OPTION_BOOL,
     "Fetch again what a registry has, make layers anew, remove what belongs to nothing"},
    {NULL},
};

/* ---- the table ---- */

static json_t *check_object(const struct format_row *row)
{
    return format_member(row, "Object");
}

static json_t *check_problem(const struct format_row *row)
{
    return format_member(row, "Problem");
}

static json_t *check_id(const struct format_row *row)
{
    const char *id = json_str_or(row->data, "ID", ""), *hex = str_after(id, "sha256:");

    if (hex)
        id = hex;
    return format_take(xstrndup(id, hex || strlen(id) == 64 ? SHORT_ID : strlen(id)));
}

static json_t *check_name(const struct format_row *row)
{
    return format_member(row, "Name");
}

static json_t *check_detail(const struct format_row *row)
{
    const char *detail = json_str_or(row->data, "Detail", ""), *failure = json_str(row->data, "Failure");

    return failure ? format_take(xasprintf("%s%s%s", detail, *detail ? "; " : "", failure))
                   : json_string(detail);
}

static json_t *check_state(const struct format_row *row)
{
    if (json_bool_or(row->data, "Repaired", false))
        return json_string("repaired");
    return json_string(json_str(row->data, "Failure") ? "not repaired" : "found");
}

static const struct format_column check_columns[] = {
    {"Detail", "DETAIL", check_detail},
    {"ID", "ID", check_id},
    {"Name", "NAME", check_name},
    {"Object", "OBJECT", check_object},
    {"Problem", "PROBLEM", check_problem},
    {"State", "STATE", check_state},
    {NULL},
};
static const struct format_view check_view = {
    "*formatter.checkContext", "{{.Problem}}\t{{.Object}}\t{{.ID}}\t{{.Name}}\t{{.State}}\t{{.Detail}}",
    "{{.ID}}", check_columns};

/* ---- the stream ---- */

struct checking {
    bool show; /* progress, on one line of the terminal */
    json_t *result;
};

static int take_line(const json_t *line, void *arg, struct err *err)
{
    struct checking *c = arg;
    const char *failure = json_str(line, "error");
    json_t *result = json_object_get(line, "result");

    if (failure)
        return err_set(err, ERR_SYSTEM, "%s", failure);
    if (result)
        c->result = json_incref(result);
    else if (c->show)
        fprintf(stderr, "\033[2K\r%s: %s\r", json_str_or(line, "id", ""), json_str_or(line, "status", ""));
    return 0;
}

static int ask(struct cli *cli, const struct args *args, struct checking *c, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_free_ char *header = args_bool(args, "repair") ? credentials_all_header(cli) : NULL;
    const struct client_request request = {.method = "POST", .url = &url, .headers = header};
    struct http *http;
    int r;

    url_path(&url, "/keg/system/check", NULL);
    url_add_bool(&url, "quick", args_bool(args, "quick"));
    url_add_bool(&url, "repair", args_bool(args, "repair"));
    http = client_open(cli, &request, err);
    if (!http)
        return -1;
    r = client_each_json(http, take_line, c, err);
    client_end(cli, http);
    if (c->show)
        fputs("\033[2K\r", stderr);
    if (r == 0 && !c->result)
        r = err_set(err, ERR_SYSTEM, "the daemon ended before the check had");
    return r;
}

static void print_summary(const json_t *result, size_t found)
{
    char size[SIZE_TEXT];

    printf("Checked %lld images, %lld blobs (%s), %lld layers, %lld containers, %lld volumes: ",
           (long long)json_int_or(result, "Images", 0), (long long)json_int_or(result, "Blobs", 0),
           human_size((double)json_int_or(result, "Bytes", 0), 4, size),
           (long long)json_int_or(result, "Layers", 0), (long long)json_int_or(result, "Containers", 0),
           (long long)json_int_or(result, "Volumes", 0));
    if (found)
        printf("%zu found\n", found);
    else
        puts("nothing found");
}

static int system_check_run(struct cli *cli, const struct args *args, struct err *err)
{
    const struct format_wish wish = {.format = args_str(args, "format")};
    struct checking c = {.show = terminal_is(STDERR_FILENO) && !args_bool(args, "quiet")};
    const json_t *findings, *finding;
    size_t i, left = 0;
    int r = ask(cli, args, &c, err);

    findings = json_object_get(c.result, "Findings");
    json_array_foreach (findings, i, finding)
        left += !json_bool_or(finding, "Repaired", false);
    if (r == 0 && !args_bool(args, "quiet")) {
        if (json_array_size(findings) || !str_empty(wish.format))
            r = format_print(&check_view, &wish, findings, err);
        if (r == 0 && str_empty(wish.format))
            print_summary(c.result, json_array_size(findings));
    }
    json_decref(c.result);
    return r < 0 ? -1 : left ? EXIT_FOUND : 0;
}

const struct command cmd_system_check = {
    .paths = "system check",
    .summary = "Verify images, layers and containers, and mend them",
    .arguments = "[OPTIONS]",
    .options = {check_options},
    .run = system_check_run,
};
