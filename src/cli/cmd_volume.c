/* keg volume. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/create.h"
#include "cli/format.h"
#include "cli/output.h"

/* ---- ls ---- */

static json_t *volume_name(const struct format_row *row)
{
    return format_member(row, "Name");
}

static json_t *volume_driver(const struct format_row *row)
{
    return format_member(row, "Driver");
}

static json_t *volume_scope(const struct format_row *row)
{
    return format_member(row, "Scope");
}

static json_t *volume_mountpoint(const struct format_row *row)
{
    return format_member(row, "Mountpoint");
}

static json_t *volume_labels(const struct format_row *row)
{
    return format_take(format_map(json_object_get(row->data, "Labels")));
}

static json_t *volume_links(const struct format_row *row)
{
    int64_t links = json_int_or(json_object_get(row->data, "UsageData"), "RefCount", -1);

    return links < 0 ? json_string("N/A") : format_take(xasprintf("%lld", (long long)links));
}

static json_t *volume_size(const struct format_row *row)
{
    int64_t size = json_int_or(json_object_get(row->data, "UsageData"), "Size", -1);
    char text[SIZE_TEXT];

    return json_string(size < 0 ? "N/A" : human_size((double)size, 4, text));
}

static json_t *not_applicable(_unused_ const struct format_row *row)
{
    return json_string("N/A");
}

static const struct format_column volume_columns[] = {
    {"Availability", "AVAILABILITY", not_applicable},
    {"Driver", "DRIVER", volume_driver},
    {"Group", "GROUP", not_applicable},
    {"Labels", "LABELS", volume_labels},
    {"Links", "LINKS", volume_links},
    {"Mountpoint", "MOUNTPOINT", volume_mountpoint},
    {"Name", "VOLUME NAME", volume_name},
    {"Scope", "SCOPE", volume_scope},
    {"Size", "SIZE", volume_size},
    {"Status", "STATUS", not_applicable},
    {NULL},
};
const struct format_view volume_view = {"*formatter.volumeContext",
                                        "{{.Driver}}\t{{.Name}}",
                                        "{{.Name}}",
                                        volume_columns,
                                        "name: {{.Name}}\ndriver: {{.Driver}}\n",
                                        "name: {{.Name}}"};

static const struct option_row list_options[] = {
    {"filter", 'f', OPTION_FILTER, "Show only what matches (name=value)"},
    {"format", 0, OPTION_STRING, format_help_table},
    {"quiet", 'q', OPTION_BOOL, "Print only names"},
    {NULL},
};

static int volume_ls_run(struct cli *cli, const struct args *args, struct err *err)
{
    struct format_wish wish = {.format = args_str(args, "format"), .quiet = args_bool(args, "quiet")};
    _cleanup_json_ json_t *answer = NULL, *sorted = NULL;
    _cleanup_(buf_finish) struct buf url = URL_INIT;

    wish.format = config_format(cli, "volumesFormat", wish.format, wish.quiet);
    url_path(&url, "/volumes", NULL);
    url_add_filters(&url, args_list(args, "filter"));
    answer = client_get(cli, &url, err);
    if (!answer)
        return -1;
    sorted = format_sorted(json_object_get(answer, "Volumes"), "Name");
    return format_print(&volume_view, &wish, sorted, err);
}

const struct command cmd_volume_ls = {
    .paths = "volume ls,volume list",
    .summary = "List volumes",
    .arguments = "[OPTIONS]",
    .options = {list_options},
    .run = volume_ls_run,
};

/* ---- create, rm ---- */

static const struct option_row create_volume_options[] = {
    {"driver", 'd', OPTION_STRING, "Driver of the volume", "local"},
    {"label", 0, OPTION_LABEL, "Set labels"},
    {"name", 0, OPTION_STRING, "Name of the volume", NULL, true},
    {"opt", 'o', OPTION_MAP, "Options of the driver", "map[]"},
    {NULL},
};

static int volume_create_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *answer = NULL;
    _cleanup_strv_ char **labels = NULL;
    const char *name = args->rest_count ? args->rest[0] : args_str(args, "name");
    json_t *body;

    if (args->rest_count && args_given(args, "name"))
        return err_set(err, ERR_INVALID,
                       "conflicting options: cannot specify a volume-name through both --name and as a "
                       "positional arg");
    if (create_read_variables(args_list(args, "label"), NULL, false, &labels, err) < 0)
        return -1;
    body = json_pack("{s:s, s:o, s:o}", "Driver", args_str(args, "driver"), "DriverOpts",
                     create_map(args_list(args, "opt")), "Labels", create_map(labels));
    if (*name)
        json_set_str(body, "Name", name);
    url_path(&url, "/volumes/create", NULL);
    if (client_call(cli, "POST", &url, body, &answer, err) < 0)
        return -1;
    puts(json_str_or(answer, "Name", ""));
    return 0;
}

const struct command cmd_volume_create = {
    .paths = "volume create",
    .summary = "Create a volume",
    .arguments = "[OPTIONS] [VOLUME]",
    .max_arguments = 1,
    .options = {create_volume_options},
    .run = volume_create_run,
};

static const struct option_row rm_options[] = {
    {"force", 'f', OPTION_BOOL, "Don't fail if it doesn't exist"},
    {NULL},
};

static int volume_rm_one(struct cli *cli, const struct args *args, const char *name, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;

    url_path(&url, "/volumes/", name, NULL);
    url_add_bool(&url, "force", args_bool(args, "force"));
    return client_call(cli, "DELETE", &url, NULL, NULL, err);
}

static int volume_rm_run(struct cli *cli, const struct args *args, _unused_ struct err *err)
{
    return cli_for_each(cli, args, volume_rm_one);
}

const struct command cmd_volume_rm = {
    .paths = "volume rm,volume remove",
    .summary = "Remove volumes that no container uses",
    .arguments = "[OPTIONS] VOLUME [VOLUME...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = {rm_options},
    .run = volume_rm_run,
};
