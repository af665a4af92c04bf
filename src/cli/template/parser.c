/* Tokens become a tree. The grammar and its messages are those of Go's text/template/parse. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/template/internal.h"

enum { DEPTH_MAX = 200 };

struct parser {
    struct template *template;
    struct lexer lexer;
    struct token tok;
    char **variables; /* in scope */
    int loops;        /* nested ranges: where break and continue are allowed */
    int depth;
    struct err *err;
};

void node_free(struct node *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->count; i++)
        node_free(n->children[i]);
    free(n->children);
    node_free(n->pipe);
    node_free(n->body);
    node_free(n->otherwise);
    json_decref(n->value);
    strv_free(n->names);
    free(n->text);
    free(n);
}
DEFINE_CLEANUP_PTR(struct node, node_free)
#define _cleanup_node_ _cleanup_(node_free_p)

static struct node *node_new(struct parser *p, enum node_kind kind)
{
    struct node *n = xcalloc(1, sizeof(*n));

    n->kind = kind;
    n->at = n->where = p->tok.at;
    return n;
}

static void node_add(struct node *parent, struct node *child)
{
    parent->children = xreallocarray(parent->children, parent->count + 1, sizeof(child));
    parent->children[parent->count++] = child;
}

static void next(struct parser *p)
{
    free(p->tok.text);
    p->tok = lexer_next(&p->lexer);
}

static void skip_space(struct parser *p)
{
    while (p->tok.kind == TOKEN_SPACE)
        next(p);
}

static bool is_symbol(const struct parser *p, char c)
{
    return p->tok.kind == TOKEN_SYMBOL && p->tok.text[0] == c;
}

static void *fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void *fail(struct parser *p, const char *fmt, ...)
{
    char message[600];
    int line = 1;
    va_list ap;

    for (size_t i = 0; i < p->tok.at; i++)
        line += p->template->text[i] == '\n';
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    err_set(p->err, ERR_INVALID, "template: %s:%d: %s", p->template->name, line, message);
    return NULL;
}

static bool is_keyword(const char *word)
{
    static const char *const keywords[] = {"if",     "range",    "with",  "end",   "else",
                                           "define", "template", "block", "break", "continue"};

    for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
        if (str_eq(word, keywords[i]))
            return true;
    return false;
}

static void *unexpected(struct parser *p, const char *context)
{
    const struct token *t = &p->tok;

    if (t->kind == TOKEN_ERROR)
        return fail(p, "%s", t->text);
    if (t->kind == TOKEN_END)
        return fail(p, "unexpected EOF");
    if (t->kind == TOKEN_WORD && is_keyword(t->text))
        return fail(p, "unexpected <%s> in %s", t->text, context);
    return fail(p, "unexpected \"%s%s\" in %s", t->kind == TOKEN_FIELD ? "." : "", t->text, context);
}

static struct node *parse_pipe(struct parser *p, const char *context, bool in_parens);
static struct node *parse_list(struct parser *p);

/* ---- operands ---- */

static struct node *parse_number(struct parser *p)
{
    const char *text = p->tok.text;
    struct node *n = node_new(p, NODE_VALUE);
    char *end;
    long long integer = strtoll(text, &end, 0);

    if (*text && !*end) {
        n->value = json_integer(integer);
    } else {
        n->value = json_real(strtod(text, &end));
        if (*end) {
            node_free(n);
            return fail(p, "bad number syntax: \"%s\"", text);
        }
    }
    return n;
}

static struct node *parse_word(struct parser *p)
{
    const char *word = p->tok.text;
    struct node *n;

    if (is_keyword(word))
        return unexpected(p, "operand");
    if (!str_eq(word, "true") && !str_eq(word, "false") && !str_eq(word, "nil") && !function_exists(word))
        return fail(p, "function \"%s\" not defined", word);
    n = node_new(p, str_eq(word, "nil") ? NODE_NIL : function_exists(word) ? NODE_FUNCTION : NODE_VALUE);
    if (n->kind == NODE_VALUE)
        n->value = json_boolean(str_eq(word, "true"));
    n->text = xstrdup(word);
    return n;
}

static struct node *parse_variable(struct parser *p)
{
    struct node *n;

    if (!strv_contains(p->variables, p->tok.text))
        return fail(p, "undefined variable \"%s\"", p->tok.text);
    n = node_new(p, NODE_VARIABLE);
    strv_push(&n->names, p->tok.text);
    return n;
}

static struct node *parse_parens(struct parser *p)
{
    _cleanup_node_ struct node *n = node_new(p, NODE_CHAIN);
    struct node *inner;

    next(p);
    inner = parse_pipe(p, "parenthesized pipeline", /* in_parens= */ true);
    if (!inner)
        return NULL;
    node_add(n, inner);
    if (!is_symbol(p, ')'))
        return unexpected(p, "parenthesized pipeline");
    return take_ptr(&n);
}

/* One operand without what may follow it; the current token is its last. NULL with *ret_none when none starts here. */
static struct node *parse_term(struct parser *p, bool *ret_none)
{
    struct node *n;

    *ret_none = false;
    switch (p->tok.kind) {
    case TOKEN_DOT:
        return node_new(p, NODE_DOT);
    case TOKEN_FIELD:
        n = node_new(p, NODE_FIELD);
        strv_push(&n->names, p->tok.text);
        return n;
    case TOKEN_VARIABLE:
        return parse_variable(p);
    case TOKEN_WORD:
        return parse_word(p);
    case TOKEN_STRING:
        n = node_new(p, NODE_VALUE);
        n->value = json_string_lossy(p->tok.text, strlen(p->tok.text));
        return n;
    case TOKEN_NUMBER:
    case TOKEN_CHAR:
        return parse_number(p);
    case TOKEN_SYMBOL:
        if (is_symbol(p, '('))
            return parse_parens(p);
        break;
    default:
        break;
    }
    *ret_none = true;
    return NULL;
}

static struct node *parse_operand(struct parser *p, bool *ret_none)
{
    _cleanup_node_ struct node *n = parse_term(p, ret_none);

    if (!n)
        return NULL;
    next(p);
    for (bool first = true; p->tok.kind == TOKEN_FIELD; first = false) {
        if (n->kind == NODE_VALUE || n->kind == NODE_NIL || n->kind == NODE_DOT)
            return unexpected(p, "operand");
        if (n->kind == NODE_FUNCTION) { /* a function's result has fields as well */
            struct node *chain = node_new(p, NODE_CHAIN);

            chain->at = n->at;
            node_add(chain, n);
            n = chain;
        }
        if (first)
            n->where = p->tok.at;
        strv_push(&n->names, p->tok.text);
        next(p);
    }
    n->end = p->tok.at;
    return take_ptr(&n);
}

/* ---- pipelines ---- */

static struct node *parse_command(struct parser *p)
{
    _cleanup_node_ struct node *command = node_new(p, NODE_COMMAND);

    for (;;) {
        struct node *operand;
        bool none;

        skip_space(p);
        command->at = command->count ? command->at : p->tok.at;
        operand = parse_operand(p, &none);
        if (!operand && !none)
            return NULL;
        if (operand) {
            node_add(command, operand);
            command->end = operand->end;
        }
        if (p->tok.kind == TOKEN_SPACE)
            continue;
        if (p->tok.kind == TOKEN_CLOSE || is_symbol(p, ')') || is_symbol(p, '|'))
            break;
        return unexpected(p, "operand");
    }
    if (!command->count)
        return is_symbol(p, '|') ? fail(p, "unexpected \"|\" in command") : fail(p, "empty command");
    command->where = command->at;
    return take_ptr(&command);
}

/* Looks behind a variable without moving: ':' for ":=", '=' or ',' or 0. */
static char peek_declaration(const struct parser *p)
{
    struct lexer ahead = p->lexer;
    char found;

    for (;;) {
        struct token t = lexer_next(&ahead);

        found = t.kind == TOKEN_DECLARE                             ? ':'
                : t.kind == TOKEN_SYMBOL && strchr("=,", t.text[0]) ? t.text[0]
                                                                    : '\0';
        free(t.text);
        if (t.kind != TOKEN_SPACE)
            return found;
    }
}

/* "$x :=", "$x =", in a range also "$i, $x :=". 0 or -1. */
static int parse_declarations(struct parser *p, struct node *pipe, bool in_range)
{
    while (p->tok.kind == TOKEN_VARIABLE) {
        char mark = peek_declaration(p);

        if (!mark || (mark == ',' && (!in_range || strv_len(pipe->names) > 0)))
            return 0;
        if (mark == '=' && !strv_contains(p->variables, p->tok.text)) {
            fail(p, "undefined variable \"%s\"", p->tok.text);
            return -1;
        }
        strv_push(&pipe->names, p->tok.text);
        next(p);
        skip_space(p);
        next(p);
        skip_space(p);
        if (mark == ',')
            continue;
        pipe->assign = mark == '=';
        for (char **name = pipe->names; *name && !pipe->assign; name++)
            strv_push(&p->variables, *name);
        return 0;
    }
    return 0;
}

static struct node *parse_pipe(struct parser *p, const char *context, bool in_parens)
{
    _cleanup_node_ struct node *pipe = node_new(p, NODE_PIPE);

    if (++p->depth > DEPTH_MAX)
        return fail(p, "max expression depth exceeded");
    skip_space(p);
    pipe->at = pipe->where = p->tok.at;
    if (parse_declarations(p, pipe, str_eq(context, "range")) < 0)
        return NULL;
    for (;;) {
        struct node *command;

        skip_space(p);
        if (p->tok.kind == TOKEN_CLOSE || (in_parens && is_symbol(p, ')'))) {
            if (!pipe->count)
                return fail(p, "missing value for %s", context);
            return fail(p, "missing value for command");
        }
        command = parse_command(p);
        if (!command)
            return NULL;
        node_add(pipe, command);
        if (pipe->count > 1 &&
            (command->children[0]->kind == NODE_VALUE || command->children[0]->kind == NODE_NIL))
            return fail(p, "non executable command in pipeline stage %zu", pipe->count);
        pipe->end = command->end;
        if (!is_symbol(p, '|'))
            break;
        next(p);
    }
    if (!in_parens && p->tok.kind != TOKEN_CLOSE)
        return unexpected(p, context);
    p->depth--;
    return take_ptr(&pipe);
}

/* ---- actions ---- */

/* Forgets the variables declared since there were `count`. */
static void pop_variables(struct parser *p, size_t count)
{
    for (size_t n = strv_len(p->variables); n > count; n--) {
        free(p->variables[n - 1]);
        p->variables[n - 1] = NULL;
    }
}

static bool at_word(const struct parser *p, const char *word)
{
    return p->tok.kind == TOKEN_WORD && str_eq(p->tok.text, word);
}

/* Expects "}}" (behind blanks) and goes on behind it. */
static int expect_close(struct parser *p, const char *context)
{
    skip_space(p);
    if (p->tok.kind != TOKEN_CLOSE) {
        unexpected(p, context);
        return -1;
    }
    next(p);
    return 0;
}

static struct node *parse_control(struct parser *p, enum node_kind kind, const char *context);

/* Behind the body of if, range or with: {{end}}, {{else}}…{{end}}, {{else if …}}…{{end}}. 0 or -1. */
static int parse_otherwise(struct parser *p, struct node *n, const char *context)
{
    if (at_word(p, "else")) {
        next(p);
        skip_space(p);
        if ((at_word(p, "if") && n->kind == NODE_IF) || (at_word(p, "with") && n->kind == NODE_WITH)) {
            struct node *inner;

            n->otherwise = node_new(p, NODE_LIST);
            next(p);
            inner = parse_control(p, n->kind, context);
            if (inner)
                node_add(n->otherwise, inner);
            return inner ? 0 : -1; /* its {{end}} ended us as well */
        }
        if (expect_close(p, "else") < 0)
            return -1;
        n->otherwise = parse_list(p);
        if (!n->otherwise)
            return -1;
        if (at_word(p, "else")) {
            fail(p, "expected end; found {{else}}");
            return -1;
        }
    }
    if (!at_word(p, "end")) {
        unexpected(p, context);
        return -1;
    }
    next(p);
    return expect_close(p, "end");
}

/* Behind the word if, range or with, up to behind its {{end}}. */
static struct node *parse_control(struct parser *p, enum node_kind kind, const char *context)
{
    _cleanup_node_ struct node *n = node_new(p, kind);
    size_t scope = strv_len(p->variables);

    if (++p->depth > DEPTH_MAX)
        return fail(p, "max nesting depth exceeded");
    n->pipe = parse_pipe(p, context, /* in_parens= */ false);
    if (!n->pipe)
        return NULL;
    next(p);
    p->loops += kind == NODE_RANGE;
    n->body = parse_list(p);
    p->loops -= kind == NODE_RANGE;
    if (!n->body || parse_otherwise(p, n, context) < 0)
        return NULL;
    pop_variables(p, scope);
    p->depth--;
    return take_ptr(&n);
}

/* The name behind define, template and block. The caller frees; NULL on failure. */
static char *parse_name(struct parser *p, const char *context)
{
    char *name;

    if (p->tok.kind != TOKEN_STRING)
        return unexpected(p, context);
    name = xstrdup(p->tok.text);
    next(p);
    skip_space(p);
    return name;
}

/* A body of its own up to {{end}}, kept under `name`. 0 or -1. */
static int parse_definition(struct parser *p, const char *name)
{
    char **outer = take_ptr(&p->variables);
    struct node *body;
    int r = -1;

    strv_push(&p->variables, "$");
    body = parse_list(p);
    if (body && at_word(p, "end")) {
        next(p);
        r = expect_close(p, "define clause");
    } else if (body) {
        unexpected(p, "define clause");
    }
    strv_free(p->variables);
    p->variables = outer;
    if (body) {
        struct template *t = p->template;

        t->definitions = xreallocarray(t->definitions, t->definition_count + 1, sizeof(*t->definitions));
        t->definitions[t->definition_count++] = (struct definition){xstrdup(name), body};
    }
    return r;
}

/* {{template "name" pipe}}, {{block "name" pipe}}…{{end}} */
static struct node *parse_template(struct parser *p, bool block)
{
    _cleanup_node_ struct node *n = node_new(p, NODE_TEMPLATE);

    next(p);
    skip_space(p);
    n->where = p->tok.at; /* messages show the whole action */
    n->text = parse_name(p, block ? "block clause" : "template clause");
    if (!n->text)
        return NULL;
    if (block || p->tok.kind != TOKEN_CLOSE) {
        n->pipe = parse_pipe(p, block ? "block clause" : "template clause", /* in_parens= */ false);
        if (!n->pipe)
            return NULL;
    }
    n->at -= n->at >= 2 ? 2 : 0;
    n->end = p->tok.at + (p->tok.kind == TOKEN_CLOSE ? 2 : 0);
    next(p);
    if (block && parse_definition(p, n->text) < 0)
        return NULL;
    return take_ptr(&n);
}

static struct node *parse_define(struct parser *p)
{
    _cleanup_free_ char *name = NULL;

    next(p);
    skip_space(p);
    name = parse_name(p, "define clause");
    if (!name || expect_close(p, "define clause") < 0 || parse_definition(p, name) < 0)
        return NULL;
    return node_new(p, NODE_LIST);
}

static struct node *parse_jump(struct parser *p, enum node_kind kind, const char *word)
{
    struct node *n = node_new(p, kind);

    if (!p->loops) {
        node_free(n);
        return fail(p, "{{%s}} outside {{range}}", word);
    }
    next(p);
    if (expect_close(p, word) < 0) {
        node_free(n);
        return NULL;
    }
    return n;
}

/* Behind "{{" and blanks, anything but end and else. */
static struct node *parse_action(struct parser *p)
{
    struct node *n;

    if (at_word(p, "if") || at_word(p, "range") || at_word(p, "with")) {
        enum node_kind kind = at_word(p, "if") ? NODE_IF : at_word(p, "range") ? NODE_RANGE : NODE_WITH;

        next(p);
        return parse_control(p, kind, kind == NODE_IF ? "if" : kind == NODE_RANGE ? "range" : "with");
    }
    if (at_word(p, "define"))
        return parse_define(p);
    if (at_word(p, "template") || at_word(p, "block"))
        return parse_template(p, at_word(p, "block"));
    if (at_word(p, "break"))
        return parse_jump(p, NODE_BREAK, "break");
    if (at_word(p, "continue"))
        return parse_jump(p, NODE_CONTINUE, "continue");
    n = node_new(p, NODE_ACTION);
    n->pipe = parse_pipe(p, "command", /* in_parens= */ false);
    if (!n->pipe) {
        node_free(n);
        return NULL;
    }
    next(p);
    return n;
}

/* Texts and actions up to {{end}}, {{else}} (the current token then is that word) or the end of the template. */
static struct node *parse_list(struct parser *p)
{
    _cleanup_node_ struct node *list = node_new(p, NODE_LIST);

    for (;;) {
        struct node *n = NULL;

        if (p->tok.kind == TOKEN_END)
            return take_ptr(&list);
        if (p->tok.kind == TOKEN_TEXT) {
            n = node_new(p, NODE_TEXT);
            n->text = take_ptr(&p->tok.text);
            next(p);
        } else if (p->tok.kind == TOKEN_OPEN) {
            next(p);
            skip_space(p);
            if (at_word(p, "end") || at_word(p, "else"))
                return take_ptr(&list);
            n = parse_action(p);
        } else {
            unexpected(p, "input");
        }
        if (!n)
            return NULL;
        node_add(list, n);
    }
}

struct template *template_parse(const char *name, const char *text, struct err *err)
{
    _cleanup_(template_free_p) struct template *t = xcalloc(1, sizeof(*t));
    struct parser p = {.template = t, .err = err};

    t->name = xstrdup(name);
    t->text = xstrdup(text);
    p.lexer.text = t->text;
    strv_push(&p.variables, "$");
    next(&p);
    t->body = parse_list(&p);
    if (t->body && p.tok.kind != TOKEN_END) {
        fail(&p, "unexpected {{%s}}", p.tok.text);
        node_free(t->body);
        t->body = NULL;
    }
    free(p.tok.text);
    strv_free(p.variables);
    return t->body ? take_ptr(&t) : NULL;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->definition_count; i++) {
        free(t->definitions[i].name);
        node_free(t->definitions[i].body);
    }
    free(t->definitions);
    node_free(t->body);
    free(t->name);
    free(t->text);
    free(t);
}

void template_set_headings(struct template *t, bool on)
{
    t->headings = on;
}
