/* --change: single Dockerfile instructions on a Docker Config. Variables aren't expanded. */
#include "image/change.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"

enum { WORD_MAX = 64 * 1024 };

static const char *skip_blanks(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

/* One shell-like word at *p: quotes and backslashes are taken off. NULL with err set when a quote isn't
 * closed. */
static char *next_word(const char **p, struct err *err)
{
    _cleanup_(buf_finish) struct buf word = BUF_INIT(WORD_MAX);
    const char *s = skip_blanks(*p);
    char quote = '\0';

    for (; *s && (quote || !isspace((unsigned char)*s)); s++) {
        if (quote != '\'' && *s == '\\' && s[1]) {
            if (quote && !strchr("\"\\$", s[1]))
                buf_putc(&word, '\\');
            buf_putc(&word, *++s);
        } else if (quote ? *s == quote : (*s == '"' || *s == '\'')) {
            quote = quote ? '\0' : *s;
        } else {
            buf_putc(&word, *s);
        }
    }
    *p = s;
    if (quote || buf_failed(&word)) {
        err_set(err, ERR_INVALID,
                quote ? "unexpected end of statement while looking for matching quote"
                      : "a word of the instruction is too long");
        return NULL;
    }
    return xstrdup(buf_str(&word));
}

/* A JSON array of strings, or NULL if the text is anything else. */
static json_t *parse_exec_form(const char *text)
{
    json_t *array = *text == '[' ? json_loads(text, 0, NULL) : NULL, *item;
    size_t i;

    json_array_foreach (array, i, item) {
        if (!json_is_string(item)) {
            json_decref(array);
            return NULL;
        }
    }
    if (array && !json_is_array(array)) {
        json_decref(array);
        return NULL;
    }
    return array;
}

/* Exec form as it is, shell form behind /bin/sh -c. */
static json_t *parse_command(const char *text)
{
    json_t *array = parse_exec_form(text);

    if (array)
        return array;
    if (!*text)
        return json_array();
    array = json_from_strv((char *[]){(char *)"/bin/sh", (char *)"-c", NULL});
    json_array_append_new(array, json_string_lossy(text, strlen(text)));
    return array;
}

/* The object at config[key], made when missing or null. Borrowed. */
static json_t *member_object(json_t *config, const char *key)
{
    json_t *object = json_object_get(config, key);

    if (json_is_object(object))
        return object;
    object = json_object();
    json_object_set_new(config, key, object);
    return object;
}

static json_t *member_array(json_t *config, const char *key)
{
    json_t *array = json_object_get(config, key);

    if (json_is_array(array))
        return array;
    array = json_array();
    json_object_set_new(config, key, array);
    return array;
}

static int change_cmd(json_t *config, const char *args, struct err *err _unused_)
{
    json_object_set_new(config, "Cmd", parse_command(args));
    return 0;
}

static int change_entrypoint(json_t *config, const char *args, struct err *err _unused_)
{
    json_object_set_new(config, "Entrypoint", parse_command(args));
    return 0;
}

static void set_env(json_t *config, const char *name, const char *value)
{
    json_t *env = member_array(config, "Env"), *item;
    _cleanup_free_ char *text = xasprintf("%s=%s", name, value);
    size_t len = strlen(name), i;

    json_array_foreach (env, i, item) {
        const char *old = json_string_value(item);

        if (old && strncmp(old, name, len) == 0 && (old[len] == '=' || !old[len])) {
            json_array_set_new(env, i, json_string_lossy(text, strlen(text)));
            return;
        }
    }
    json_array_append_new(env, json_string_lossy(text, strlen(text)));
}

static void set_label(json_t *config, const char *name, const char *value)
{
    json_set_str(member_object(config, "Labels"), name, value);
}

/* "A=b C='d e'", or the old "A rest of the line". */
static int each_pair(json_t *config, const char *args, const char *instruction,
                     void (*set)(json_t *config, const char *name, const char *value), struct err *err)
{
    const char *p = args;

    while (*skip_blanks(p)) {
        _cleanup_free_ char *word = next_word(&p, err);
        char *equals = word ? strchr(word, '=') : NULL;

        if (!word)
            return -1;
        if (!equals && p != args && *skip_blanks(p) && skip_blanks(args) + strlen(word) == p) {
            set(config, word, skip_blanks(p));
            return 0;
        }
        if (!equals || equals == word)
            return err_set(err, ERR_INVALID, "%s must have the form name=value: \"%s\"", instruction, word);
        *equals = '\0';
        set(config, word, equals + 1);
    }
    return 0;
}

static int change_env(json_t *config, const char *args, struct err *err)
{
    return each_pair(config, args, "ENV", set_env, err);
}

static int change_label(json_t *config, const char *args, struct err *err)
{
    return each_pair(config, args, "LABEL", set_label, err);
}

static int expose_one(json_t *ports, char *word, struct err *err)
{
    char *slash = strchr(word, '/'), *dash;
    const char *protocol = slash ? slash + 1 : "tcp";
    uint32_t first, last;

    if (slash)
        *slash = '\0';
    dash = strchr(word, '-');
    if (dash)
        *dash = '\0';
    if (str_to_u32(word, &first) < 0 || str_to_u32(dash ? dash + 1 : word, &last) < 0 || first == 0 ||
        last > 65535 || first > last ||
        (strcasecmp(protocol, "tcp") && strcasecmp(protocol, "udp") && strcasecmp(protocol, "sctp")))
        return err_set(err, ERR_INVALID, "invalid containerPort: %s%s%s", word, slash ? "/" : "",
                       slash ? protocol : "");
    for (uint32_t port = first; port <= last; port++) {
        char key[32];

        snprintf(key, sizeof(key), "%u/%s", port, protocol);
        for (char *c = key; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        json_object_set_new(ports, key, json_object());
    }
    return 0;
}

static int change_expose(json_t *config, const char *args, struct err *err)
{
    json_t *ports = member_object(config, "ExposedPorts");

    while (*skip_blanks(args)) {
        _cleanup_free_ char *word = next_word(&args, err);

        if (!word || expose_one(ports, word, err) < 0)
            return -1;
    }
    return 0;
}

static int change_volume(json_t *config, const char *args, struct err *err)
{
    _cleanup_json_ json_t *list = parse_exec_form(args);
    json_t *volumes = member_object(config, "Volumes"), *item;
    size_t i;

    if (!list) {
        list = json_array();
        while (*skip_blanks(args)) {
            _cleanup_free_ char *word = next_word(&args, err);

            if (!word)
                return -1;
            json_array_append_new(list, json_string_lossy(word, strlen(word)));
        }
    }
    json_array_foreach (list, i, item) {
        if (!json_string_length(item))
            return err_set(err, ERR_INVALID, "VOLUME specified can not be an empty string");
        json_object_set_new(volumes, json_string_value(item), json_object());
    }
    return 0;
}

static int change_user(json_t *config, const char *args, struct err *err _unused_)
{
    json_set_str(config, "User", args);
    return 0;
}

static int change_workdir(json_t *config, const char *args, struct err *err _unused_)
{
    const char *old = json_str_or(config, "WorkingDir", "");
    _cleanup_free_ char *joined = path_is_absolute(args) ? xstrdup(args) : xasprintf("/%s/%s", old, args);
    _cleanup_free_ char *clean = path_clean(joined);

    json_set_str(config, "WorkingDir", clean);
    return 0;
}

static int change_stopsignal(json_t *config, const char *args, struct err *err)
{
    if (strpbrk(args, " \t\n"))
        return err_set(err, ERR_INVALID, "STOPSIGNAL requires exactly one argument");
    json_set_str(config, "StopSignal", args);
    return 0;
}

static int change_onbuild(json_t *config, const char *args, struct err *err)
{
    static const char *const forbidden[] = {"ONBUILD", "FROM", "MAINTAINER"};
    size_t len = strcspn(args, " \t");

    for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
        if (len == strlen(forbidden[i]) && strncasecmp(args, forbidden[i], len) == 0)
            return err_set(err, ERR_INVALID, "%s isn't allowed as an ONBUILD trigger", forbidden[i]);
    json_array_append_new(member_array(config, "OnBuild"), json_string_lossy(args, strlen(args)));
    return 0;
}

/* HEALTHCHECK's flags, and the members of Healthcheck they set. */
static const struct {
    const char *flag, *member;
    bool duration;
} health_flags[] = {
    {"--interval=", "Interval", true},        {"--timeout=", "Timeout", true},
    {"--start-period=", "StartPeriod", true}, {"--start-interval=", "StartInterval", true},
    {"--retries=", "Retries", false},
};

static int health_flag(json_t *check, const char *word, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(health_flags); i++) {
        const char *value = str_after(word, health_flags[i].flag);
        int64_t number;

        if (!value)
            continue;
        if ((health_flags[i].duration ? clock_parse_duration(value, &number) : str_to_i64(value, &number)) <
                0 ||
            number < 0)
            return err_set(err, ERR_INVALID, "HEALTHCHECK: invalid value of %s", word);
        json_set_int(check, health_flags[i].member, number);
        return 0;
    }
    return err_set(err, ERR_INVALID, "unknown flag: %s", word);
}

static int change_healthcheck(json_t *config, const char *args, struct err *err)
{
    _cleanup_json_ json_t *check = json_object();
    json_t *test;

    while (str_starts(args = skip_blanks(args), "--")) {
        _cleanup_free_ char *word = next_word(&args, err);

        if (!word || health_flag(check, word, err) < 0)
            return -1;
    }
    if (strcasecmp(args, "NONE") == 0) {
        json_object_set_new(check, "Test", json_pack("[s]", "NONE"));
    } else if (strncasecmp(args, "CMD", 3) == 0 && isspace((unsigned char)args[3])) {
        args = skip_blanks(args + 3);
        test = parse_exec_form(args);
        if (test)
            json_array_insert_new(test, 0, json_string("CMD"));
        else
            test = json_pack("[s, o]", "CMD-SHELL", json_string_lossy(args, strlen(args)));
        json_object_set_new(check, "Test", test);
    } else {
        return err_set(err, ERR_INVALID, "Unknown type \"%s\" in HEALTHCHECK (try CMD)", args);
    }
    json_object_set(config, "Healthcheck", check);
    return 0;
}

/* To allow an instruction: a row. */
static const struct {
    const char *name;
    int (*apply)(json_t *config, const char *args, struct err *err);
    bool may_be_empty;
} instructions[] = {
    {"CMD", change_cmd, true},
    {"ENTRYPOINT", change_entrypoint, true},
    {"ENV", change_env, false},
    {"EXPOSE", change_expose, false},
    {"HEALTHCHECK", change_healthcheck, false},
    {"LABEL", change_label, false},
    {"ONBUILD", change_onbuild, false},
    {"STOPSIGNAL", change_stopsignal, false},
    {"USER", change_user, false},
    {"VOLUME", change_volume, false},
    {"WORKDIR", change_workdir, false},
};

/* *command: whether one of these changes was CMD. */
static int apply_one(json_t *config, const char *text, bool *command, struct err *err)
{
    const char *word = skip_blanks(text);
    size_t len = strcspn(word, " \t\n");
    _cleanup_free_ char *args = xstrdup(skip_blanks(word + len));

    for (size_t n = strlen(args); n > 0 && isspace((unsigned char)args[n - 1]); n--)
        args[n - 1] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
        if (len != strlen(instructions[i].name) || strncasecmp(word, instructions[i].name, len) != 0)
            continue;
        if (!*args && !instructions[i].may_be_empty)
            return err_set(err, ERR_INVALID, "%s requires at least one argument", instructions[i].name);
        *command = *command || instructions[i].apply == change_cmd;
        if (instructions[i].apply == change_entrypoint && !*command)
            json_object_del(config, "Cmd"); /* it was meant for another program */
        return instructions[i].apply(config, args, err);
    }
    return err_set(err, ERR_INVALID, "%.*s is not a valid change command", (int)MIN_OF(len, 100U), word);
}

int image_change_apply(json_t *config, char *const *changes, struct err *err)
{
    bool command = false;

    for (; changes && *changes; changes++)
        if (*skip_blanks(*changes) && apply_one(config, *changes, &command, err) < 0)
            return -1;
    return 0;
}
