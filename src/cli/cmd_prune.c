/* The prune commands, and system df. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/format.h"
#include "cli/output.h"

static const struct option_row prune_options[] = {
    {"filter", 0, OPTION_FILTER, "Remove only what matches (\"until=...\", \"label=...\")"},
    {"force", 'f', OPTION_BOOL, "Don't ask"},
    {NULL},
};
static const struct option_row all_options[] = {
    {"all", 'a', OPTION_BOOL, "Remove everything that isn't used"},
    {NULL},
};

/* What one prune call is, and how its answer reads. */
struct prune {
    const char *path;    /* of the API */
    const char *title;   /* above the list */
    const char *deleted; /* the answer's list */
    const char *extra;   /* one more filter, or NULL */
};

static const struct prune prune_containers = {"/containers/prune", "Deleted Containers:", "ContainersDeleted",
                                              NULL};
static const struct prune prune_networks = {"/networks/prune", "Deleted Networks:", "NetworksDeleted", NULL};
static const struct prune prune_volumes = {"/volumes/prune", "Deleted Volumes:", "VolumesDeleted", NULL};
static const struct prune prune_all_volumes = {"/volumes/prune", "Deleted Volumes:", "VolumesDeleted",
                                               "all=true"};
static const struct prune prune_images = {"/images/prune", "Deleted Images:", "ImagesDeleted",
                                          "dangling=true"};
static const struct prune prune_all_images = {"/images/prune", "Deleted Images:", "ImagesDeleted",
                                              "dangling=false"};

static void print_deleted(const struct prune *prune, const json_t *list)
{
    const json_t *item;
    size_t i;

    if (!json_array_size(list))
        return;
    puts(prune->title);
    json_array_foreach (list, i, item) {
        const char *untagged = json_str(item, "Untagged");

        if (json_is_string(item))
            puts(json_string_value(item));
        else
            printf("%s: %s\n", untagged ? "untagged" : "deleted",
                   untagged ? untagged : json_str_or(item, "Deleted", ""));
    }
    putchar('\n');
}

/* The file's "pruneFilters" as well, but for a label that the command line speaks of in the other sense. */
static void add_configured(struct cli *cli, char ***filters)
{
    _cleanup_strv_ char **configured = json_strv(config_get(cli), "pruneFilters");

    for (char **f = configured; f && *f; f++) {
        const char *not_label = str_after(*f, "label!="), *label = str_after(*f, "label=");
        _cleanup_free_ char *opposite = not_label ? xasprintf("label=%s", not_label)
                                        : label   ? xasprintf("label!=%s", label)
                                                  : NULL;
        bool against = false;

        for (char **given = *filters; opposite && given && *given; given++)
            against |= str_eq(*given, opposite);
        if (!against)
            strv_push(filters, *f);
    }
}

/* One call; adds what it freed to *freed. */
static int prune_one(struct cli *cli, const struct args *args, const struct prune *prune, int64_t *freed,
                     struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *answer = NULL;
    _cleanup_strv_ char **filters = NULL;

    for (char **f = args_list(args, "filter"); f && *f; f++)
        if (!prune->extra || strncmp(*f, prune->extra, strcspn(prune->extra, "=") + 1) != 0)
            strv_push(&filters, *f); /* what -a says counts */
    add_configured(cli, &filters);
    if (prune->extra)
        strv_push(&filters, prune->extra);
    url_path(&url, prune->path, NULL);
    url_add_filters(&url, filters);
    if (client_call(cli, "POST", &url, NULL, &answer, err) < 0)
        return -1;
    print_deleted(prune, json_object_get(answer, prune->deleted));
    *freed += json_int_or(answer, "SpaceReclaimed", 0);
    return 0;
}

static int prune_run(struct cli *cli, const struct args *args, const struct prune *prune, const char *warning,
                     struct err *err)
{
    char size[SIZE_TEXT];
    int64_t freed = 0;

    if (!args_bool(args, "force") && !cli_confirm(warning))
        return 0;
    if (prune_one(cli, args, prune, &freed, err) < 0)
        return -1;
    if (prune != &prune_networks)
        printf("Total reclaimed space: %s\n", human_size((double)freed, 4, size));
    return 0;
}

static int container_prune_run(struct cli *cli, const struct args *args, struct err *err)
{
    return prune_run(cli, args, &prune_containers, "WARNING! This will remove all stopped containers.", err);
}

static int network_prune_run(struct cli *cli, const struct args *args, struct err *err)
{
    return prune_run(cli, args, &prune_networks,
                     "WARNING! This will remove all custom networks not used by at least one container.",
                     err);
}

static int volume_prune_run(struct cli *cli, const struct args *args, struct err *err)
{
    if (args_bool(args, "all"))
        return prune_run(cli, args, &prune_all_volumes,
                         "WARNING! This will remove all local volumes not used by at least one container.",
                         err);
    return prune_run(cli, args, &prune_volumes,
                     "WARNING! This will remove anonymous local volumes not used by at least one container.",
                     err);
}

static int image_prune_run(struct cli *cli, const struct args *args, struct err *err)
{
    if (args_bool(args, "all"))
        return prune_run(
            cli, args, &prune_all_images,
            "WARNING! This will remove all images without at least one container associated to them.", err);
    return prune_run(cli, args, &prune_images, "WARNING! This will remove all dangling images.", err);
}

#define PRUNE(name, kind, text, more)                                                                        \
    const struct command cmd_##name##_prune = {                                                              \
        .paths = kind " prune",                                                                              \
        .summary = text,                                                                                     \
        .arguments = "[OPTIONS]",                                                                            \
        .options = {prune_options, more},                                                                    \
        .run = name##_prune_run,                                                                             \
    }
PRUNE(container, "container", "Remove all stopped containers", NULL);
PRUNE(network, "network", "Remove all networks that no container uses", NULL);
PRUNE(volume, "volume", "Remove anonymous volumes that no container uses", all_options);
PRUNE(image, "image", "Remove images without a name", all_options);

/* ---- system prune ---- */

static const struct option_row system_prune_options[] = {
    {"all", 'a', OPTION_BOOL, "Remove all images that no container uses"},
    {"volumes", 0, OPTION_BOOL, "Remove anonymous volumes as well"},
    {NULL},
};

static int system_prune_run(struct cli *cli, const struct args *args, struct err *err)
{
    bool all = args_bool(args, "all"), volumes = args_bool(args, "volumes");
    _cleanup_(buf_finish) struct buf filters = BUF_INIT(64 * 1024);
    _cleanup_free_ char *warning = NULL;
    char size[SIZE_TEXT];
    int64_t freed = 0;

    for (char **f = args_list(args, "filter"); f && *f; f++) {
        if (volumes && str_starts(*f, "until="))
            return err_set(err, ERR_INVALID,
                           "ERROR: The \"until\" filter is not supported with \"--volumes\"");
        buf_printf(&filters, "%s  - %s\n",
                   filters.len ? "" : "\n  Items to be pruned will be filtered with:\n", *f);
    }
    warning = xasprintf(
        "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one "
        "container\n%s  - all %s\n  - %s build cache\n%s",
        volumes ? "  - all anonymous volumes not used by at least one container\n" : "",
        all ? "images without at least one container associated to them" : "dangling images",
        all ? "all" : "unused", buf_str(&filters));
    if (!args_bool(args, "force") && !cli_confirm(warning))
        return 0;
    if (prune_one(cli, args, &prune_containers, &freed, err) < 0 ||
        prune_one(cli, args, &prune_networks, &freed, err) < 0 ||
        (volumes && prune_one(cli, args, &prune_volumes, &freed, err) < 0) ||
        prune_one(cli, args, all ? &prune_all_images : &prune_images, &freed, err) < 0)
        return -1;
    printf("Total reclaimed space: %s\n", human_size((double)freed, 4, size));
    return 0;
}

const struct command cmd_system_prune = {
    .paths = "system prune",
    .summary = "Remove everything that isn't used",
    .arguments = "[OPTIONS]",
    .options = {prune_options, system_prune_options},
    .run = system_prune_run,
};

/* ---- system df ---- */

static json_t *df_type(const struct format_row *row)
{
    return format_member(row, "type");
}

static json_t *df_total(const struct format_row *row)
{
    return format_take(xasprintf("%lld", (long long)json_int_or(row->data, "total", 0)));
}

static json_t *df_active(const struct format_row *row)
{
    return format_take(xasprintf("%lld", (long long)json_int_or(row->data, "active", 0)));
}

static json_t *df_size(const struct format_row *row)
{
    char text[SIZE_TEXT];

    return json_string(human_size((double)json_int_or(row->data, "size", 0), 4, text));
}

static json_t *df_reclaimable(const struct format_row *row)
{
    int64_t size = json_int_or(row->data, "size", 0), free_size = json_int_or(row->data, "reclaimable", 0);
    char text[SIZE_TEXT];

    human_size((double)free_size, 4, text);
    if (size <= 0)
        return json_string(text);
    return format_take(xasprintf("%s (%lld%%)", text, (long long)(free_size * 100 / size)));
}

static const struct format_column df_columns[] = {
    {"Active", "ACTIVE", df_active}, {"Reclaimable", "RECLAIMABLE", df_reclaimable},
    {"Size", "SIZE", df_size},       {"TotalCount", "TOTAL", df_total},
    {"Type", "TYPE", df_type},       {NULL},
};
static const struct format_view df_view = {
    "*formatter.diskUsageImagesContext",
    "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}", "{{.Type}}", df_columns,
    .raw = "type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: "
           "{{.Reclaimable}}\n"};

static void add_df_row(json_t *rows, const char *type, int64_t total, int64_t active, int64_t size,
                       int64_t reclaimable)
{
    json_array_append_new(rows,
                          json_pack("{s:s, s:I, s:I, s:I, s:I}", "type", type, "total", (json_int_t)total,
                                    "active", (json_int_t)active, "size", (json_int_t)size, "reclaimable",
                                    (json_int_t)MAX_OF(reclaimable, 0)));
}

static void add_images(json_t *rows, const json_t *usage)
{
    int64_t size = json_int_or(usage, "LayersSize", 0), used = 0, active = 0;
    const json_t *list = json_object_get(usage, "Images"), *image;
    size_t i;

    json_array_foreach (list, i, image)
        if (json_int_or(image, "Containers", 0) > 0) {
            active++;
            used += json_int_or(image, "Size", 0) - MAX_OF(json_int_or(image, "SharedSize", 0), 0);
        }
    add_df_row(rows, "Images", (int64_t)json_array_size(list), active, size, size - used);
}

static void add_containers(json_t *rows, const json_t *usage)
{
    const json_t *list = json_object_get(usage, "Containers"), *container;
    int64_t size = 0, used = 0, active = 0;
    size_t i;

    json_array_foreach (list, i, container) {
        const char *state = json_str_or(container, "State", "");
        bool alive = str_eq(state, "running") || str_eq(state, "paused") || str_eq(state, "restarting");

        size += json_int_or(container, "SizeRw", 0);
        used += alive ? json_int_or(container, "SizeRw", 0) : 0;
        active += alive;
    }
    add_df_row(rows, "Containers", (int64_t)json_array_size(list), active, size, size - used);
}

static void add_volumes(json_t *rows, const json_t *usage)
{
    const json_t *list = json_object_get(usage, "Volumes"), *volume;
    int64_t size = 0, used = 0, active = 0;
    size_t i;

    json_array_foreach (list, i, volume) {
        const json_t *data = json_object_get(volume, "UsageData");
        int64_t bytes = MAX_OF(json_int_or(data, "Size", 0), 0);
        bool in_use = json_int_or(data, "RefCount", 0) > 0;

        size += bytes;
        used += in_use ? bytes : 0;
        active += in_use;
    }
    add_df_row(rows, "Local Volumes", (int64_t)json_array_size(list), active, size, size - used);
}

/* ---- system df -v ---- */

/* What `docker images` would call the image: its first name. */
static void name_images(json_t *images)
{
    json_t *image;
    size_t i;

    json_array_foreach (images, i, image) {
        _cleanup_strv_ char **tags = json_strv(image, "RepoTags"),
                            **digests = json_strv(image, "RepoDigests");
        char *name = tags ? tags[0] : digests ? digests[0] : NULL, *end;

        end = name ? strrchr(name, tags ? ':' : '@') : NULL;
        if (end)
            *end = '\0';
        json_set_str(image, "repository", end ? name : "<none>");
        json_set_str(image, "tag", end && tags ? end + 1 : "<none>");
    }
}

/* What a container shares with its image is counted there. */
static void drop_shared(json_t *containers)
{
    json_t *container;
    size_t i;

    json_array_foreach (containers, i, container)
        json_object_del(container, "SizeRootFs");
}

/* To add a part: a row. */
static const struct {
    const char *key, *title;
    const struct format_view *view;
    const char *format;
} df_parts[] = {
    {"Images", "Images space usage:\n\n", &images_view,
     "table "
     "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t"
     "{{.Containers}}"},
    {"Containers", "\nContainers space usage:\n\n", &ps_view,
     "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t"
     "{{.Names}}"},
    {"Volumes", "\nLocal Volumes space usage:\n\n", &volume_view, "table {{.Name}}\t{{.Links}}\t{{.Size}}"},
};

/* A template sees the parts as lists, ids whole. */
static int print_template(const json_t *usage, const char *format, struct err *err)
{
    const struct format_wish wish = {.no_trunc = true};
    _cleanup_json_ json_t *all = json_object();
    int r;

    for (size_t i = 0; i < ARRAY_SIZE(df_parts); i++)
        json_object_set_new(all, df_parts[i].key,
                            format_rows(df_parts[i].view, &wish, json_object_get(usage, df_parts[i].key)));
    json_object_set_new(all, "BuildCache", json_array());
    r = format_object_bare(all, "", format, "*formatter.diskUsageContext", err);
    return r == EXIT_TEMPLATE ? 1 : r;
}

static int print_verbose(const json_t *usage, const char *format, struct err *err)
{
    name_images(json_object_get(usage, "Images"));
    drop_shared(json_object_get(usage, "Containers"));
    if (*format && !str_eq(format, "table"))
        return print_template(usage, format, err);
    for (size_t i = 0; i < ARRAY_SIZE(df_parts); i++) {
        struct format_wish wish = {.format = df_parts[i].format};

        fputs(df_parts[i].title, stdout);
        if (format_print(df_parts[i].view, &wish, json_object_get(usage, df_parts[i].key), err) < 0)
            return -1;
    }
    puts("\nBuild cache usage: 0B\n\n"
         "CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED");
    return 0;
}

static const struct option_row df_options[] = {
    {"format", 0, OPTION_STRING, format_help_table},
    {"verbose", 'v', OPTION_BOOL, "Show every image, container and volume"},
    {NULL},
};

static int system_df_run(struct cli *cli, const struct args *args, struct err *err)
{
    struct format_wish wish = {.format = args_str(args, "format")};
    _cleanup_json_ json_t *usage = NULL, *rows = json_array();
    _cleanup_(buf_finish) struct buf url = URL_INIT;

    url_path(&url, "/system/df", NULL);
    usage = client_get(cli, &url, err);
    if (!usage)
        return -1;
    if (args_bool(args, "verbose"))
        return print_verbose(usage, wish.format, err);
    add_images(rows, usage);
    add_containers(rows, usage);
    add_volumes(rows, usage);
    add_df_row(rows, "Build Cache", (int64_t)json_array_size(json_object_get(usage, "BuildCache")), 0, 0, 0);
    return format_print(&df_view, &wish, rows, err);
}

const struct command cmd_system_df = {
    .paths = "system df",
    .summary = "Show what takes up space",
    .arguments = "[OPTIONS]",
    .options = {df_options},
    .run = system_df_run,
};
