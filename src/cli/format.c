/* Rows through templates. */
#include "cli/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/output.h"

enum { TEXT_MAX = 512 * 1024 * 1024, TABLE_CELL_MIN = 10 };

const char format_help_table[] = "How to print:\n'table':            A table with headings (default)\n"
                                 "'table TEMPLATE':   A table of what the Go template picks\n"
                                 "'json':             One JSON object a line\n"
                                 "'TEMPLATE':         One line for each, by the Go template";
const char format_help_plain[] = "How to print:\n'json':             As JSON\n"
                                 "'TEMPLATE':         By the Go template";

/* ---- a row as templates see it ---- */

static json_t *label(const struct format_row *row, const char *name)
{
    const json_t *labels = json_object_get(row->data, "Labels");

    if (json_is_null(labels) || !labels)
        labels = json_at(row->data, "Config.Labels");
    return json_string(json_str_or(labels, name, ""));
}

static json_t *row_field(const struct template_row *base, const char *name, const char *argument,
                         _unused_ struct err *err)
{
    const struct format_row *row = (const struct format_row *)base;

    if (argument)
        return str_eq(name, "Label") ? label(row, argument) : NULL;
    for (const struct format_column *c = row->view->columns; c->name; c++)
        if (str_eq(c->name, name))
            return c->value(row);
    return NULL;
}

static json_t *row_all(const struct template_row *base)
{
    const struct format_row *row = (const struct format_row *)base;
    json_t *all = json_object();

    for (const struct format_column *c = row->view->columns; c->name; c++)
        json_object_set_new(all, c->name, c->value(row));
    return all;
}

/* The heading of {{.Label "com.example.some-name"}} is "some name". */
static json_t *label_heading(const char *name)
{
    const char *dot = strrchr(name, '.');
    char *heading = xstrdup(dot ? dot + 1 : name);

    for (char *c = heading; *c; c++)
        if (*c == '-' || *c == '_')
            *c = ' ';
    return format_take(heading);
}

static json_t *heading_field(const struct template_row *base, const char *name, const char *argument,
                             _unused_ struct err *err)
{
    const struct format_row *row = (const struct format_row *)base;

    if (argument)
        return label_heading(argument);
    for (const struct format_column *c = row->view->columns; c->name; c++)
        if (str_eq(c->name, name))
            return json_string(c->heading);
    return json_string("<no value>");
}

/* ---- printing ---- */

/* The template text behind "table", with \t and \n made real. */
static char *unescape(const char *format)
{
    char *out = xmalloc(strlen(format) + 1), *at = out;

    while (*format) {
        if (format[0] == '\\' && (format[1] == 't' || format[1] == 'n')) {
            *at++ = format[1] == 't' ? '\t' : '\n';
            format += 2;
        } else {
            *at++ = *format++;
        }
    }
    *at = '\0';
    return out;
}

/* What a wish means: the template's text (the caller frees), and whether it is a table. */
static char *choose_template(const struct format_view *view, const struct format_wish *wish, bool *ret_table)
{
    const char *format = wish->format;
    const char *rest = str_after(format, "table");

    *ret_table = false;
    if (str_eq(format, "json"))
        return xstrdup("{{json .}}");
    if (str_empty(format) || str_eq(format, "table")) {
        *ret_table = !wish->quiet;
        return xstrdup(wish->quiet ? view->quiet : view->table);
    }
    if (str_eq(format, "raw") && view->raw)
        return xstrdup(wish->quiet && view->raw_quiet ? view->raw_quiet : view->raw);
    if (rest) {
        *ret_table = true;
        format = rest + strspn(rest, " ");
    }
    return unescape(format);
}

int format_text(const struct format_view *view, const struct format_wish *wish, const json_t *rows,
                struct buf *out, bool *ret_table, struct err *err)
{
    _cleanup_free_ char *text = choose_template(view, wish, ret_table);
    _cleanup_(template_free_p) struct template *t = template_parse("", text, err);
    struct format_row row = {.base = {.type_name = view->type_name, .field = row_field, .all = row_all},
                             .view = view,
                             .truncate = !wish->no_trunc,
                             .extra = wish->extra};
    const json_t *data;
    size_t i;

    if (!t)
        return err_wrap(err, "template parsing error");
    if (*ret_table) {
        struct format_row headings = row;

        headings.base.field = heading_field;
        template_set_headings(t, true);
        if (template_execute_row(t, &headings.base, out, err) < 0)
            return err_wrap(err, "template parsing error");
        template_set_headings(t, false);
        buf_putc(out, '\n');
    }
    json_array_foreach (rows, i, data) {
        row.data = data;
        if (template_execute_row(t, &row.base, out, err) < 0)
            return err_wrap(err, "template parsing error");
        buf_putc(out, '\n');
    }
    return buf_failed(out) ? err_set(err, ERR_SYSTEM, "the list is too long to print") : 0;
}

int format_check(const struct format_view *view, const struct format_wish *wish, struct err *err)
{
    _cleanup_(buf_finish) struct buf ignored = BUF_INIT(TEXT_MAX);
    _cleanup_json_ json_t *nothing = json_object();
    bool table;
    _cleanup_free_ char *text = choose_template(view, wish, &table);
    _cleanup_(template_free_p) struct template *t = template_parse("", text, err);
    struct format_row row = {.base = {.type_name = view->type_name, .field = row_field, .all = row_all},
                             .view = view,
                             .data = nothing};

    if (!t)
        return err_wrap(err, "failed to parse template");
    return template_execute_row(t, &row.base, &ignored, err) < 0 ? err_wrap(err, "failed to execute template")
                                                                 : 0;
}

int format_print(const struct format_view *view, const struct format_wish *wish, const json_t *rows,
                 struct err *err)
{
    _cleanup_(buf_finish) struct buf out = BUF_INIT(TEXT_MAX);
    bool table;

    if (format_text(view, wish, rows, &out, &table, err) < 0)
        return -1;
    if (table)
        output_table(stdout, buf_str(&out), TABLE_CELL_MIN);
    else
        fwrite(buf_str(&out), 1, out.len, stdout);
    return 0;
}

/* ---- one object ---- */

struct object_row {
    struct template_row base;
    const json_t *object;
};

static json_t *object_field(const struct template_row *base, const char *name, const char *argument,
                            _unused_ struct err *err)
{
    json_t *member = json_object_get(((const struct object_row *)base)->object, name);
    json_t *nil = !member || json_is_null(member) ? template_null(name, !member) : NULL;

    return argument ? NULL : json_incref(nil ? nil : member);
}

static json_t *object_all(const struct template_row *base)
{
    return json_incref((json_t *)((const struct object_row *)base)->object);
}

static int print_object(const json_t *object, const char *name, const char *format, const char *type_name,
                        const char *end, struct err *err)
{
    _cleanup_(template_free_p) struct template *t =
        template_parse(name, str_eq(format, "json") ? "{{json .}}" : format, err);
    _cleanup_(buf_finish) struct buf out = BUF_INIT(TEXT_MAX);
    struct object_row row = {{type_name, object_field, object_all}, object};
    int r;

    if (!t) {
        err_wrap(err, "template parsing error");
        cli_complain(err);
        return EXIT_TEMPLATE;
    }
    r = template_execute_row(t, &row.base, &out, err);
    printf("%s%s", buf_str(&out), end);
    return r;
}

int format_object(const json_t *object, const char *name, const char *format, const char *type_name,
                  struct err *err)
{
    return print_object(object, name, format, type_name, "\n", err);
}

int format_object_bare(const json_t *object, const char *name, const char *format, const char *type_name,
                       struct err *err)
{
    return print_object(object, name, format, type_name, "", err);
}

json_t *format_rows(const struct format_view *view, const struct format_wish *wish, const json_t *rows)
{
    struct format_row row = {.view = view, .truncate = !wish->no_trunc, .extra = wish->extra};
    json_t *all = json_array();
    const json_t *data;
    size_t i;

    json_array_foreach (rows, i, data) {
        row.data = data;
        json_array_append_new(all, row_all(&row.base));
    }
    return all;
}

/* ---- for columns ---- */

json_t *format_member(const struct format_row *row, const char *key)
{
    return json_string(json_str_or(row->data, key, ""));
}

json_t *format_take(char *text)
{
    json_t *json = json_string_lossy(text, strlen(text));

    free(text);
    return json;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *format_map(const json_t *object)
{
    _cleanup_strv_ char **pairs = NULL;
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value)
        strv_push_take(&pairs,
                       xasprintf("%s=%s", key, json_is_string(value) ? json_string_value(value) : ""));
    if (pairs)
        qsort(pairs, strv_len(pairs), sizeof(*pairs), compare_strings);
    return strv_join(pairs, ",");
}

static int compare_members(const void *a, const void *b, void *key)
{
    return strcmp(json_str_or(*(json_t *const *)a, key, ""), json_str_or(*(json_t *const *)b, key, ""));
}

json_t *format_sorted(const json_t *array, const char *key)
{
    size_t count = json_array_size(array);
    _cleanup_free_ json_t **items = xcalloc(count + 1, sizeof(*items));
    json_t *sorted = json_array();

    for (size_t i = 0; i < count; i++)
        items[i] = json_array_get(array, i);
    qsort_r(items, count, sizeof(*items), compare_members, (void *)key);
    for (size_t i = 0; i < count; i++)
        json_array_append(sorted, items[i]);
    return sorted;
}
