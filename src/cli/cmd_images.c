/* keg images, history. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/format.h"
#include "cli/images_tree.h"
#include "cli/output.h"

/* ---- images: one row for each name ---- */

static json_t *image_id(const struct format_row *row)
{
    const char *id = json_str_or(row->data, "Id", "");

    return row->truncate ? format_take(short_id(id)) : json_string(id);
}

static json_t *image_repository(const struct format_row *row)
{
    return format_member(row, "repository");
}

static json_t *image_tag(const struct format_row *row)
{
    return format_member(row, "tag");
}

static json_t *image_digest(const struct format_row *row)
{
    return format_member(row, "digest");
}

static json_t *image_created_since(const struct format_row *row)
{
    int64_t created = json_int_or(row->data, "Created", 0);

    return created <= 0 ? json_string("") : format_take(human_ago(created * CLOCK_NS_PER_S));
}

static json_t *image_created_at(const struct format_row *row)
{
    return format_take(local_time(json_int_or(row->data, "Created", 0) * CLOCK_NS_PER_S));
}

static json_t *size_or_na(int64_t size, int digits)
{
    char text[SIZE_TEXT];

    return json_string(size < 0 ? "N/A" : human_size((double)size, digits, text));
}

static json_t *image_size(const struct format_row *row)
{
    return size_or_na(json_int_or(row->data, "Size", -1), 3);
}

static json_t *image_virtual_size(const struct format_row *row)
{
    char text[SIZE_TEXT];

    return json_string(human_size((double)json_int_or(row->data, "Size", 0), 4, text));
}

static json_t *image_shared_size(const struct format_row *row)
{
    return size_or_na(json_int_or(row->data, "SharedSize", -1), 4);
}

static json_t *image_unique_size(const struct format_row *row)
{
    int64_t size = json_int_or(row->data, "Size", -1), shared = json_int_or(row->data, "SharedSize", -1);

    return size_or_na(size < 0 || shared < 0 ? -1 : size - shared, 4);
}

static json_t *image_containers(const struct format_row *row)
{
    int64_t count = json_int_or(row->data, "Containers", -1);

    return count < 0 ? json_string("N/A") : format_take(xasprintf("%lld", (long long)count));
}

static const struct format_column image_columns[] = {
    {"Containers", "CONTAINERS", image_containers},
    {"CreatedAt", "CREATED AT", image_created_at},
    {"CreatedSince", "CREATED", image_created_since},
    {"Digest", "DIGEST", image_digest},
    {"ID", "IMAGE ID", image_id},
    {"Repository", "REPOSITORY", image_repository},
    {"SharedSize", "SHARED SIZE", image_shared_size},
    {"Size", "SIZE", image_size},
    {"Tag", "TAG", image_tag},
    {"UniqueSize", "UNIQUE SIZE", image_unique_size},
    {"VirtualSize", "SIZE", image_virtual_size},
    {NULL},
};

#define IMAGES_END "{{.ID}}\t{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}"
#define IMAGES_RAW "image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n"
const struct format_view images_view = {"*formatter.imageContext",
                                        "{{.Repository}}\t{{.Tag}}\t" IMAGES_END,
                                        "{{.ID}}",
                                        image_columns,
                                        "repository: {{.Repository}}\ntag: {{.Tag}}\n" IMAGES_RAW,
                                        "image_id: {{.ID}}"};
static const struct format_view images_view_digests = {
    "*formatter.imageContext",
    "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t" IMAGES_END,
    "{{.ID}}",
    image_columns,
    "repository: {{.Repository}}\ntag: {{.Tag}}\ndigest: {{.Digest}}\n" IMAGES_RAW,
    "image_id: {{.ID}}"};

/* The first row is the image itself: most have one. */
static void add_row(json_t *rows, json_t *image, const char *repository, const char *tag, const char *digest)
{
    json_t *row = json_object_get(image, "tag") ? json_copy(image) : json_incref(image);

    json_set_str(row, "repository", repository);
    json_set_str(row, "tag", tag);
    json_set_str(row, "digest", digest);
    json_array_append_new(rows, row);
}

/* The digest that the image has in that repository, or NULL. */
static const char *digest_in(char *const *digests, const char *repository)
{
    for (; digests && *digests; digests++) {
        const char *rest = str_after(*digests, repository);

        if (rest && *rest == '@')
            return rest + 1;
    }
    return NULL;
}

static void add_image(json_t *rows, json_t *image, bool with_digests)
{
    _cleanup_strv_ char **tags = json_strv(image, "RepoTags"), **digests = json_strv(image, "RepoDigests");
    bool shown = false;

    for (char **t = tags; t && *t; t++) {
        char *colon = strrchr(*t, ':');
        const char *digest;

        if (!colon || str_eq(*t, "<none>:<none>"))
            continue;
        *colon = '\0';
        digest = digest_in(digests, *t);
        add_row(rows, image, *t, colon + 1, with_digests && digest ? digest : "<none>");
        shown = true;
    }
    for (char **d = digests; !shown && d && *d; d++) {
        char *at = strchr(*d, '@');

        if (!at || str_eq(*d, "<none>@<none>"))
            continue;
        *at = '\0';
        add_row(rows, image, *d, "<none>", with_digests ? at + 1 : "<none>");
        shown = true;
        if (!with_digests)
            break;
    }
    if (!shown)
        add_row(rows, image, "<none>", "<none>", "<none>");
}

static const struct option_row images_options[] = {
    {"all", 'a', OPTION_BOOL, "Show intermediate images as well"},
    {"digests", 0, OPTION_BOOL, "Show digests"},
    {"filter", 'f', OPTION_FILTER, "Show only what matches (name=value)"},
    {"format", 0, OPTION_STRING, format_help_table},
    {"no-trunc", 0, OPTION_BOOL, "Don't shorten anything"},
    {"quiet", 'q', OPTION_BOOL, "Print only IDs"},
    {"tree", 0, OPTION_BOOL, "Show the platforms that each image has, as a tree (experimental)"},
    {NULL},
};

/* The images that are asked for; `with`: one more parameter, NULL: none. */
static json_t *get_images(struct cli *cli, const struct args *args, const char *with, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_strv_ char **filters = NULL;

    for (char **f = args_list(args, "filter"); f && *f; f++)
        strv_push(&filters, *f);
    if (args->rest_count)
        strv_push_take(&filters, xasprintf("reference=%s", args->rest[0]));
    url_path(&url, "/images/json", NULL);
    url_add_bool(&url, "all", args_bool(args, "all"));
    if (with)
        url_add_bool(&url, with, true);
    url_add_filters(&url, filters);
    return client_get(cli, &url, err);
}

static int images_tree(struct cli *cli, const struct args *args, struct err *err)
{
    static const char *const not_yet[][2] = {
        {"quiet", "quiet"}, {"no-trunc", "no-trunc"}, {"digests", "show-digest"}, {"format", "format"}};
    _cleanup_json_ json_t *images = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(not_yet); i++)
        if (args_given(args, not_yet[i][0]))
            return err_set(err, ERR_INVALID, "--%s is not yet supported with --tree", not_yet[i][1]);
    images = get_images(cli, args, "manifests", err);
    if (!images)
        return -1;
    images_tree_print(images, args_bool(args, "all"));
    return 0;
}

static int images_run(struct cli *cli, const struct args *args, struct err *err)
{
    struct format_wish wish = {.format = args_str(args, "format"),
                               .quiet = args_bool(args, "quiet"),
                               .no_trunc = args_bool(args, "no-trunc")};
    _cleanup_json_ json_t *images = NULL, *rows = json_array();
    json_t *image;
    size_t i;
    bool digests;

    if (args_bool(args, "tree"))
        return images_tree(cli, args, err);
    wish.format = config_format(cli, "imagesFormat", wish.format, wish.quiet);
    digests = args_bool(args, "digests") || strstr(wish.format, ".Digest");
    images = get_images(cli, args, /* with= */ NULL, err);
    if (!images)
        return -1;
    json_array_foreach (images, i, image)
        add_image(rows, image, digests);
    return format_print(args_bool(args, "digests") ? &images_view_digests : &images_view, &wish, rows, err);
}

const struct command cmd_images = {
    .paths = "image ls,image list,images",
    .summary = "List images",
    .arguments = "[OPTIONS] [REPOSITORY[:TAG]]",
    .max_arguments = 1,
    .flags = COMMAND_COMMON,
    .options = {images_options},
    .run = images_run,
};

/* ---- history ---- */

static json_t *history_id(const struct format_row *row)
{
    const char *id = json_str_or(row->data, "Id", "");

    return row->truncate ? format_take(short_id(id)) : json_string(id);
}

static bool is_human(const struct format_row *row)
{
    return !json_is_false(row->extra);
}

static json_t *history_created_at(const struct format_row *row)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format(json_int_or(row->data, "Created", 0) * CLOCK_NS_PER_S, text);
    return json_string(text);
}

static json_t *history_created_since(const struct format_row *row)
{
    if (!is_human(row))
        return history_created_at(row);
    return format_take(human_ago(json_int_or(row->data, "Created", 0) * CLOCK_NS_PER_S));
}

static json_t *history_created_by(const struct format_row *row)
{
    char *text = xstrdup(json_str_or(row->data, "CreatedBy", ""));
    json_t *shown;

    for (char *c = text; *c; c++)
        if (*c == '\t')
            *c = ' ';
    if (!row->truncate)
        return format_take(text);
    shown = format_take(ellipsis(text, 45));
    free(text);
    return shown;
}

static json_t *history_size(const struct format_row *row)
{
    int64_t size = json_int_or(row->data, "Size", 0);
    char text[SIZE_TEXT];

    if (!is_human(row))
        return format_take(xasprintf("%lld", (long long)size));
    return json_string(human_size((double)size, 3, text));
}

static json_t *history_comment(const struct format_row *row)
{
    return format_member(row, "Comment");
}

static const struct format_column history_columns[] = {
    {"Comment", "COMMENT", history_comment},
    {"CreatedAt", "CREATED AT", history_created_at},
    {"CreatedBy", "CREATED BY", history_created_by},
    {"CreatedSince", "CREATED", history_created_since},
    {"ID", "IMAGE", history_id},
    {"Size", "SIZE", history_size},
    {NULL},
};
static const struct format_view history_view = {
    "*image.historyContext", "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}", "{{.ID}}",
    history_columns};

static const struct format_view history_view_plain = {
    "*image.historyContext", "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}", "{{.ID}}",
    history_columns};

static const struct option_row history_options[] = {
    {"format", 0, OPTION_STRING, format_help_table},
    {"human", 'H', OPTION_BOOL, "Print sizes and dates for people", "true"},
    {"no-trunc", 0, OPTION_BOOL, "Don't shorten anything"},
    {"platform", 0, OPTION_STRING, "The image of this platform (os/arch)"},
    {"quiet", 'q', OPTION_BOOL, "Print only IDs"},
    {NULL},
};

static int history_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *rows = NULL, *human = json_boolean(args_bool(args, "human"));
    struct format_wish wish = {.format = args_str(args, "format"),
                               .quiet = args_bool(args, "quiet"),
                               .no_trunc = args_bool(args, "no-trunc"),
                               .extra = human};

    url_path(&url, "/images/", args->rest[0], "/history", NULL);
    if (url_add_platform(&url, "platform", args_str(args, "platform"), err) < 0)
        return -1;
    rows = client_get(cli, &url, err);
    return rows ? format_print(json_is_true(human) ? &history_view : &history_view_plain, &wish, rows, err)
                : -1;
}

const struct command cmd_history = {
    .paths = "image history,history",
    .summary = "Show how an image came to be",
    .arguments = "[OPTIONS] IMAGE",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = {history_options},
    .run = history_run,
};
