/* Go templates (text/template with docker's functions) over JSON, for --format.
 *
 * A template is parsed once and executed for any number of values. Values are JSON; two extras make JSON feel like the
 * typed data that docker's templates see:
 * - a row (struct template_row) stands for `.` when its fields are computed, take arguments ({{.Label "x"}}), or should
 *   fail by docker's words when unknown;
 * - template_null(): fields that are null or left out in Docker's JSON print as their Go type's zero value does. */
#ifndef KEG_CLI_TEMPLATE_H
#define KEG_CLI_TEMPLATE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

struct template;

/* Data whose fields are computed. */
struct template_row {
    const char *type_name; /* in "can't evaluate field Foo in type %s" */
    /* A new reference to the field's value; `argument` is NULL or the one string argument. NULL with err untouched:
     * there is no such field. */
    json_t *(*field)(const struct template_row *row, const char *name, const char *argument, struct err *err);
    /* All fields as an object, for {{json .}}. A new reference. */
    json_t *(*all)(const struct template_row *row);
};

/* Parses; `name` stands in messages ("template: NAME:1:2: …"), docker leaves it empty mostly. NULL with ERR_INVALID. */
struct template *template_parse(const char *name, const char *text, struct err *err);
void template_free(struct template *t);
DEFINE_CLEANUP_PTR(struct template, template_free)

/* For headings: functions that would change a column's name (json, lower, truncate…) leave it as it is. */
void template_set_headings(struct template *t, bool on);

/* Appends the result for `data`. 0, or -1 with ERR_INVALID; what was written before the failure stays in out. */
int template_execute(const struct template *t, const json_t *data, struct buf *out, struct err *err);
int template_execute_row(const struct template *t, const struct template_row *row, struct buf *out,
                         struct err *err);

/* What a null or missing field of Docker's JSON is in Go: an empty list or map, or NULL when the name isn't known.
 * Borrowed; template_is_nil() tells it from a real one. */
json_t *template_null(const char *field, bool missing);
bool template_is_nil(const json_t *value);

#endif
