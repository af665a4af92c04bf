/* keg events. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/format.h"
#include "cli/times.h"

static const struct option_row events_options[] = {
    {"filter", 'f', OPTION_FILTER, "Show only what matches (name=value)"},
    {"format", 0, OPTION_STRING, format_help_plain},
    {"since", 0, OPTION_STRING, "Begin with what happened since then"},
    {"until", 0, OPTION_STRING, "End then"},
    {NULL},
};

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "2006-01-02T15:04:05.000000000Z container start ID (image=…, name=…)" */
static void print_event(const json_t *event)
{
    const json_t *actor = json_object_get(event, "Actor"), *attributes = json_object_get(actor, "Attributes");
    int64_t ns = json_int_or(event, "timeNano", 0);
    _cleanup_strv_ char **pairs = NULL;
    _cleanup_free_ char *joined = NULL;
    time_t seconds;
    char date[40], zone[16];
    const char *key;
    json_t *value;
    struct tm tm;

    if (!ns)
        ns = json_int_or(event, "time", 0) * CLOCK_NS_PER_S;
    seconds = ns / CLOCK_NS_PER_S;
    localtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(zone, sizeof(zone), "%z", &tm);
    json_object_foreach ((json_t *)attributes, key, value)
        strv_push_take(&pairs,
                       xasprintf("%s=%s", key, json_string_value(value) ? json_string_value(value) : ""));
    if (pairs)
        qsort(pairs, strv_len(pairs), sizeof(*pairs), compare_strings);
    joined = strv_join(pairs, ", ");
    printf("%s.%09lld", date, (long long)(ns % CLOCK_NS_PER_S));
    if (tm.tm_gmtoff == 0)
        putchar('Z');
    else
        printf("%.3s:%s", zone, zone + 3);
    printf(" %s %s %s%s%s%s\n", json_str_or(event, "Type", ""), json_str_or(event, "Action", ""),
           json_str_or(actor, "ID", ""), pairs ? " (" : "", joined, pairs ? ")" : "");
}

struct event_row {
    struct template_row base;
    const json_t *event;
};

/* Some of an event's fields have other names in JSON than in templates. */
static json_t *event_field(const struct template_row *base, const char *name, const char *argument,
                           _unused_ struct err *err)
{
    static const struct {
        const char *name, *key;
    } fields[] = {
        {"Action", "Action"}, {"Actor", "Actor"}, {"From", "from"},
        {"ID", "id"},         {"Scope", "scope"}, {"Status", "status"},
        {"Time", "time"},     {"Type", "Type"},   {"TimeNano", "timeNano"},
    };
    json_t *member;

    for (size_t i = 0; !argument && i < ARRAY_SIZE(fields); i++)
        if (str_eq(name, fields[i].name)) {
            member = json_object_get(((const struct event_row *)base)->event, fields[i].key);
            return member ? json_incref(member) : json_string("");
        }
    return NULL;
}

static json_t *event_all(const struct template_row *base)
{
    return json_incref((json_t *)((const struct event_row *)base)->event);
}

static int show_event(const json_t *event, void *arg, struct err *err)
{
    const struct template *t = arg;
    struct event_row row = {{"*events.Message", event_field, event_all}, event};
    _cleanup_(buf_finish) struct buf out = BUF_INIT(16 * 1024 * 1024);

    if (!t) {
        print_event(event);
    } else {
        if (template_execute_row(t, &row.base, &out, err) < 0)
            return err_wrap(err, "Error parsing format");
        puts(buf_str(&out));
    }
    fflush(stdout);
    return 0;
}

/* What is wrong for every event is said before the first. */
static int check_template(const struct template *t, struct err *err)
{
    _cleanup_json_ json_t *nothing = json_pack("{s:{s:s, s:{}}}", "Actor", "ID", "", "Attributes");
    struct event_row row = {{"*events.Message", event_field, event_all}, nothing};
    _cleanup_(buf_finish) struct buf ignored = BUF_INIT(1024 * 1024);

    return template_execute_row(t, &row.base, &ignored, err);
}

static int events_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_(template_free_p) struct template *t = NULL;
    struct client_request request = {.method = "GET", .url = &url};
    const char *format = args_str(args, "format");
    _cleanup_(http_free_p) struct http *http = NULL;

    if (*format) {
        t = template_parse("", str_eq(format, "json") ? "{{json .}}" : format, err);
        if (!t || check_template(t, err) < 0) {
            err_wrap(err, "Error parsing format");
            cli_complain(err);
            return EXIT_TEMPLATE;
        }
    }
    url_path(&url, "/events", NULL);
    if (times_add(&url, "since", args_str(args, "since"), /* named= */ false, err) < 0 ||
        times_add(&url, "until", args_str(args, "until"), /* named= */ false, err) < 0)
        return -1;
    url_add_filters(&url, args_list(args, "filter"));
    http = client_open(cli, &request, err);
    return http ? client_each_json(http, show_event, t, err) : -1;
}

const struct command cmd_events = {
    .paths = "system events,events",
    .summary = "Show what happens, as it happens",
    .arguments = "[OPTIONS]",
    .options = {events_options},
    .run = events_run,
};
