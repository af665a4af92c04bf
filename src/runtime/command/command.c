/* Tables of commands and options, the parser over them, and reporting. */
#include "runtime/command/command.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/selfexe.h"

enum option_kind { OPTION_FLAG, OPTION_VALUE, OPTION_LIST };

struct option {
    const char *name;
    char letter;
    enum option_kind kind;
    size_t offset;
    const char *help;
};

#define AT(member) offsetof(struct request, member)

static const struct option global_options[] = {
    {"root", 0, OPTION_VALUE, AT(root),
     "directory of the containers' state (/run/keg-runtime; for users $XDG_RUNTIME_DIR/keg-runtime)"},
    {"log", 0, OPTION_VALUE, AT(log), "file for messages (standard error)"},
    {"log-format", 0, OPTION_VALUE, AT(log_format), "text or json"},
    {"debug", 0, OPTION_FLAG, AT(debug), "more messages"},
    {"systemd-cgroup", 0, OPTION_FLAG, AT(systemd_cgroup), "not supported: cgroups are made directly"},
    {"rootless", 0, OPTION_VALUE, AT(rootless_mode),
     "do without cgroups where they aren't allowed: true, false, auto"},
    {"criu", 0, OPTION_VALUE, AT(ignored), "accepted and ignored"},
    {"help", 'h', OPTION_FLAG, AT(show_help), "this text"},
    {"version", 'v', OPTION_FLAG, AT(show_version), "the version"},
};

#define CREATE_OPTIONS                                                                                       \
    {"bundle", 'b', OPTION_VALUE, AT(bundle), "directory of config.json (the current one)"},                 \
        {"console-socket", 0, OPTION_VALUE, AT(console_socket), "where the terminal's master is sent"},      \
        {"pid-file", 0, OPTION_VALUE, AT(pid_file), "file for the process id"},                              \
        {"no-pivot", 0, OPTION_FLAG, AT(no_pivot), "chroot instead of pivot_root"},                          \
        {"no-new-keyring", 0, OPTION_FLAG, AT(no_new_keyring), "keep the caller's session keyring"},         \
    {                                                                                                        \
        "preserve-fds", 0, OPTION_VALUE, AT(preserve_fds), "hand descriptors 3 … 2+N to the program"       \
    }

static const struct option create_options[] = {CREATE_OPTIONS};

static const struct option run_options[] = {
    CREATE_OPTIONS,
    {"detach", 'd', OPTION_FLAG, AT(detach), "don't wait for the end"},
    {"keep", 0, OPTION_FLAG, AT(keep), "don't delete the container at its end"},
    {"no-subreaper", 0, OPTION_FLAG, AT(ignored_flag), "accepted and ignored"},
};

static const struct option kill_options[] = {
    {"all", 'a', OPTION_FLAG, AT(all), "every process of the container"},
};

static const struct option delete_options[] = {
    {"force", 'f', OPTION_FLAG, AT(force), "kill it first; none is no error"},
};

static const struct option exec_options[] = {
    {"process", 'p', OPTION_VALUE, AT(process), "file with the OCI process"},
    {"cwd", 0, OPTION_VALUE, AT(cwd), "working directory"},
    {"env", 'e', OPTION_LIST, AT(env), "NAME=VALUE, repeatable"},
    {"tty", 't', OPTION_FLAG, AT(tty), "a terminal"},
    {"user", 'u', OPTION_VALUE, AT(user), "UID[:GID]"},
    {"additional-gids", 'g', OPTION_LIST, AT(groups), "group id, repeatable"},
    {"cap", 'c', OPTION_LIST, AT(capabilities), "one more capability, repeatable"},
    {"detach", 'd', OPTION_FLAG, AT(detach), "don't wait for the end"},
    {"pid-file", 0, OPTION_VALUE, AT(pid_file), "file for the process id"},
    {"console-socket", 0, OPTION_VALUE, AT(console_socket), "where the terminal's master is sent"},
    {"preserve-fds", 0, OPTION_VALUE, AT(preserve_fds), "hand descriptors 3 … 2+N to the program"},
    {"no-new-privs", 0, OPTION_FLAG, AT(no_new_privileges), "set no_new_privs"},
    {"apparmor", 0, OPTION_VALUE, AT(apparmor), "AppArmor profile"},
    {"process-label", 0, OPTION_VALUE, AT(label), "SELinux label"},
    {"ignore-paused", 0, OPTION_FLAG, AT(ignore_paused), "even when the container is paused"},
};

static const struct option list_options[] = {
    {"format", 'f', OPTION_VALUE, AT(format), "table or json"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), "ids only"},
};

static const struct option ps_options[] = {
    {"format", 'f', OPTION_VALUE, AT(format), "table or json"},
};

static const struct option spec_options[] = {
    {"bundle", 'b', OPTION_VALUE, AT(bundle), "directory for config.json (the current one)"},
};

static const struct option update_options[] = {
    {"resources", 'r', OPTION_VALUE, AT(resources), "file with OCI linux.resources, - for standard input"},
};

#define OPTIONS(table) table, ARRAY_SIZE(table)

static const struct command {
    const char *name, *arguments, *summary;
    const struct option *options;
    size_t option_count;
    bool needs_id;
    command_run run;
    int failure; /* the exit status of an error, where it isn't 1 */
} commands[] = {
    {"create", "ID", "make a container; its program waits", OPTIONS(create_options), true, command_create},
    {"start", "ID", "let a created container's program go", NULL, 0, true, command_start},
    {"run", "ID", "create, start and wait", OPTIONS(run_options), true, command_run_container},
    {"exec", "ID COMMAND [ARG...]", "one more process in a container", OPTIONS(exec_options), true,
     command_exec, 255},
    {"kill", "ID [SIGNAL]", "send a signal (SIGTERM)", OPTIONS(kill_options), true, command_kill},
    {"delete", "ID", "remove what is left of a container", OPTIONS(delete_options), true, command_delete},
    {"state", "ID", "print a container's state", NULL, 0, true, command_state},
    {"list", "", "list containers", OPTIONS(list_options), false, command_list},
    {"ps", "ID", "list a container's processes", OPTIONS(ps_options), true, command_ps},
    {"pause", "ID", "freeze all processes", NULL, 0, true, command_pause},
    {"resume", "ID", "thaw them", NULL, 0, true, command_resume},
    {"update", "ID", "change limits", OPTIONS(update_options), true, command_update},
    {"spec", "", "write a config.json to start from", OPTIONS(spec_options), false, command_spec},
    {"features", "", "print what this runtime can do", NULL, 0, false, command_features},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (str_eq(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static void print_options(const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[64], letter[8] = "    ";

        if (options[i].letter)
            snprintf(letter, sizeof(letter), "-%c, ", options[i].letter);
        snprintf(name, sizeof(name), "%s--%s%s", letter, options[i].name,
                 options[i].kind == OPTION_FLAG ? "" : " VALUE");
        printf("  %-30s %s\n", name, options[i].help);
    }
}

static void print_help(const struct command *command)
{
    if (command) {
        printf("Usage: keg-runtime %s [OPTIONS] %s\n\n%s\n\n", command->name, command->arguments,
               command->summary);
        print_options(command->options, command->option_count);
        return;
    }
    printf("Usage: keg-runtime [OPTIONS] COMMAND …\n\nRuns OCI bundles.\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        printf("  %-30s %s\n", commands[i].name, commands[i].summary);
    printf("\n");
    print_options(global_options, ARRAY_SIZE(global_options));
}

static const struct option *find_option(const struct option *options, size_t count, const char *name,
                                        size_t len, bool is_letter)
{
    for (size_t i = 0; i < count; i++)
        if (is_letter ? options[i].letter == *name
                      : strlen(options[i].name) == len && strncmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

static void store(struct request *request, const struct option *option, const char *value)
{
    void *at = (char *)request + option->offset;

    if (option->kind == OPTION_FLAG)
        *(bool *)at = !str_eq(value, "false");
    else if (option->kind == OPTION_VALUE)
        *(const char **)at = value;
    else
        strv_push(at, value);
}

/* Takes options up to the first word that is none. Returns the words taken, -1. */
static int parse(struct request *request, const struct option *options, size_t count, char **words,
                 struct err *err)
{
    int i = 0;

    for (; words[i] && words[i][0] == '-' && words[i][1]; i++) {
        bool is_letter = words[i][1] != '-';
        const char *name = words[i] + (words[i][1] == '-' ? 2 : 1), *value = NULL, *equals;
        const struct option *option;

        if (str_eq(words[i], "--"))
            return i + 1;
        is_letter = is_letter && name[1] == '\0'; /* "-bundle", as Go programs allow it, is a long one */
        equals = strchr(name, '=');
        option =
            find_option(options, count, name, equals ? (size_t)(equals - name) : strlen(name), is_letter);
        if (!option)
            return err_set(err, ERR_INVALID, "unknown option %s", words[i]);
        if (equals)
            value = equals + 1;
        else if (option->kind != OPTION_FLAG && !(value = words[++i]))
            return err_set(err, ERR_INVALID, "option --%s needs a value", option->name);
        store(request, option, value);
    }
    return i;
}

static int check_id(const char *id, struct err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";

    if (!*id || strlen(id) > 255 || strspn(id, allowed) != strlen(id) || str_eq(id, ".") || str_eq(id, ".."))
        return err_set(err, ERR_INVALID, "invalid container ID format: \"%s\"", id);
    return 0;
}

char *command_state_dir(const struct request *request, struct err *err)
{
    return check_id(request->id, err) < 0 ? NULL : path_join(request->root, request->id);
}

struct runtime_container *command_open(const struct request *request, struct err *err)
{
    _cleanup_free_ char *directory = command_state_dir(request, err);

    return directory ? runtime_open(directory, err) : NULL;
}

static void report(const struct request *request, const char *message)
{
    log_error("%s", message);
    if (request->log)
        dprintf(STDERR_FILENO, "keg-runtime: %s\n", message);
}

static int open_log(const struct request *request, struct err *err)
{
    int fd;

    if (request->debug)
        log_set_level(LOG_LEVEL_DEBUG);
    log_set_json(str_eq(request->log_format, "json"));
    if (!request->log)
        return 0;
    fd = open(request->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_errno(err, errno, "open the log %s", request->log);
    log_set_fd(fd);
    return 0;
}

static int dispatch(struct request *request, const struct command *command, char **words, char **argv,
                    struct err *err)
{
    int used = parse(request, command->options, command->option_count, words, err);

    if (used < 0)
        return -1;
    words += used;
    if (command->needs_id) {
        if (!*words)
            return err_set(err, ERR_INVALID, "%s needs a container's id", command->name);
        request->id = *words++;
    }
    request->args = words;
    if (request->systemd_cgroup)
        return err_set(
            err, ERR_NOT_IMPLEMENTED,
            "--systemd-cgroup is not supported: use the cgroupfs driver of the program that calls this one");
    if (selfexe_command_clones(command->name)) {
        int result = selfexe_protect(argv);

        if (result < 0)
            return err_errno(err, result, "execute keg-runtime from a copy that containers can't write");
    }
    used = command->run(request, err);
    request->failure = command->failure;
    return used;
}

static int run(struct request *request, char **argv, struct err *err)
{
    int used = parse(request, global_options, ARRAY_SIZE(global_options), argv + 1, err);
    char **words = argv + 1 + used;
    const struct command *command;

    if (used < 0 || open_log(request, err) < 0 || command_find_root(request, err) < 0)
        return -1;
    if (request->show_version) {
        printf("keg-runtime version %s\nspec: 1.3.0\n", KEG_VERSION);
        return 0;
    }
    command = find_command(*words);
    if (request->show_help || !*words ||
        (words[1] && (str_eq(words[1], "--help") || str_eq(words[1], "-h")))) {
        print_help(command);
        return 0;
    }
    if (!command)
        return err_set(err, ERR_INVALID, "unknown command \"%s\"", *words);
    return dispatch(request, command, words + 1, argv, err);
}

int command_main(int argc, char **argv)
{
    struct request request = {0};
    struct err err = {0};
    int result;

    fd_open_standard();
    result = argc > 0 ? run(&request, argv, &err) : 1;

    if (result < 0)
        report(&request, err.message);
    free(request.default_root);
    strv_free(request.env);
    strv_free(request.capabilities);
    strv_free(request.groups);
    return result >= 0 ? result : request.failure ? request.failure : 1;
}
