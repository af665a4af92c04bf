/* A tree and a value become text. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/template/internal.h"

enum { OUTPUT_DEPTH_MAX = 500, VARIABLES_MAX = 256, TURNS_MAX = 1000000 };

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE, FLOW_FAILED };

struct variable {
    const char *name; /* borrowed of the tree */
    json_t *value;
};

struct run {
    const struct template *template;
    const struct template_row *row;
    json_t *row_marker; /* the value that stands for the row */
    struct buf *out;
    struct variable variables[VARIABLES_MAX];
    size_t variable_count;
    int depth;
    int turns; /* of all ranges together */
    struct err *err;
};

static json_t *eval_pipe(struct run *r, const struct node *pipe, json_t *dot);
static enum flow walk(struct run *r, const struct node *n, json_t *dot);

/* "template: NAME:LINE:COLUMN: executing "NAME" at <SOURCE>: reason". Always NULL. */
static void *fail(struct run *r, const struct node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void *fail(struct run *r, const struct node *n, const char *fmt, ...)
{
    const struct template *t = r->template;
    size_t line = 1, line_start = 0, end = n->end;
    char reason[500];
    va_list ap;

    for (size_t i = 0; i < n->where; i++)
        if (t->text[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    while (end > n->at && strchr(" \t\n", t->text[end - 1]))
        end--;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    err_set(r->err, ERR_INVALID, "template: %s:%zu:%zu: executing \"%s\" at <%.*s>: %s", t->name, line,
            n->where - line_start, t->name, (int)(end - n->at), t->text + n->at, reason);
    return NULL;
}

/* ---- fields ---- */

static json_t *row_field(struct run *r, const struct node *n, const char *name, const char *argument)
{
    struct err why = {0};
    json_t *value = r->row->field(r->row, name, argument, &why);

    if (!value && why.kind != ERR_NONE)
        return fail(r, n, "%s", why.message);
    if (value)
        return value;
    value = r->row->field(r->row, name, argument ? NULL : "", &why); /* one of the other kind? */
    if (!value)
        return fail(r, n, "can't evaluate field %s in type %s", name, r->row->type_name);
    json_decref(value);
    return fail(r, n, "wrong number of args for %s: want %d got %d", name, !argument, argument != NULL);
}

/* A new reference to a field of a value. */
static json_t *field(struct run *r, const struct node *n, json_t *value, const char *name,
                     const char *argument, bool last)
{
    json_t *member;

    if (value == r->row_marker && r->row)
        return row_field(r, n, name, argument);
    if (argument)
        return fail(r, n, "%s has arguments but cannot be invoked as function", name);
    if (json_is_null(value) || template_is_nil(value))
        return fail(r, n, "nil data; no entry for key \"%s\"", name);
    if (!json_is_object(value))
        return fail(r, n, "can't evaluate field %s in type %s", name,
                    r->row ? value_type(value) : "interface {}");
    member = json_object_get(value, name);
    if (member && !json_is_null(member))
        return json_incref(member);
    if ((last || member) && template_null(name, /* missing= */ !member))
        return json_incref(template_null(name, !member));
    if (!member)
        return fail(r, n, "map has no entry for key \"%s\"", name);
    return json_incref(member);
}

/* Whether Docker has a map with names of the user's own below this name: what such a map lacks is no mistake. */
static bool is_users_map(const char *name)
{
    static const char *const names[] = {"Annotations", "Attributes", "DriverOpts", "Labels",
                                        "Networks",    "Options",    "Sysctls"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_eq(name, names[i]))
            return true;
    return false;
}

static bool lacks(const json_t *map, const char *name)
{
    return json_is_null(map) || template_is_nil(map) || (json_is_object(map) && !json_object_get(map, name));
}

/* The fields names[from…] of value, whose reference is consumed. The argument belongs to the last. */
static json_t *field_chain(struct run *r, const struct node *n, json_t *value, size_t from,
                           const char *argument)
{
    for (size_t i = from; value && n->names && n->names[i]; i++) {
        bool last = !n->names[i + 1];
        json_t *member;

        if (i > from && !argument && is_users_map(n->names[i - 1]) && lacks(value, n->names[i])) {
            json_decref(value);
            return json_null();
        }
        member = field(r, n, value, n->names[i], last ? argument : NULL, last);
        json_decref(value);
        value = member;
    }
    return value;
}

static json_t *get_variable(struct run *r, const struct node *n)
{
    for (size_t i = r->variable_count; i > 0; i--)
        if (str_eq(r->variables[i - 1].name, n->names[0]))
            return json_incref(r->variables[i - 1].value);
    return fail(r, n, "undefined variable: %s", n->names[0]);
}

/* ---- expressions ---- */

static json_t *eval_operand(struct run *r, const struct node *n, json_t *dot, const char *argument)
{
    int blame = BLAME_NOBODY;
    struct call call = {.name = n->text, .headings = r->template->headings, .blame = &blame};
    struct err why = {0};
    json_t *value;

    switch (n->kind) {
    case NODE_DOT:
        return json_incref(dot);
    case NODE_NIL:
        return json_null();
    case NODE_VALUE:
        return json_incref(n->value);
    case NODE_FIELD:
        return field_chain(r, n, json_incref(dot), 0, argument);
    case NODE_VARIABLE:
        value = get_variable(r, n);
        return field_chain(r, n, value, 1, argument);
    case NODE_CHAIN:
        value = n->children[0]->kind == NODE_PIPE ? eval_pipe(r, n->children[0], dot)
                                                  : eval_operand(r, n->children[0], dot, NULL);
        return field_chain(r, n, value, 0, argument);
    case NODE_FUNCTION:
        value = function_call(&call, &why);
        return value ? value
                     : fail(r, n, blame == BLAME_NOBODY ? "error calling %s: %s" : "%.0s%s", n->text,
                            why.message);
    default:
        return fail(r, n, "can't evaluate command");
    }
}

/* and, or: the arguments behind the one that decides aren't evaluated. */
static json_t *eval_logic(struct run *r, const struct node *command, json_t *dot, json_t *last)
{
    bool stop_at = str_eq(command->children[0]->text, "or");
    json_t *value = NULL;

    for (size_t i = 1; i < command->count; i++) {
        json_decref(value);
        value = eval_operand(r, command->children[i], dot, NULL);
        if (!value || value_is_true(value) == stop_at)
            return value;
    }
    if (last) {
        json_decref(value);
        return json_incref(last);
    }
    return value ? value
                 : fail(r, command, "wrong number of args for %s: want at least 1 got 0",
                        command->children[0]->text);
}

/* A row as JSON text has what HTML minds escaped, as Go's default encoder does. */
static json_t *row_text(struct run *r)
{
    static const struct {
        char plain;
        const char *escaped;
    } escapes[] = {{'<', "\\u003c"}, {'>', "\\u003e"}, {'&', "\\u0026"}};
    _cleanup_json_ json_t *all = r->row->all(r->row);
    _cleanup_free_ char *text = json_text(all);
    _cleanup_(buf_finish) struct buf out = BUF_INIT(strlen(text) * 6 + 1);

    for (const char *c = text; *c; c++) {
        const char *escaped = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(escapes); i++)
            if (*c == escapes[i].plain)
                escaped = escapes[i].escaped;
        buf_append(&out, escaped ? escaped : c, escaped ? 6 : 1);
    }
    return json_string(buf_str(&out));
}

/* The row can't be a function's argument as it stands: all its fields are. */
static json_t *materialise(struct run *r, json_t *value)
{
    json_t *all;

    if (!r->row || value != r->row_marker)
        return value;
    all = r->row->all(r->row);
    json_decref(value);
    return all;
}

/* A call that failed: names the argument that is at fault, if one is. Always NULL. */
static json_t *blame_call(struct run *r, const struct node *command, int blame, const struct err *why)
{
    const char *name = command->children[0]->text;
    const struct node *at =
        blame >= 0 && (size_t)blame + 1 < command->count ? command->children[blame + 1] : command;
    int len = (int)(at->end - at->at);

    if (blame == BLAME_FUNCTION)
        return fail(r, command->children[0], "%s", why->message);
    if (str_eq(name, "call") && at != command)
        return fail(r, command, "error calling call: non-function %.*s%s", len, r->template->text + at->at,
                    why->message + strlen("non-function"));
    if (blame == BLAME_NOBODY)
        return fail(r, command, "error calling %s: %s", name, why->message);
    if (at->kind == NODE_VALUE && !str_starts(why->message, "expected "))
        return fail(r, at, "expected string; found %.*s", len, r->template->text + at->at);
    return fail(r, at, "%s", why->message);
}

static json_t *eval_function(struct run *r, const struct node *command, json_t *dot, json_t *last)
{
    const char *name = command->children[0]->text;
    json_t *args[64], *result = NULL;
    int blame = BLAME_NOBODY;
    struct call call = {.name = name, .args = args, .headings = r->template->headings, .blame = &blame};
    struct err why = {0};
    bool failed = false;

    if (str_eq(name, "and") || str_eq(name, "or"))
        return eval_logic(r, command, dot, last);
    if (str_eq(name, "json") && command->count == 2 && r->row && dot == r->row_marker &&
        command->children[1]->kind == NODE_DOT && !call.headings)
        return row_text(r);
    for (size_t i = 1; i < command->count && !failed && call.count < ARRAY_SIZE(args) - 1; i++) {
        json_t *value = eval_operand(r, command->children[i], dot, NULL);

        failed = !value;
        if (value)
            args[call.count++] = materialise(r, value);
    }
    if (last && !failed)
        args[call.count++] = materialise(r, json_incref(last));
    if (!failed) {
        result = function_call(&call, &why);
        if (!result)
            blame_call(r, command, blame, &why);
    }
    for (size_t i = 0; i < call.count; i++)
        json_decref(args[i]);
    return result;
}

/* A field with an argument ({{.Label "x"}}, {{"x" | .Label}}). */
static json_t *eval_method(struct run *r, const struct node *command, json_t *dot, json_t *last)
{
    const struct node *first = command->children[0];
    json_t *argument, *result;

    if (command->count + (last != NULL) > 2)
        return fail(r, first, "wrong number of args for %s: want 1 got %zu",
                    first->names ? first->names[strv_len(first->names) - 1] : "",
                    command->count - 1 + (last != NULL));
    argument = last ? json_incref(last) : eval_operand(r, command->children[1], dot, NULL);
    if (!argument)
        return NULL;
    if (!json_is_string(argument))
        result = fail(r, first, "wrong type for value; expected string; got %s", value_type(argument));
    else
        result = eval_operand(r, first, dot, json_string_value(argument));
    json_decref(argument);
    return result;
}

static json_t *eval_command(struct run *r, const struct node *command, json_t *dot, json_t *last)
{
    const struct node *first = command->children[0];
    bool has_arguments = command->count > 1 || last;

    if (first->kind == NODE_FUNCTION)
        return eval_function(r, command, dot, last);
    if (!has_arguments)
        return first->kind == NODE_NIL ? fail(r, command, "nil is not a command")
                                       : eval_operand(r, first, dot, NULL);
    if (first->kind == NODE_FIELD || (first->kind == NODE_VARIABLE && first->names[1]))
        return eval_method(r, command, dot, last);
    return fail(r, first, "can't give argument to non-function %.*s", (int)(first->end - first->at),
                r->template->text + first->at);
}

static int set_variable(struct run *r, const struct node *n, const char *name, json_t *value, bool assign)
{
    for (size_t i = r->variable_count; assign && i > 0; i--)
        if (str_eq(r->variables[i - 1].name, name)) {
            json_incref(value);
            json_decref(r->variables[i - 1].value);
            r->variables[i - 1].value = value;
            return 0;
        }
    if (r->variable_count == VARIABLES_MAX) {
        fail(r, n, "too many variables");
        return -1;
    }
    r->variables[r->variable_count++] = (struct variable){name, json_incref(value)};
    return 0;
}

/* The value of the commands alone: what is declared is set by the caller. */
static json_t *eval_commands(struct run *r, const struct node *pipe, json_t *dot)
{
    json_t *value = NULL;

    for (size_t i = 0; i < pipe->count; i++) {
        json_t *result = eval_command(r, pipe->children[i], dot, value);

        json_decref(value);
        value = result;
        if (!value)
            return NULL;
    }
    return value;
}

static json_t *eval_pipe(struct run *r, const struct node *pipe, json_t *dot)
{
    json_t *value = eval_commands(r, pipe, dot);

    if (value && pipe->names && set_variable(r, pipe, pipe->names[0], value, pipe->assign) < 0) {
        json_decref(value);
        return NULL;
    }
    return value;
}

/* ---- statements ---- */

static void pop_variables(struct run *r, size_t count)
{
    while (r->variable_count > count)
        json_decref(r->variables[--r->variable_count].value);
}

/* One turn of a range. */
static enum flow range_turn(struct run *r, const struct node *n, json_t *key, json_t *value)
{
    size_t scope = r->variable_count, names = strv_len(n->pipe->names);
    enum flow flow;

    if (++r->turns > TURNS_MAX) {
        fail(r, n->pipe, "the template goes round more than %d times", TURNS_MAX);
        return FLOW_FAILED;
    }
    if (names > 1 && set_variable(r, n->pipe, n->pipe->names[0], key, n->pipe->assign) < 0)
        return FLOW_FAILED;
    if (names > 0 && set_variable(r, n->pipe, n->pipe->names[names - 1], value, n->pipe->assign) < 0)
        return FLOW_FAILED;
    flow = walk(r, n->body, value);
    pop_variables(r, scope);
    return flow;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum flow range_object(struct run *r, const struct node *n, json_t *object)
{
    size_t count = json_object_size(object), i = 0;
    const char **keys = xreallocarray(NULL, count + 1, sizeof(*keys)), *key;
    enum flow flow = FLOW_ON;
    json_t *value;

    json_object_foreach (object, key, value)
        keys[i++] = key;
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (i = 0; i < count && flow != FLOW_BREAK && flow != FLOW_FAILED; i++) {
        json_t *key_value = json_string(keys[i]);

        flow = range_turn(r, n, key_value, json_object_get(object, keys[i]));
        json_decref(key_value);
    }
    free(keys);
    return flow == FLOW_FAILED ? FLOW_FAILED : FLOW_ON;
}

static enum flow range_counted(struct run *r, const struct node *n, json_t *over)
{
    bool number = json_is_integer(over);
    json_int_t count = number ? json_integer_value(over) : (json_int_t)json_array_size(over);
    enum flow flow = FLOW_ON;

    for (json_int_t i = 0; i < count && flow != FLOW_BREAK && flow != FLOW_FAILED; i++) {
        json_t *index = json_integer(i);

        flow = range_turn(r, n, index, number ? index : json_array_get(over, (size_t)i));
        json_decref(index);
    }
    return flow == FLOW_FAILED ? FLOW_FAILED : FLOW_ON;
}

static enum flow walk_range(struct run *r, const struct node *n, json_t *dot)
{
    json_t *over = eval_commands(r, n->pipe, dot);
    enum flow flow = FLOW_FAILED;

    if (!over)
        return FLOW_FAILED;
    over = materialise(r, over);
    if (!value_is_true(over) && !json_is_boolean(over) && !json_is_string(over))
        flow = n->otherwise ? walk(r, n->otherwise, dot) : FLOW_ON;
    else if (json_is_object(over))
        flow = range_object(r, n, over);
    else if (json_is_array(over) || json_is_integer(over))
        flow = range_counted(r, n, over);
    else
        fail(r, n->pipe, "range can't iterate over %s",
             json_is_string(over) ? json_string_value(over) : "value");
    json_decref(over);
    return flow;
}

static enum flow walk_condition(struct run *r, const struct node *n, json_t *dot)
{
    size_t scope = r->variable_count;
    json_t *value = eval_pipe(r, n->pipe, dot);
    enum flow flow = FLOW_ON;

    if (!value)
        return FLOW_FAILED;
    if (value == r->row_marker || value_is_true(value))
        flow = walk(r, n->body, n->kind == NODE_WITH ? value : dot);
    else if (n->otherwise)
        flow = walk(r, n->otherwise, dot);
    json_decref(value);
    pop_variables(r, scope);
    return flow;
}

static const struct node *find_definition(const struct template *t, const char *name)
{
    for (size_t i = t->definition_count; i > 0; i--)
        if (str_eq(t->definitions[i - 1].name, name))
            return t->definitions[i - 1].body;
    return NULL;
}

static enum flow walk_template(struct run *r, const struct node *n, json_t *dot)
{
    const struct node *body = find_definition(r->template, n->text);
    json_t *value = n->pipe ? eval_pipe(r, n->pipe, dot) : json_null();
    size_t scope = r->variable_count;
    enum flow flow;

    if (!value)
        return FLOW_FAILED;
    if (!body || ++r->depth > OUTPUT_DEPTH_MAX) {
        fail(r, n, body ? "exceeded maximum template depth%.0s" : "template \"%s\" not defined", n->text);
        json_decref(value);
        return FLOW_FAILED;
    }
    set_variable(r, n, "$", value, /* assign= */ false);
    flow = walk(r, body, value);
    pop_variables(r, scope);
    r->depth--;
    json_decref(value);
    return flow;
}

static enum flow walk_action(struct run *r, const struct node *n, json_t *dot)
{
    json_t *value = eval_pipe(r, n->pipe, dot);

    if (!value)
        return FLOW_FAILED;
    if (!n->pipe->names) {
        value = materialise(r, value);
        if (json_is_null(value))
            buf_puts(r->out, "<no value>");
        else
            print_value(r->out, value);
    }
    json_decref(value);
    return FLOW_ON;
}

static enum flow walk(struct run *r, const struct node *n, json_t *dot)
{
    switch (n->kind) {
    case NODE_LIST:
        for (size_t i = 0; i < n->count; i++) {
            enum flow flow = walk(r, n->children[i], dot);

            if (flow != FLOW_ON)
                return flow;
        }
        return FLOW_ON;
    case NODE_TEXT:
        buf_puts(r->out, n->text);
        return FLOW_ON;
    case NODE_ACTION:
        return walk_action(r, n, dot);
    case NODE_IF:
    case NODE_WITH:
        return walk_condition(r, n, dot);
    case NODE_RANGE:
        return walk_range(r, n, dot);
    case NODE_TEMPLATE:
        return walk_template(r, n, dot);
    case NODE_BREAK:
        return FLOW_BREAK;
    case NODE_CONTINUE:
        return FLOW_CONTINUE;
    default:
        fail(r, n, "unknown node");
        return FLOW_FAILED;
    }
}

static int execute(struct run *r, json_t *dot)
{
    enum flow flow;

    set_variable(r, r->template->body, "$", dot, /* assign= */ false);
    flow = walk(r, r->template->body, dot);
    pop_variables(r, 0);
    return flow == FLOW_FAILED ? -1 : 0;
}

int template_execute(const struct template *t, const json_t *data, struct buf *out, struct err *err)
{
    struct run r = {.template = t, .out = out, .err = err};

    return execute(&r, (json_t *)data);
}

int template_execute_row(const struct template *t, const struct template_row *row, struct buf *out,
                         struct err *err)
{
    _cleanup_json_ json_t *marker = json_object();
    struct run r = {.template = t, .out = out, .err = err, .row = row, .row_marker = marker};

    return execute(&r, marker);
}
