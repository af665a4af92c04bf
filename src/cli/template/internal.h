/* What the parts of the template engine share: tokens, nodes, values. Nobody else includes this. */
#ifndef KEG_CLI_TEMPLATE_INTERNAL_H
#define KEG_CLI_TEMPLATE_INTERNAL_H

#include "base/json.h"
#include "cli/template/template.h"

/* ---- lexer.c ---- */

enum token_kind {
    TOKEN_END,   /* of the template */
    TOKEN_ERROR, /* text is the message */
    TOKEN_TEXT,  /* outside of actions */
    TOKEN_OPEN,  /* {{ */
    TOKEN_CLOSE, /* }} */
    TOKEN_SPACE,
    TOKEN_DOT,
    TOKEN_FIELD,    /* .Name; the text has no dot */
    TOKEN_VARIABLE, /* $ or $name, with the dollar */
    TOKEN_WORD,     /* function, keyword, true, false, nil */
    TOKEN_STRING,   /* decoded */
    TOKEN_NUMBER,
    TOKEN_CHAR,   /* decoded, a number's text */
    TOKEN_SYMBOL, /* ( ) | , = */
    TOKEN_DECLARE /* := */
};

struct token {
    enum token_kind kind;
    size_t at;  /* where in the template */
    char *text; /* owned */
};

struct lexer {
    const char *text;
    size_t at;
    bool inside;    /* an action */
    bool trim_next; /* the last action ended in -}} */
    int parens;
};

/* The next token; its text is the caller's to free. */
struct token lexer_next(struct lexer *l);

/* ---- parser.c ---- */

enum node_kind {
    NODE_LIST, /* children */
    NODE_TEXT,
    NODE_ACTION,   /* pipe */
    NODE_IF,       /* pipe, body, otherwise */
    NODE_RANGE,    /* likewise */
    NODE_WITH,     /* likewise */
    NODE_TEMPLATE, /* text = name, pipe or NULL */
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_PIPE,    /* children are commands; names = variables */
    NODE_COMMAND, /* children are operands */
    NODE_DOT,
    NODE_NIL,
    NODE_FIELD,    /* names = the chain of fields of dot */
    NODE_VARIABLE, /* names[0] = the variable, the rest fields of it */
    NODE_CHAIN,    /* children[0] = a parenthesised pipe, names = fields of it */
    NODE_FUNCTION, /* text = its name */
    NODE_VALUE,    /* value = a constant */
};

struct node {
    enum node_kind kind;
    size_t at, end; /* the source, for messages */
    size_t where;   /* the place that messages name, mostly `at` */
    char *text;
    char **names;
    bool assign; /* of a pipe: "=" instead of ":=" */
    json_t *value;
    struct node **children;
    size_t count;
    struct node *pipe, *body, *otherwise;
};

struct template
{
    char *name;
    char *text;
    struct node *body;
    struct definition {
        char *name;
        struct node *body;
    } * definitions;
    size_t definition_count;
    bool headings;
};

void node_free(struct node *n);

/* ---- functions.c ---- */

struct call {
    const char *name;
    json_t **args;
    size_t count;
    bool headings;
    int *blame; /* set to the argument that is at fault, if one is; BLAME_FUNCTION: their number */
};
enum { BLAME_NOBODY = -1, BLAME_FUNCTION = -2 };

/* Runs a function: a new reference, or NULL with err set to the bare reason. */
json_t *function_call(const struct call *call, struct err *err);
bool function_exists(const char *name);

/* ---- print.c ---- */

/* Appends a value as Go's %v does. */
void print_value(struct buf *out, const json_t *value);
/* Appends what fmt.Sprintf would give. */
void print_format(struct buf *out, const char *format, json_t *const *args, size_t count);
/* Go's notion of true: not zero, not empty. NULL (no value) is false. */
bool value_is_true(const json_t *value);
/* "string", "int", "map[string]interface {}": a value's type in messages. */
const char *value_type(const json_t *value);

#endif
