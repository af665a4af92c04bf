/* Images as trees of their platforms, laid out as docker's client does: the first column as narrow as the names allow, the
 * others left out from the right where the terminal is too narrow for them. */
#include "cli/images_tree.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/output.h"
#include "cli/terminal.h"

enum { SPACING = 3, WIDTH_MIN = 20, WIDTH_ELSE = 80, NAME_MIN = 12, CELL_MAX = 512 };

/* A line: an image or one of its platforms. */
struct line {
    const char *id;
    int64_t size, content;
    bool used;
    const char *color; /* the line's */
    const char *chip;  /* how "in use" is written */
};

struct column {
    const char *title;
    int width;
    bool right;
    void (*cell)(const struct line *line, char out[SIZE_TEXT]);
};

struct tree {
    bool terminal;
    int width, name_width;
    size_t n_columns;
};

/* ---- columns ---- */

static void cell_id(const struct line *line, char out[SIZE_TEXT])
{
    _cleanup_free_ char *id = short_id(line->id);

    snprintf(out, SIZE_TEXT, "%s", id);
}

static void cell_size(const struct line *line, char out[SIZE_TEXT])
{
    human_size((double)line->size, 3, out);
}

static void cell_content(const struct line *line, char out[SIZE_TEXT])
{
    human_size((double)line->content, 3, out);
}

static void cell_extra(const struct line *line, char out[SIZE_TEXT])
{
    snprintf(out, SIZE_TEXT, "%s", line->used ? line->chip : "");
}

/* To add a column: a row. */
static const struct column columns[] = {
    {"ID", 12, false, cell_id},
    {"DISK USAGE", 10, true, cell_size},
    {"CONTENT SIZE", 12, true, cell_content},
    {"EXTRA", 5, false, cell_extra},
};

#define COLOR_HEADING "\033[39m\033[1m"
#define COLOR_NAME    "\033[34m\033[1m"
#define COLOR_NORMAL  "\033[39m"
#define COLOR_ABSENT  "\033[39m\033[2m"
#define COLOR_CHIP    "\033[38;5;0m\033[48;5;14m"

/* ---- text ---- */

static int characters(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += (*text & 0xc0) != 0x80;
    return n;
}

static void put(const struct tree *t, const char *color, const char *text)
{
    if (t->terminal && *text)
        printf("%s%s\033[0m", color, text);
    else
        fputs(text, stdout);
}

static void put_cell(const struct tree *t, const char *color, const char *text, int width, bool right)
{
    _cleanup_free_ char *cut = ellipsis(text, (size_t)width);
    int fill = width - characters(cut);

    if (right)
        printf("%*s", fill, "");
    put(t, color, cut);
    if (!right)
        printf("%*s", fill, "");
}

static void put_line(const struct tree *t, const struct line *line)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        char text[SIZE_TEXT];

        columns[i].cell(line, text);
        printf("%*s", SPACING, "");
        put_cell(t, columns[i].cell == cell_extra ? COLOR_CHIP : line->color, text, columns[i].width,
                 columns[i].right);
    }
    putchar('\n');
}

/* ---- images ---- */

static bool is_platform(const json_t *manifest)
{
    return str_eq(json_str(manifest, "Kind"), "image");
}

static char *platform_name(const json_t *manifest)
{
    const json_t *platform = json_at(manifest, "ImageData.Platform");
    const char *variant = json_str_or(platform, "variant", "");

    return xasprintf("%s/%s%s%s", json_str_or(platform, "os", "unknown"),
                     json_str_or(platform, "architecture", "unknown"), *variant ? "/" : "", variant);
}

/* The longest first: only the last one shares its line with the other columns. */
static char **image_names(const json_t *image)
{
    char **names = json_strv(image, "RepoTags");
    size_t n = strv_len(names);

    if (n == 0)
        strv_push(&names, "<untagged>");
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && strlen(names[j]) > strlen(names[j - 1]); j--) {
            char *shorter = names[j - 1];

            names[j - 1] = names[j];
            names[j] = shorter;
        }
    return names;
}

static bool is_untagged(const json_t *image)
{
    return json_array_size(json_object_get(image, "RepoTags")) == 0;
}

static void print_platforms(const struct tree *t, const json_t *manifests)
{
    const json_t *manifest;
    size_t i, last = 0;

    json_array_foreach (manifests, i, manifest)
        if (is_platform(manifest))
            last = i;
    json_array_foreach (manifests, i, manifest) {
        _cleanup_free_ char *platform = NULL, *name = NULL;
        const json_t *sizes = json_object_get(manifest, "Size");
        const struct line line = {
            .id = json_str_or(manifest, "ID", ""),
            .size = json_int_or(sizes, "Total", 0),
            .content = json_int_or(sizes, "Content", 0),
            .used = json_array_size(json_at(manifest, "ImageData.Containers")) > 0,
            .color = json_bool_or(manifest, "Available", false) ? COLOR_NORMAL : COLOR_ABSENT,
            .chip = t->terminal ? " U " : "U",
        };

        if (!is_platform(manifest))
            continue;
        platform = platform_name(manifest);
        name = xasprintf("%s %s", i == last ? "└─" : "├─", platform);
        put_cell(t, line.color, name, t->name_width, false);
        put_line(t, &line);
    }
}

static void print_image(const struct tree *t, const json_t *image)
{
    _cleanup_strv_ char **names = image_names(image);
    const json_t *manifests = json_object_get(image, "Manifests"), *manifest;
    struct line line = {
        .id = json_str_or(image, "Id", ""),
        .size = json_int_or(image, "Size", 0),
        .used = json_int_or(image, "Containers", 0) > 0,
        .color = COLOR_NORMAL,
        .chip = t->terminal ? " U " : "U",
    };
    const char *color = is_untagged(image) ? COLOR_NORMAL : COLOR_NAME;
    size_t i;

    json_array_foreach (manifests, i, manifest)
        if (is_platform(manifest))
            line.content += json_int_or(json_object_get(manifest, "Size"), "Content", 0);
    for (char **name = names; *name; name++) {
        if (name[1]) {
            _cleanup_free_ char *cut = ellipsis(*name, (size_t)t->width);

            put(t, color, cut);
            putchar('\n');
        } else {
            put_cell(t, color, *name, t->name_width, false);
        }
    }
    put_line(t, &line);
    print_platforms(t, manifests);
}

/* ---- the whole ---- */

/* The first column's widest text; of a platform in bytes, as docker counts. */
static int widest(const json_t *images, bool *ret_platforms)
{
    const json_t *image, *manifest;
    size_t i, j, width = strlen("IMAGE");

    json_array_foreach (images, i, image) {
        _cleanup_strv_ char **names = image_names(image);

        for (char **name = names; *name; name++)
            width = MAX_OF(width, strlen(*name));
        json_array_foreach (json_object_get(image, "Manifests"), j, manifest) {
            _cleanup_free_ char *platform = platform_name(manifest);

            if (!is_platform(manifest))
                continue;
            *ret_platforms = true;
            width = MAX_OF(width, strlen("└─ ") + strlen(platform));
        }
    }
    return (int)MIN_OF(width, (size_t)CELL_MAX);
}

static void print_head(const struct tree *t)
{
    if (t->terminal)
        printf("\033[93mWARNING: This is an experimental feature. The output may change and shouldn't be "
               "depended on.\033[0m\n%*s\033[1m\033[106m\033[30mi\033[0m\033[0m \033[96mInfo → "
               "\033[0m\033[0m " COLOR_CHIP " U \033[0m In Use \n\n",
               MAX_OF(t->width - 21, 0), "");
    else
        printf("WARNING: This is an experimental feature. The output may change and shouldn't be depended "
               "on.\n%*sInfo ->  U In Use \n\n",
               MAX_OF(t->width - 18, 0), "");
    put_cell(t, COLOR_HEADING, "IMAGE", t->name_width, false);
    for (size_t i = 0; i < t->n_columns; i++) {
        printf("%*s", SPACING, "");
        put_cell(t, COLOR_HEADING, columns[i].title, columns[i].width, columns[i].right);
    }
    putchar('\n');
}

static json_t *newest_first(const json_t *images, bool all)
{
    json_t *sorted = json_array(), *image;
    size_t i, at;

    json_array_foreach (images, i, image) {
        int64_t created = json_int_or(image, "Created", 0);

        if (!all && is_untagged(image))
            continue;
        for (at = json_array_size(sorted); at > 0; at--)
            if (json_int_or(json_array_get(sorted, at - 1), "Created", 0) >= created)
                break;
        json_array_insert(sorted, at, image);
    }
    return sorted;
}

void images_tree_print(const json_t *images, bool all)
{
    _cleanup_json_ json_t *sorted = newest_first(images, all);
    unsigned rows, wide = 0;
    struct tree t = {.terminal = isatty(STDOUT_FILENO)};
    bool spaced = false;
    const json_t *image;
    size_t i;

    if (!t.terminal || !terminal_size(&rows, &wide) || wide == 0)
        wide = WIDTH_ELSE;
    t.width = t.name_width = MAX_OF((int)wide, WIDTH_MIN);
    while (t.n_columns < ARRAY_SIZE(columns) &&
           t.name_width - columns[t.n_columns].width - SPACING >= NAME_MIN)
        t.name_width -= columns[t.n_columns++].width + SPACING;
    t.name_width = MIN_OF(t.name_width, widest(sorted, &spaced));
    print_head(&t);
    json_array_foreach (sorted, i, image) {
        print_image(&t, image);
        if (spaced)
            putchar('\n');
    }
}
