/* Parsing by options.h's tables. */
#include "runtime/command/options.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "runtime/command/command.h"

void options_print(const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[64], letter[8] = "";

        if (options[i].letter)
            snprintf(letter, sizeof(letter), ", -%c", options[i].letter);
        snprintf(name, sizeof(name), "--%s%s%s", options[i].name,
                 options[i].kind == OPTION_FLAG ? "" : " value", letter);
        printf("   %-30s %s\n", name, options[i].help);
    }
}

static const struct option *find(const struct option *options, size_t count, const char *name, size_t len,
                                 bool is_letter)
{
    for (size_t i = 0; i < count; i++)
        if (is_letter ? options[i].letter == *name
                      : strlen(options[i].name) == len && strncmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

static int store(struct request *request, const struct option *option, const char *value, struct err *err)
{
    void *at = (char *)request + option->offset;

    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)at = true;
        if (value && str_to_bool(value, at) < 0)
            return err_set(err, ERR_INVALID, "option --%s is true or false, not \"%s\"", option->name, value);
        break;
    case OPTION_VALUE:
        *(const char **)at = value;
        break;
    case OPTION_LIST:
        strv_push(at, value);
        break;
    }
    return 0;
}

int options_parse(struct request *request, const struct option *options, size_t count, char **words,
                  struct err *err)
{
    int i = 0;

    for (; words[i] && words[i][0] == '-' && words[i][1]; i++) {
        const char *name = words[i] + (words[i][1] == '-' ? 2 : 1), *equals = strchr(name, '=');
        size_t len = equals ? (size_t)(equals - name) : strlen(name);
        const char *value = equals ? equals + 1 : NULL;
        const struct option *option;

        if (str_eq(words[i], "--"))
            return i + 1;
        option = find(options, count, name, len, words[i][1] != '-' && len == 1);
        if (!option)
            return err_set(err, ERR_INVALID, "flag provided but not defined: %s", words[i]);
        if (!value && option->kind != OPTION_FLAG && !(value = words[++i]))
            return err_set(err, ERR_INVALID, "option --%s needs a value", option->name);
        if (store(request, option, value, err) < 0)
            return -1;
    }
    return i;
}
