/* Candidates. Arguments are told by the usage line of their command ("CONTAINER [CONTAINER...]"), options by their name. */
#include "cli/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/context.h"

enum { OUT_MAX = 4 * 1024 * 1024 };

/* Where the typing is. */
struct place {
    const struct command *command;   /* NULL: keg itself */
    char path[64];                   /* as it was called */
    const struct option_row *option; /* the last word is its value */
    const char *value;               /* as far as typed; with "--name=", behind that */
    const char *before;              /* what stands in the same word before the value: "--name=", or "" */
    int before_len;
    int position; /* arguments before the last word */
    bool no_options, unknown;
};

struct completion {
    struct cli *cli;
    const struct place *place;
    struct buf *out;
};

/* ---- what may stand for a word of a usage line, or for an option's value ---- */

static void add(struct completion *c, const char *name, const char *description)
{
    if (name && *name && str_starts(name, c->place->value))
        buf_printf(c->out, "%.*s%s\t%.*s\n", c->place->before_len, c->place->before, name,
                   (int)strcspn(description, "\n"), description);
}

static json_t *ask(struct completion *c, const char *url_text)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;

    if (!c->cli)
        return NULL;
    buf_puts(&url, url_text);
    return client_get(c->cli, &url, NULL);
}

/* The commands that only some containers are good for. */
static const char *container_filter(const struct command *command)
{
    static const struct {
        const char *paths, *filter;
    } rows[] = {
        {"attach,exec,kill,pause,stop,stats,top,container attach,container exec,container kill,container "
         "pause,"
         "container stop,container stats,container top",
         "?filters={\"status\":{\"running\":true}}"},
        {"start,container start", "?all=1&filters={\"status\":{\"exited\":true,\"created\":true}}"},
        {"unpause,container unpause", "?all=1&filters={\"status\":{\"paused\":true}}"},
    };

    for (size_t i = 0; command && i < ARRAY_SIZE(rows); i++) {
        _cleanup_strv_ char **paths = strv_split(rows[i].paths, ',');

        for (char **path = paths; *path; path++)
            if (command_has_path(command, *path))
                return rows[i].filter;
    }
    return "?all=1";
}

static void add_containers(struct completion *c)
{
    _cleanup_free_ char *url = xasprintf("/containers/json%s", container_filter(c->place->command));
    _cleanup_json_ json_t *list = ask(c, url);
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item) {
        const char *name = json_string_value(json_array_get(json_object_get(item, "Names"), 0));

        add(c, name ? name + (*name == '/') : NULL, json_str_or(item, "Image", ""));
    }
}

static void add_images(struct completion *c)
{
    _cleanup_json_ json_t *list = ask(c, "/images/json");
    const json_t *item, *tag;
    size_t i, k;

    json_array_foreach (list, i, item)
        json_array_foreach (json_object_get(item, "RepoTags"), k, tag) {
            const char *name = json_string_value(tag);
            bool latest = name && str_ends(name, ":latest");
            _cleanup_free_ char *bare = latest ? xstrndup(name, strlen(name) - strlen(":latest")) : NULL;

            add(c, bare, "");
            if (!latest || strchr(c->place->value, ':'))
                add(c, name, "");
        }
}

static void add_networks(struct completion *c)
{
    _cleanup_json_ json_t *list = ask(c, "/networks");
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        add(c, json_str(item, "Name"), json_str_or(item, "Driver", ""));
}

static void add_volumes(struct completion *c)
{
    _cleanup_json_ json_t *answer = ask(c, "/volumes");
    const json_t *item;
    size_t i;

    json_array_foreach (json_object_get(answer, "Volumes"), i, item)
        add(c, json_str(item, "Name"), json_str_or(item, "Driver", ""));
}

static void add_runtimes(struct completion *c)
{
    _cleanup_json_ json_t *info = ask(c, "/info");
    json_t *runtime;
    const char *name;

    json_object_foreach (json_object_get(info, "Runtimes"), name, runtime) {
        add(c, name, json_str_or(runtime, "path", ""));
    }
}

static void add_contexts(struct completion *c)
{
    _cleanup_strv_ char **names = c->cli ? context_names(c->cli) : NULL;

    for (char **name = names; name && *name; name++)
        add(c, *name, "");
}

static void add_anything(struct completion *c)
{
    add_containers(c);
    add_images(c);
    add_networks(c);
    add_volumes(c);
}

static const struct kind {
    const char *word; /* of a usage line; part of it is enough */
    void (*names)(struct completion *c);
} kinds[] = {
    {"CONTAINER", add_containers}, {"IMAGE", add_images},      {"NETWORK", add_networks},
    {"VOLUME", add_volumes},       {"CONTEXT", add_contexts},  {"NAME|ID", add_anything},
    {"NAME[:TAG", add_images},     {"REPOSITORY", add_images},
};

/* To add an option's values: a row. Words are separated by blanks; names come from the daemon. */
static const struct {
    const char *option;
    void (*names)(struct completion *c);
    const char *words; /* "" with no names: nothing is known, and no file is meant */
} values[] = {
    {"context", add_contexts, ""},
    {"from", add_contexts, ""},
    {"network", add_networks, "bridge host none"},
    {"runtime", add_runtimes, "runc"},
    {"storage-opt", NULL, "size="},
    {"volumes-from", add_containers, ""},
    {"link", add_containers, ""},
    {"volume-driver", NULL, "local"},
    {"driver", NULL, "bridge ipvlan local macvlan"},
    {"ends-with", NULL, "client none process"},
    {"restart", NULL, "always no on-failure unless-stopped"},
    {"pull", NULL, "always missing never"},
    {"log-driver", NULL, "fluentd gelf journald json-file local none syslog"},
    {"log-level", NULL, "debug info warn error fatal"},
    {"type", NULL, "container image network volume"},
    {"cgroupns", NULL, "host private"},
    {"ipc", NULL, "container: host none private shareable"},
    {"pid", NULL, "container: host"},
    {"uts", NULL, "host"},
    {"userns", NULL, "host"},
    {"attach", NULL, "stderr stdin stdout"},
    {"platform", NULL, "linux/amd64 linux/arm/v7 linux/arm64 linux/ppc64le linux/riscv64 linux/s390x"},
    {"signal", NULL, "SIGHUP SIGINT SIGKILL SIGQUIT SIGSTOP SIGTERM SIGUSR1 SIGUSR2"},
    {"stop-signal", NULL, "SIGHUP SIGINT SIGKILL SIGQUIT SIGTERM SIGUSR1 SIGUSR2"},
    {"format", NULL, "json table"},
};

/* Options whose value is a file. */
static const char *const files[] = {"cidfile",   "config",  "device",     "env-file", "file",
                                    "iidfile",   "input",   "label-file", "mount",    "output",
                                    "tlscacert", "tlscert", "tlskey",     "volume"};

static int complete_value(struct completion *c)
{
    const char *name = c->place->option->name;

    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (str_eq(files[i], name))
            return COMPLETE_FILES;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        _cleanup_strv_ char **words = strv_split(values[i].words, ' ');

        if (!str_eq(values[i].option, name))
            continue;
        if (values[i].names)
            values[i].names(c);
        for (char **word = words; *word; word++)
            if (!values[i].names || !strstr(buf_str(c->out), *word))
                add(c, *word, "");
        break;
    }
    return COMPLETE_NO_FILES;
}

/* ---- commands, options, arguments ---- */

static void add_options(struct completion *c, const option_tables *tables)
{
    for (size_t t = 0; t < OPTION_TABLES_MAX && (*tables)[t]; t++)
        for (const struct option_row *row = (*tables)[t]; row->name; row++) {
            _cleanup_free_ char *name = xasprintf("--%s", row->name);

            if (!row->hidden)
                add(c, name, row->summary);
        }
    add(c, "--help", "Print what it does and takes");
}

static void add_commands(struct completion *c, const char *group)
{
    size_t len = strlen(group);

    for (const struct command *const *command = commands; *command; command++) {
        _cleanup_strv_ char **paths =
            (*command)->flags & COMMAND_HIDDEN ? NULL : strv_split((*command)->paths, ',');

        for (char **path = paths; path && *path; path++) {
            bool inside = len ? strncmp(*path, group, len) == 0 && (*path)[len] == ' ' : !strchr(*path, ' ');

            if (inside) {
                add(c, *path + (len ? len + 1 : 0), (*command)->summary);
                break; /* one of its names is enough */
            }
        }
    }
}

/* The word of the usage line that stands for an argument: the last one for all behind it. The caller frees. */
static char *usage_word(const struct command *command, int position)
{
    const char *usage = str_empty(command->arguments) ? "" : command->arguments;
    _cleanup_free_ char *line = xstrndup(usage, strcspn(usage, "\n"));
    _cleanup_strv_ char **words = strv_split(line, ' ');
    char *found = NULL;
    int i = 0;

    for (char **word = words; *word; word++) {
        if (!**word || str_eq(*word, "[OPTIONS]"))
            continue;
        if (i++ > position)
            break;
        free(found);
        found = xstrdup(*word);
    }
    if (found && i <= position && !strstr(found, "...")) { /* it takes no more */
        free(found);
        return NULL;
    }
    return found;
}

static int complete_argument(struct completion *c)
{
    _cleanup_free_ char *word = usage_word(c->place->command, c->place->position);

    if (!word)
        return COMPLETE_NO_FILES;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strstr(word, kinds[i].word)) {
            kinds[i].names(c);
            return strstr(word, "PATH") ? COMPLETE_FILES : COMPLETE_NO_FILES;
        }
    return strstr(word, "FILE") || strstr(word, "PATH") || strstr(word, "COMMAND") || strstr(word, "ARG")
               ? COMPLETE_FILES
               : COMPLETE_NO_FILES;
}

/* ---- where the typing is ---- */

static const struct option_row *find_option(const struct place *p, const char *name, size_t len, char letter)
{
    const option_tables own = {global_options};
    const option_tables *tables = p->command ? &p->command->options : &own;

    for (size_t t = 0; t < OPTION_TABLES_MAX && (*tables)[t]; t++)
        for (const struct option_row *row = (*tables)[t]; row->name; row++)
            if (letter ? row->letter == letter : strncmp(row->name, name, len) == 0 && !row->name[len])
                return row;
    return NULL;
}

/* The option in a word that still waits for its value, or NULL. */
static const struct option_row *open_option(const struct place *p, const char *word)
{
    const struct option_row *row = NULL;

    if (str_starts(word, "--"))
        row = strchr(word, '=') ? NULL : find_option(p, word + 2, strlen(word + 2), 0);
    else
        for (const char *letter = word + 1; *letter; letter++) {
            row = find_option(p, "", 0, *letter);
            if (row && row->kind != OPTION_BOOL && letter[1])
                return NULL; /* "-nvalue" */
        }
    return row && row->kind != OPTION_BOOL ? row : NULL;
}

static void take_word(struct place *p, const char *word)
{
    char path[sizeof(p->path)];
    const struct command *command;

    if (p->command && p->command->run) {
        p->position++;
        p->no_options |= p->command->flags & (COMMAND_STOP_AT_ARGUMENT | COMMAND_ALL_ARGUMENTS);
        return;
    }
    snprintf(path, sizeof(path), "%.40s%s%.20s", p->path, *p->path ? " " : "", word);
    command = command_find(path);
    if (!command && !(p->path[0] == '\0' && str_eq(word, "help")))
        p->unknown = true;
    if (!command)
        return;
    p->command = command;
    snprintf(p->path, sizeof(p->path), "%s", path);
}

static void find_place(struct place *p, int count, char *const *words)
{
    const char *last = count ? words[count - 1] : "";

    *p = (struct place){.value = last, .before = ""};
    for (int i = 0; i + 1 < count; i++) {
        const char *word = words[i];

        p->option = NULL;
        if (word[0] != '-' || !word[1] || p->no_options) {
            take_word(p, word);
        } else if (str_eq(word, "--")) {
            p->no_options = true;
        } else if ((p->option = open_option(p, word)) && i + 2 < count) {
            p->option = NULL;
            i++; /* its value */
        }
    }
    if (!p->option && !p->no_options && str_starts(last, "--") && strchr(last, '=')) {
        size_t len = strcspn(last + 2, "=");

        p->option = find_option(p, last + 2, len, 0);
        p->before = last;
        p->before_len = (int)len + 3;
        p->value = last + len + 3;
        p->unknown |= !p->option;
    }
}

int complete_words(struct cli *cli, int count, char *const *words, struct buf *out)
{
    struct place p;
    struct completion c = {cli, &p, out};
    const option_tables own = {global_options};

    find_place(&p, count, words);
    if (p.unknown)
        return COMPLETE_NO_FILES;
    if (p.option)
        return complete_value(&c);
    if (p.value[0] == '-' && !p.no_options) {
        add_options(&c, p.command ? &p.command->options : &own);
        return COMPLETE_NO_FILES;
    }
    if (p.command && p.command->run)
        return complete_argument(&c);
    add_commands(&c, p.path);
    return COMPLETE_NO_FILES;
}

int complete_run(struct cli *cli, int count, char *const *words)
{
    _cleanup_(buf_finish) struct buf out = BUF_INIT(OUT_MAX);
    _cleanup_(args_finish) struct args typed = {0};
    option_tables tables = {global_options};
    int what;

    setenv("KEG_START", "0", 1);
    if (count > 0 &&
        args_parse(&typed, &tables, /* interspersed= */ false, count - 1, (char **)words, NULL) == 0)
        cli->global = &typed; /* the daemon that is typed there */
    what = complete_words(cli, count, words, &out);
    cli->global = NULL;
    printf("%s:%d\n", buf_str(&out), what);
    return 0;
}
