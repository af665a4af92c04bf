/* keg search. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/credentials.h"
#include "cli/format.h"
#include "cli/output.h"

enum { DESCRIPTION_MAX = 45 };

static json_t *search_name(const struct format_row *row)
{
    return format_member(row, "name");
}

/* One line of it, cut to what fits. */
static json_t *search_description(const struct format_row *row)
{
    _cleanup_free_ char *text = xstrdup(json_str_or(row->data, "description", ""));
    size_t len;

    for (char *c = text; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    len = strlen(text);
    if (!row->truncate || len <= DESCRIPTION_MAX)
        return json_string(text);
    for (len = DESCRIPTION_MAX - 1; len > 0 && (text[len] & 0xc0) == 0x80;) /* not inside a character */
        len--;
    return format_take(xasprintf("%.*s…", (int)len, text));
}

static json_t *search_stars(const struct format_row *row)
{
    return format_take(xasprintf("%lld", (long long)json_int_or(row->data, "star_count", 0)));
}

static json_t *search_official(const struct format_row *row)
{
    return json_string(json_is_true(json_object_get(row->data, "is_official")) ? "[OK]" : "");
}

static json_t *search_automated(_unused_ const struct format_row *row)
{
    return json_string("");
}

static const struct format_column search_columns[] = {
    {"Description", "DESCRIPTION", search_description},
    {"IsAutomated", "AUTOMATED", search_automated},
    {"IsOfficial", "OFFICIAL", search_official},
    {"Name", "NAME", search_name},
    {"StarCount", "STARS", search_stars},
    {NULL},
};

static const struct format_view search_view = {"*formatter.SearchContext",
                                               "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
                                               "{{.Name}}", search_columns};

static const struct option_row search_options[] = {
    {"filter", 'f', OPTION_FILTER, "Show only what matches (name=value)"},
    {"format", 0, OPTION_STRING, format_help_table},
    {"limit", 0, OPTION_INT, "Show at most so many (0: 25, at most 100)"},
    {"no-trunc", 0, OPTION_BOOL, "Don't shorten anything"},
    {NULL},
};

/* Whose credentials to send: those for the host before the first slash, or the hub's. The caller frees. */
static char *search_header(struct cli *cli, const char *term)
{
    const char *slash = strchr(term, '/');
    _cleanup_free_ char *host = slash ? xstrndup(term, (size_t)(slash - term)) : NULL;

    return credentials_header(cli, host && strpbrk(host, ".:") ? host : "docker.io");
}

static int take_answer(const json_t *value, void *arg, _unused_ struct err *err)
{
    *(json_t **)arg = json_incref((json_t *)value);
    return 0;
}

static int search_run(struct cli *cli, const struct args *args, struct err *err)
{
    const struct format_wish wish = {.format = args_str(args, "format"),
                                     .no_trunc = args_bool(args, "no-trunc")};
    _cleanup_free_ char *header = search_header(cli, args->rest[0]);
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {.method = "GET", .url = &url, .headers = header};
    _cleanup_json_ json_t *found = NULL;
    struct http *http;
    int r;

    url_path(&url, "/images/search", NULL);
    url_add(&url, "term", args->rest[0]);
    url_add(&url, "limit", args_str(args, "limit"));
    url_add_filters(&url, args_list(args, "filter"));
    http = client_open(cli, &request, err);
    if (!http)
        return -1;
    r = client_each_json(http, take_answer, &found, err);
    client_end(cli, http);
    if (r == 0 && !found)
        r = err_set(err, ERR_SYSTEM, "the daemon's answer is empty");
    return r < 0 ? -1 : format_print(&search_view, &wish, found, err);
}

const struct command cmd_search = {
    .paths = "search",
    .summary = "Search a registry for images",
    .arguments = "[OPTIONS] TERM",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = COMMAND_COMMON,
    .options = {search_options},
    .run = search_run,
};
