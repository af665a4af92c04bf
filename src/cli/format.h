/* Lists as --format asks for them: a table, a template per row, JSON per row.
 *
 * A view is a table of columns. To add a column: a row {name, heading, function} in the view of its command. */
#ifndef KEG_CLI_FORMAT_H
#define KEG_CLI_FORMAT_H

#include "cli/cli.h"
#include "cli/template/template.h"

struct format_row {
    struct template_row base;
    const struct format_view *view; /* NULL for the headings */
    const json_t *data;             /* the daemon's JSON of this row */
    bool truncate;
    const json_t *extra; /* what the command adds, or NULL */
};

struct format_column {
    const char *name; /* NULL ends the table; sorted by name, as {{json .}} prints them */
    const char *heading;
    json_t *(*value)(const struct format_row *row); /* a new reference */
};

struct format_view {
    const char *type_name; /* docker's: "*formatter.ContainerContext" */
    const char *table;     /* what "table" means */
    const char *quiet;     /* what -q means */
    const struct format_column *columns;
    const char *raw, *raw_quiet; /* what "raw" means, and with -q; NULL: nothing special */
};

struct format_wish {
    const char *format; /* "" for the view's table */
    bool quiet;
    bool no_trunc;
    const json_t *extra;
};

/* Prints the rows of a JSON array to stdout. 0, or -1 (ERR_INVALID) with docker's words. */
int format_print(const struct format_view *view, const struct format_wish *wish, const json_t *rows,
                 struct err *err);

/* The two halves of format_print(), for lists that are drawn again and again: the text with its tabs, not aligned. */
int format_text(const struct format_view *view, const struct format_wish *wish, const json_t *rows,
                struct buf *out, bool *ret_table, struct err *err);

/* Whether a template works on a row that has nothing, which docker's ps looks at before it asks for rows. 0, or -1 with its words
 * for that. */
int format_check(const struct format_view *view, const struct format_wish *wish, struct err *err);

/* Exit code of a command whose template doesn't parse. */
enum { EXIT_TEMPLATE = 64 };

/* Prints one JSON object by a template ("json" prints it as it is). `name` stands in messages; fields that aren't there fail with
 * `type_name`. 0, EXIT_TEMPLATE when it has complained of the template, or -1 (ERR_INVALID). */
int format_object(const json_t *object, const char *name, const char *format, const char *type_name,
                  struct err *err);

/* The same without a newline behind it. */
int format_object_bare(const json_t *object, const char *name, const char *format, const char *type_name,
                       struct err *err);
/* The rows as the objects that {{json .}} prints: a new array. */
json_t *format_rows(const struct format_view *view, const struct format_wish *wish, const json_t *rows);

/* For columns: a member of the row's data as a JSON string, "" if missing. */
json_t *format_member(const struct format_row *row, const char *key);
/* A string the caller gave up: becomes a JSON string and is freed. */
json_t *format_take(char *text);
/* A new array with the same objects, ordered by a string member. */
json_t *format_sorted(const json_t *array, const char *key);
/* "k=v,k2=v2" of an object, sorted by key. The caller frees. */
char *format_map(const json_t *object);

/* Views that more than one command prints; an image's row has repository, tag and digest besides the daemon's members. */
extern const struct format_view images_view, ps_view, volume_view;

extern const char format_help_table[]; /* the help texts of --format */
extern const char format_help_plain[];

#endif
