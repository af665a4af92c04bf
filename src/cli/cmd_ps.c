/* keg ps. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/format.h"
#include "cli/output.h"

enum { COMMAND_WIDTH = 20, MOUNT_WIDTH = 15 };

static json_t *ps_id(const struct format_row *row)
{
    const char *id = json_str_or(row->data, "Id", "");

    return row->truncate ? format_take(short_id(id)) : json_string(id);
}

/* Its own names come without the slash; names by links ("/web/db") only when nothing is truncated. */
static json_t *ps_names(const struct format_row *row)
{
    _cleanup_strv_ char **names = json_strv(row->data, "Names"), **shown = NULL;

    for (char **n = names; n && *n; n++) {
        const char *name = **n == '/' ? *n + 1 : *n;

        if (!row->truncate || !strchr(name, '/'))
            strv_push(&shown, name);
    }
    return format_take(strv_join(shown, ","));
}

static json_t *ps_image(const struct format_row *row)
{
    const char *image = json_str_or(row->data, "Image", ""), *at = strchr(image, '@');
    const char *id = json_str_or(row->data, "ImageID", "");

    if (!*image)
        return json_string("<no image>");
    if (!row->truncate)
        return json_string(image);
    if (str_eq(image, id) || str_eq(image, str_after(id, "sha256:")))
        return format_take(short_id(image));
    return at ? format_take(xstrndup(image, (size_t)(at - image))) : json_string(image);
}

/* As Go quotes a character that is ASCII: a terminal is told nothing but text. */
static void quote_ascii(struct buf *out, unsigned char c)
{
    static const char names[] = "abtnvfr"; /* from 7 on */

    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c >= 7 && c < 7 + strlen(names))
        buf_printf(out, "\\%c", names[c - 7]);
    else if (c < ' ' || c == 0x7f)
        buf_printf(out, "\\x%02x", c);
    else
        buf_putc(out, (char)c);
}

/* What is invisible although it isn't ASCII, and steers: C1 controls, and those of direction (U+200B to F, 2028 to E, 2060 to
 * F). Its code, or 0. The text is valid UTF-8. */
static unsigned invisible(const char *s)
{
    const unsigned char *c = (const unsigned char *)s;
    unsigned code = 0;

    if (c[0] == 0xc2 && c[1] <= 0xa0)
        return c[1];
    if (c[0] == 0xe2 && (c[1] == 0x80 || c[1] == 0x81))
        code = 0x2000 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
    return (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
                   (code >= 0x2060 && code <= 0x206f)
               ? code
               : 0;
}

static json_t *ps_command(const struct format_row *row)
{
    const char *whole = json_str_or(row->data, "Command", "");
    _cleanup_free_ char *command = row->truncate ? ellipsis(whole, COMMAND_WIDTH) : xstrdup(whole);
    _cleanup_(buf_finish) struct buf quoted = BUF_INIT(1024 * 1024);

    buf_putc(&quoted, '"');
    for (const char *c = command; *c; c++) {
        unsigned code = invisible(c);

        if (code) {
            buf_printf(&quoted, "\\u%04x", code);
            c += code < 0x800 ? 1 : 2;
        } else if ((unsigned char)*c < 0x80) {
            quote_ascii(&quoted, (unsigned char)*c);
        } else {
            buf_putc(&quoted, *c);
        }
    }
    buf_putc(&quoted, '"');
    return json_string(buf_str(&quoted));
}

static json_t *ps_created_at(const struct format_row *row)
{
    return format_take(local_time(json_int_or(row->data, "Created", 0) * CLOCK_NS_PER_S));
}

static json_t *ps_running_for(const struct format_row *row)
{
    return format_take(human_ago(json_int_or(row->data, "Created", 0) * CLOCK_NS_PER_S));
}

static json_t *ps_status(const struct format_row *row)
{
    return format_member(row, "Status");
}

static json_t *ps_state(const struct format_row *row)
{
    return format_member(row, "State");
}

static json_t *ps_labels(const struct format_row *row)
{
    return format_take(format_map(json_object_get(row->data, "Labels")));
}

static json_t *ps_size(const struct format_row *row)
{
    int64_t written = json_int_or(row->data, "SizeRw", 0), all = json_int_or(row->data, "SizeRootFs", 0);
    char a[SIZE_TEXT], b[SIZE_TEXT];

    human_size((double)written, 3, a);
    if (all <= 0)
        return json_string(a);
    return format_take(xasprintf("%s (virtual %s)", a, human_size((double)all, 3, b)));
}

static json_t *ps_mounts(const struct format_row *row)
{
    _cleanup_strv_ char **names = NULL;
    const json_t *mount;
    size_t i;

    json_array_foreach (json_object_get(row->data, "Mounts"), i, mount) {
        const char *name = json_str_or(mount, "Name", "");

        if (!*name)
            name = json_str_or(mount, "Source", "");
        strv_push_take(&names, row->truncate ? ellipsis(name, MOUNT_WIDTH) : xstrdup(name));
    }
    return format_take(strv_join(names, ","));
}

static json_t *ps_local_volumes(const struct format_row *row)
{
    const json_t *mount;
    int count = 0;
    size_t i;

    json_array_foreach (json_object_get(row->data, "Mounts"), i, mount)
        count += str_eq(json_str(mount, "Driver"), "local");
    return format_take(xasprintf("%d", count));
}

static json_t *ps_networks(const struct format_row *row)
{
    _cleanup_strv_ char **names = NULL;
    const char *name;
    json_t *network;

    json_object_foreach (json_at(row->data, "NetworkSettings.Networks"), name, network)
        strv_push(&names, name);
    return format_take(strv_join(names, ","));
}

static json_t *ps_platform(const struct format_row *row)
{
    json_t *platform = json_at(row->data, "ImageManifestDescriptor.platform");

    return platform ? json_incref(platform) : json_null();
}

/* ---- ports ---- */

struct port {
    int private, public;
    const char *ip, *type;
};

static int compare_ports(const void *a, const void *b)
{
    const struct port *x = a, *y = b;
    int r = x->private - y->private;

    if (!r)
        r = strcmp(x->ip, y->ip);
    if (!r)
        r = x->public - y->public;
    return r ? r : strcmp(x->type, y->type);
}

/* A run of neighbouring ports that are published alike. */
struct port_group {
    const struct port *port;
    int last;
};

static char *group_text(const struct port_group *g)
{
    char range[32];
    bool v6 = strchr(g->port->ip, ':') != NULL;

    snprintf(range, sizeof(range), g->port->private == g->last ? "%d" : "%d-%d", g->port->private, g->last);
    if (!*g->port->ip)
        return xasprintf("%s/%s", range, g->port->type);
    return xasprintf("%s%s%s:%s->%s/%s", v6 ? "[" : "", g->port->ip, v6 ? "]" : "", range, range,
                     g->port->type);
}

static struct port_group *find_group(struct port_group *groups, size_t count, const struct port *port)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(groups[i].port->ip, port->ip) && str_eq(groups[i].port->type, port->type))
            return &groups[i];
    return NULL;
}

/* "0.0.0.0:80->80/tcp, 443/tcp": ports that keep their number are joined to ranges, the others follow. */
static json_t *ps_ports(const struct format_row *row)
{
    const json_t *list = json_object_get(row->data, "Ports"), *item;
    size_t count = json_array_size(list), group_count = 0, i;
    _cleanup_free_ struct port *ports = xcalloc(count + 1, sizeof(*ports));
    _cleanup_free_ struct port_group *groups = xcalloc(count + 1, sizeof(*groups));
    _cleanup_strv_ char **texts = NULL, **mapped = NULL;

    json_array_foreach (list, i, item)
        ports[i] =
            (struct port){(int)json_int_or(item, "PrivatePort", 0), (int)json_int_or(item, "PublicPort", 0),
                          json_str_or(item, "IP", ""), json_str_or(item, "Type", "")};
    qsort(ports, count, sizeof(*ports), compare_ports);
    for (i = 0; i < count; i++) {
        const struct port *p = &ports[i];
        struct port_group *g = find_group(groups, group_count, p);
        bool v6 = strchr(p->ip, ':') != NULL;

        if (*p->ip && p->public != p->private) {
            strv_push_take(&mapped, xasprintf("%s%s%s:%d->%d/%s", v6 ? "[" : "", p->ip, v6 ? "]" : "",
                                              p->public, p->private, p->type));
        } else if (!g) {
            groups[group_count++] = (struct port_group){p, p->private};
        } else if (p->private == g->last + 1) {
            g->last = p->private;
        } else {
            strv_push_take(&texts, group_text(g));
            *g = (struct port_group){p, p->private};
        }
    }
    for (i = 0; i < group_count; i++)
        strv_push_take(&texts, group_text(&groups[i]));
    for (char **m = mapped; m && *m; m++)
        strv_push(&texts, *m);
    return format_take(strv_join(texts, ", "));
}

static const struct format_column ps_columns[] = {
    {"Command", "COMMAND", ps_command},
    {"CreatedAt", "CREATED AT", ps_created_at},
    {"ID", "CONTAINER ID", ps_id},
    {"Image", "IMAGE", ps_image},
    {"Labels", "LABELS", ps_labels},
    {"LocalVolumes", "LOCAL VOLUMES", ps_local_volumes},
    {"Mounts", "MOUNTS", ps_mounts},
    {"Names", "NAMES", ps_names},
    {"Networks", "NETWORKS", ps_networks},
    {"Platform", "PLATFORM", ps_platform},
    {"Ports", "PORTS", ps_ports},
    {"RunningFor", "CREATED", ps_running_for},
    {"Size", "SIZE", ps_size},
    {"State", "STATE", ps_state},
    {"Status", "STATUS", ps_status},
    {NULL},
};

#define PS_TABLE "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
#define PS_RAW                                                                                               \
    "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\n"          \
    "state: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\nnames: {{.Names}}\n"                        \
    "labels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n"
const struct format_view ps_view = {"*formatter.ContainerContext", PS_TABLE, "{{.ID}}", ps_columns, PS_RAW,
                                    "container_id: {{.ID}}"};
static const struct format_view ps_view_size = {
    "*formatter.ContainerContext", PS_TABLE "\t{{.Size}}", "{{.ID}}", ps_columns,
    PS_RAW "size: {{.Size}}\n",    "container_id: {{.ID}}"};

static const struct option_row ps_options[] = {
    {"all", 'a', OPTION_BOOL, "Show stopped containers as well"},
    {"filter", 'f', OPTION_FILTER, "Show only what matches (name=value)"},
    {"format", 0, OPTION_STRING, format_help_table},
    {"last", 'n', OPTION_INT, "Show the n created last, in any state", "-1"},
    {"latest", 'l', OPTION_BOOL, "Show the one created last, in any state"},
    {"no-trunc", 0, OPTION_BOOL, "Don't shorten anything"},
    {"quiet", 'q', OPTION_BOOL, "Print only IDs"},
    {"size", 's', OPTION_BOOL, "Show sizes"},
    {NULL},
};

/* Sizes cost the daemon time: they are asked for only when the format shows them. */
static bool needs_size(const char *format)
{
    return strstr(format, ".Size") || strstr(format, "json .}}") || strstr(format, "json . }}");
}

/* Whether a template is made of plain fields that a brief row has. */
static bool needs_little(const char *format)
{
    static const char *const brief[] = {"Command", "CreatedAt", "ID",         "Image",
                                        "Names",   "Ports",     "RunningFor", "Status"};

    for (const char *at = format; (at = strstr(at, "{{"));) {
        bool found = false;

        at += strlen("{{");
        for (size_t i = 0; i < ARRAY_SIZE(brief) && !found; i++) {
            size_t len = strlen(brief[i]);

            found = *at == '.' && strncmp(at + 1, brief[i], len) == 0 && str_starts(at + 1 + len, "}}");
        }
        if (!found)
            return false;
    }
    return true;
}

/* Long lists are for the most part what few formats show. A daemon that doesn't know how to leave it out says it all. */
static bool may_be_brief(const struct format_wish *wish)
{
    bool is_table = str_empty(wish->format) || str_eq(wish->format, "table");

    return wish->quiet || is_table ||
           (!str_eq(wish->format, "json") && !str_eq(wish->format, "raw") && needs_little(wish->format));
}

static int ps_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *rows = NULL;
    struct format_wish wish = {.format = args_str(args, "format"),
                               .quiet = args_bool(args, "quiet"),
                               .no_trunc = args_bool(args, "no-trunc")};
    int64_t last = args_int(args, "last", -1);
    bool size = args_bool(args, "size");

    wish.format = config_format(cli, "psFormat", wish.format, wish.quiet);
    if (wish.quiet && *wish.format && !str_eq(wish.format, "table") && !str_eq(wish.format, "raw")) {
        fputs("WARNING: Ignoring custom format, because both --format and --quiet are set.\n", stderr);
        wish.format = "";
    }
    if (*wish.format && format_check(&ps_view, &wish, err) < 0)
        return -1;
    if (needs_size(wish.format) && !args_given(args, "size"))
        size = true;
    if (args_bool(args, "latest") && last == -1)
        last = 1;
    url_path(&url, "/containers/json", NULL);
    url_add_bool(&url, "all", args_bool(args, "all") || last > 0);
    url_add_bool(&url, "size", size);
    url_add_bool(&url, "keg-brief", !size && may_be_brief(&wish));
    if (last > 0)
        buf_printf(&url, "%climit=%lld", strchr(buf_str(&url), '?') ? '&' : '?', (long long)last);
    url_add_filters(&url, args_list(args, "filter"));
    rows = client_get(cli, &url, err);
    if (!rows)
        return -1;
    return format_print(args_bool(args, "size") ? &ps_view_size : &ps_view, &wish, rows, err);
}

const struct command cmd_ps = {
    .paths = "container ls,container list,container ps,ps",
    .summary = "List containers",
    .arguments = "[OPTIONS]",
    .flags = COMMAND_COMMON,
    .options = {ps_options},
    .run = ps_run,
};
