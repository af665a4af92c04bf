/* keg inspect, and the inspect commands of containers, images, networks and volumes. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/format.h"
#include "cli/inspect.h"
#include "cli/output.h"
#include "cli/reference.h"

enum { OBJECT_MAX = 256 * 1024 * 1024 };

int inspect_get(struct cli *cli, const char *prefix, const char *name, const char *suffix, struct buf *out,
                struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {.method = "GET", .url = &url};
    struct http *http;
    int r;

    url_path(&url, prefix, name, suffix, NULL);
    http = client_open(cli, &request, err);
    if (!http)
        return -1;
    r = http_read_all(http, out, err);
    client_end(cli, http);
    return r;
}

/* ---- printing ---- */

struct printer {
    struct template *template; /* NULL: JSON */
    bool compact;              /* --format json */
    struct buf out;
    size_t count;
};

static int print_object(struct printer *p, const struct buf *text, struct err *err)
{
    _cleanup_json_ json_t *object = NULL;
    size_t before;
    int r;

    if (!p->template) {
        buf_puts(&p->out, p->count++ ? "," : "");
        if (p->compact) {
            buf_append(&p->out, text->data, text->len);
            while (p->out.len && p->out.data[p->out.len - 1] == '\n')
                p->out.len--;
        } else {
            buf_puts(&p->out, "\n    ");
            indent_json(&p->out, buf_str(text), "    ");
        }
        return 0;
    }
    object = json_parse(buf_str(text), text->len, "the daemon's answer", err);
    if (!object)
        return -1;
    before = p->out.len;
    r = template_execute(p->template, object, &p->out, err);
    if (r == 0)
        buf_putc(&p->out, '\n');
    else
        p->out.len = before; /* half a line helps nobody */
    return r < 0 ? err_wrap(err, "template parsing error") : 0;
}

static void print_all(struct printer *p)
{
    if (!p->template)
        fputs("[", stdout);
    fwrite(buf_str(&p->out), 1, p->out.len, stdout);
    if (!p->template)
        puts(p->count && !p->compact ? "\n]" : "]");
    else if (!p->out.len)
        puts("");
    fflush(stdout);
}

int inspect_print(struct cli *cli, const struct args *args, inspect_fetch *fetch, struct err *err)
{
    const char *format = args_str(args, "format");
    struct printer p = {.out = BUF_INIT(OBJECT_MAX), .compact = str_eq(format, "json")};
    _cleanup_(buf_finish) struct buf complaints = BUF_INIT(1024 * 1024);
    int r = 0;

    if (*format && !p.compact) {
        p.template = template_parse("", format, err);
        if (!p.template) {
            err_wrap(err, "template parsing error");
            cli_complain(err);
            return EXIT_TEMPLATE;
        }
    }
    for (size_t i = 0; i < args->rest_count && r == 0; i++) {
        _cleanup_(buf_finish) struct buf text = BUF_INIT(OBJECT_MAX);
        struct err why = {0};

        if (fetch(cli, args, args->rest[i], &text, &why) < 0)
            buf_printf(&complaints, "%s\n", why.message);
        else
            r = print_object(&p, &text, err);
    }
    print_all(&p);
    template_free(p.template);
    buf_finish(&p.out);
    fputs(buf_str(&complaints), stderr);
    return r < 0 ? -1 : complaints.len ? 1 : 0;
}

/* ---- anything ---- */

/* To add a kind of object: a row. They are tried in this order. */
static const struct {
    const char *type, *prefix, *suffix;
    bool sized; /* -s means something */
    bool asked; /* only when --type names it: there are none yet, as the daemon says */
} kinds[] = {{"container", "/containers/", "/json", .sized = true},
             {"image", "/images/", "/json"},
             {"network", "/networks/", ""},
             {"volume", "/volumes/", ""},
             {"node", "/nodes/", "", .asked = true},
             {"service", "/services/", "", .asked = true},
             {"task", "/tasks/", "", .asked = true},
             {"plugin", "/plugins/", "/json", .asked = true},
             {"secret", "/secrets/", "", .asked = true},
             {"config", "/configs/", "", .asked = true}};

static int fetch_any(struct cli *cli, const struct args *args, const char *name, struct buf *out,
                     struct err *err)
{
    const char *type = args_str(args, "type");

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        bool size = args_bool(args, "size");
        struct err why = {0};

        if (*type ? !str_eq(type, kinds[i].type) : kinds[i].asked)
            continue;
        if (inspect_get(cli, kinds[i].prefix, name, size && kinds[i].sized ? "/json?size=1" : kinds[i].suffix,
                        out, &why) == 0) {
            if (size && !kinds[i].sized)
                fprintf(stderr, "WARNING: --size ignored for %s\n", kinds[i].type);
            return 0;
        }
        if (why.kind != ERR_NOT_FOUND || *type)
            return err_pass(err, &why);
    }
    return err_set(err, ERR_NOT_FOUND, "Error: No such object: %s", name);
}

static int inspect_run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *type = args_str(args, "type");
    bool known = !*type && !args_given(args, "type");

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        known |= str_eq(type, kinds[i].type);
    if (!known)
        return err_set(
            err, ERR_INVALID,
            "unknown type: \"%s\": must be one of \"config\", \"container\", \"image\", \"network\", "
            "\"node\", \"plugin\", \"secret\", \"service\", \"task\", \"volume\"",
            type);
    return inspect_print(cli, args, fetch_any, err);
}

static const struct option_row inspect_options[] = {
    {"format", 'f', OPTION_STRING, format_help_plain},
    {"size", 's', OPTION_BOOL, "Show the sizes of containers"},
    {"type", 0, OPTION_STRING, "Only objects of this type"},
    {NULL},
};

const struct command cmd_inspect = {
    .paths = "inspect",
    .summary = "Show all that is known about objects",
    .arguments = "[OPTIONS] NAME|ID [NAME|ID...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = {inspect_options},
    .run = inspect_run,
};

/* ---- one kind each ---- */

static const struct option_row format_options[] = {
    {"format", 'f', OPTION_STRING, format_help_plain},
    {NULL},
};
static const struct option_row size_options[] = {
    {"size", 's', OPTION_BOOL, "Show sizes"},
    {NULL},
};
static const struct option_row verbose_options[] = {
    {"verbose", 'v', OPTION_BOOL, "Show more, for diagnosis"},
    {NULL},
};
static const struct option_row platform_options[] = {
    {"platform", 0, OPTION_STRING, "The image of this platform (os/arch)"},
    {NULL},
};

static int fetch_container(struct cli *cli, const struct args *args, const char *name, struct buf *out,
                           struct err *err)
{
    return inspect_get(cli, "/containers/", name, args_bool(args, "size") ? "/json?size=1" : "/json", out,
                       err);
}

static int fetch_image(struct cli *cli, const struct args *args, const char *name, struct buf *out,
                       struct err *err)
{
    _cleanup_(buf_finish) struct buf suffix = URL_INIT;

    buf_puts(&suffix, "/json");
    if (!*name)
        return err_set(err, ERR_NOT_FOUND, "Error: No such image: ");
    if (url_add_platform(&suffix, "platform", args_str(args, "platform"), err) < 0)
        return -1;
    return inspect_get(cli, "/images/", name, buf_str(&suffix), out, err);
}

static int fetch_network(struct cli *cli, const struct args *args, const char *name, struct buf *out,
                         struct err *err)
{
    return inspect_get(cli, "/networks/", name, args_bool(args, "verbose") ? "?verbose=true" : "", out, err);
}

static int fetch_volume(struct cli *cli, _unused_ const struct args *args, const char *name, struct buf *out,
                        struct err *err)
{
    return inspect_get(cli, "/volumes/", name, "", out, err);
}

static int check_options(const struct args *args, struct err *err)
{
    return str_eq(args->path, "image inspect") ? platform_check(args_str(args, "platform"), err) : 0;
}

#define INSPECT(kind, title, more)                                                                           \
    static int kind##_run(struct cli *cli, const struct args *args, struct err *err)                         \
    {                                                                                                        \
        return check_options(args, err) < 0 ? -1 : inspect_print(cli, args, fetch_##kind, err);              \
    }                                                                                                        \
    const struct command cmd_##kind##_inspect = {                                                            \
        .paths = #kind " inspect",                                                                           \
        .summary = "Show all that is known about " #kind "s",                                                \
        .arguments = "[OPTIONS] " title " [" title "...]",                                                   \
        .min_arguments = 1,                                                                                  \
        .max_arguments = -1,                                                                                 \
        .options = {format_options, more},                                                                   \
        .run = kind##_run,                                                                                   \
    }
INSPECT(container, "CONTAINER", size_options);
INSPECT(image, "IMAGE", platform_options);
INSPECT(network, "NETWORK", verbose_options);
INSPECT(volume, "VOLUME", NULL);
