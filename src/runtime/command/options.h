/* Options as tables: where the value goes in struct request, and what --help says. Parsing is as Go's programs have it:
 * "--name value", "--name=value", one dash as good as two, "-x" where there is a letter; the first word that is no option
 * ends it. */
#ifndef KEG_RUNTIME_COMMAND_OPTIONS_H
#define KEG_RUNTIME_COMMAND_OPTIONS_H

#include <stddef.h>

#include "base/err.h"

struct request;

enum option_kind {
    OPTION_FLAG,  /* bool */
    OPTION_VALUE, /* const char * */
    OPTION_LIST   /* char **, NULL-terminated; grows with every use */
};

struct option {
    const char *name;
    char letter; /* 0: none */
    enum option_kind kind;
    size_t offset; /* in struct request */
    const char *help;
};

/* Takes options up to the first word that is none. Returns the words taken, -1. */
int options_parse(struct request *request, const struct option *options, size_t count, char **words,
                  struct err *err);
/* One line each, on standard output. */
void options_print(const struct option *options, size_t count);

#endif
