/* Tables of commands and options, dispatching by them, and reporting. */
#include "runtime/command/command.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/command/options.h"
#include "runtime/command/table.h"
#include "sys/selfexe.h"

#define AT(member) offsetof(struct request, member)

const struct option runtime_global_options[] = {
    {"debug", 0, OPTION_FLAG, AT(debug), "more messages"},
    {"log", 0, OPTION_VALUE, AT(log), "file for messages, beside standard error"},
    {"log-format", 0, OPTION_VALUE, AT(log_format), "text or json"},
    {"root", 0, OPTION_VALUE, AT(root),
     "directory of the containers' state (/run/keg-runtime; for users $XDG_RUNTIME_DIR/keg-runtime)"},
    {"systemd-cgroup", 0, OPTION_FLAG, AT(systemd_cgroup), "cgroups by way of systemd"},
    {"cgroup-manager", 0, OPTION_VALUE, AT(cgroup_manager), "cgroupfs, systemd or disabled"},
    {"rootless", 0, OPTION_VALUE, AT(rootless_mode),
     "do without cgroups where they aren't allowed: true, false, auto"},
    {"criu", 0, OPTION_VALUE, AT(checkpoint.criu), "CRIU's program (criu)"},
    {"help", 'h', OPTION_FLAG, AT(show_help), "this text"},
    {"version", 'v', OPTION_FLAG, AT(show_version), "the version"},
};
const size_t runtime_global_options_count = ARRAY_SIZE(runtime_global_options);

#define CONSOLE_OPTION                                                                                       \
    {                                                                                                        \
        "console-socket", 0, OPTION_VALUE, AT(console_socket), "socket that is sent the terminal's master"   \
    }
#define PIDFD_OPTION                                                                                         \
    {                                                                                                        \
        "pidfd-socket", 0, OPTION_VALUE, AT(pidfd_socket), "socket that is sent a pidfd of the process"      \
    }
#define PID_FILE_OPTION                                                                                      \
    {                                                                                                        \
        "pid-file", 0, OPTION_VALUE, AT(pid_file), "file for the process id"                                 \
    }
#define PRESERVE_OPTION                                                                                      \
    {                                                                                                        \
        "preserve-fds", 0, OPTION_VALUE, AT(preserve_fds), "hand descriptors 3 … 2+N to the program"       \
    }
#define DETACH_OPTION                                                                                        \
    {                                                                                                        \
        "detach", 'd', OPTION_FLAG, AT(detach), "don't wait for the end"                                     \
    }
#define CREATE_OPTIONS                                                                                       \
    {"bundle", 'b', OPTION_VALUE, AT(bundle), "directory of config.json (the current one)"},                 \
        {"config", 'f', OPTION_VALUE, AT(config), "the configuration's name in it (config.json)"},           \
        CONSOLE_OPTION, PIDFD_OPTION, PID_FILE_OPTION, PRESERVE_OPTION,                                      \
        {"no-pivot", 0, OPTION_FLAG, AT(no_pivot), "chroot instead of pivot_root"},                          \
    {                                                                                                        \
        "no-new-keyring", 0, OPTION_FLAG, AT(no_new_keyring), "keep the caller's session keyring"            \
    }

static const struct option create_options[] = {CREATE_OPTIONS};

static const struct option run_options[] = {
    CREATE_OPTIONS,
    DETACH_OPTION,
    {"keep", 0, OPTION_FLAG, AT(keep), "don't delete the container at its end"},
    {"no-subreaper", 0, OPTION_FLAG, AT(ignored_flag), "accepted; there is none"},
};

#define CRIU_OPTIONS                                                                                         \
    {"image-path", 0, OPTION_VALUE, AT(checkpoint.image_path), "directory of CRIU's files (checkpoint)"},    \
        {"work-path", 0, OPTION_VALUE, AT(checkpoint.work_path), "directory of CRIU's log"},                 \
        {"tcp-established", 0, OPTION_FLAG, AT(checkpoint.tcp_established), "allow open TCP connections"},   \
        {"ext-unix-sk", 0, OPTION_FLAG, AT(checkpoint.ext_unix_sk), "allow external unix sockets"},          \
        {"shell-job", 0, OPTION_FLAG, AT(checkpoint.shell_job), "allow shell jobs"},                         \
        {"lazy-pages", 0, OPTION_FLAG, AT(checkpoint.lazy_pages), "hand memory over page by page"},          \
        {"file-locks", 0, OPTION_FLAG, AT(checkpoint.file_locks), "keep file locks"},                        \
        {"manage-cgroups-mode", 0, OPTION_VALUE, AT(checkpoint.cgroups_mode), "soft, full, strict, ignore"}, \
        {"empty-ns", 0, OPTION_LIST, AT(empty_namespaces), "network: restore it empty (it always is)"},      \
    {                                                                                                        \
        "auto-dedup", 0, OPTION_FLAG, AT(checkpoint.auto_dedup), "deduplicate memory images"                 \
    }

static const struct option checkpoint_options[] = {
    CRIU_OPTIONS,
    {"parent-path", 0, OPTION_VALUE, AT(checkpoint.parent_path), "files of an earlier pre-dump, relative"},
    {"leave-running", 0, OPTION_FLAG, AT(checkpoint.leave_running), "don't end the container"},
    {"tcp-skip-in-flight", 0, OPTION_FLAG, AT(checkpoint.tcp_skip_in_flight), "skip unfinished connections"},
    {"link-remap", 0, OPTION_FLAG, AT(checkpoint.link_remap), "link removed files back where possible"},
    {"status-fd", 0, OPTION_VALUE, AT(status_fd), "is written a NUL when lazy pages are ready"},
    {"page-server", 0, OPTION_VALUE, AT(checkpoint.page_server), "ADDRESS:PORT that is sent the memory"},
    {"pre-dump", 0, OPTION_FLAG, AT(checkpoint.pre_dump), "only the memory; the container goes on"},
};

static const struct option restore_options[] = {
    CRIU_OPTIONS,
    {"bundle", 'b', OPTION_VALUE, AT(bundle), "directory of config.json (the current one)"},
    CONSOLE_OPTION,
    PID_FILE_OPTION,
    DETACH_OPTION,
    {"no-pivot", 0, OPTION_FLAG, AT(no_pivot), "accepted; CRIU sees to it"},
    {"no-subreaper", 0, OPTION_FLAG, AT(ignored_flag), "accepted; there is none"},
    {"lsm-profile", 0, OPTION_VALUE, AT(checkpoint.lsm_profile), "TYPE:NAME of another LSM profile"},
    {"lsm-mount-context", 0, OPTION_VALUE, AT(checkpoint.lsm_mount_context), "another LSM mount context"},
};

static const struct option kill_options[] = {
    {"all", 'a', OPTION_FLAG, AT(all), "every process of the container"},
};

static const struct option delete_options[] = {
    {"force", 'f', OPTION_FLAG, AT(force), "kill it first; none is no error"},
    {"regex", 0, OPTION_FLAG, AT(regex), "all whose id matches this extended regular expression"},
};

static const struct option exec_options[] = {
    {"process", 'p', OPTION_VALUE, AT(process), "file with the OCI process"},
    {"cwd", 0, OPTION_VALUE, AT(cwd), "working directory"},
    {"env", 'e', OPTION_LIST, AT(env), "NAME=VALUE, repeatable"},
    {"tty", 't', OPTION_FLAG, AT(tty), "a terminal"},
    {"user", 'u', OPTION_VALUE, AT(user), "UID[:GID]"},
    {"additional-gids", 'g', OPTION_LIST, AT(groups), "group id, repeatable"},
    {"cap", 'c', OPTION_LIST, AT(capabilities), "one more capability, repeatable"},
    DETACH_OPTION,
    PID_FILE_OPTION,
    CONSOLE_OPTION,
    PIDFD_OPTION,
    PRESERVE_OPTION,
    {"cgroup", 0, OPTION_LIST, AT(cgroups), "[CONTROLLER[,…]:]PATH below the container's cgroup, repeatable"},
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

static const struct option events_options[] = {
    {"interval", 0, OPTION_VALUE, AT(interval), "time between statistics (5s)"},
    {"stats", 0, OPTION_FLAG, AT(stats), "print them once"},
};

static const struct option spec_options[] = {
    {"bundle", 'b', OPTION_VALUE, AT(bundle), "directory for config.json (the current one)"},
    {"rootless", 0, OPTION_FLAG, AT(rootless), "for an ordinary user: with a user namespace"},
};

static const struct option update_options[] = {
    {"resources", 'r', OPTION_VALUE, AT(resources),
     "file with OCI linux.resources, - for standard input; then no other option counts"},
    {"blkio-weight", 0, OPTION_VALUE, AT(limits[LIMIT_BLKIO_WEIGHT]), "share of block I/O, 10 to 1000"},
    {"cpu-period", 0, OPTION_VALUE, AT(limits[LIMIT_CPU_PERIOD]), "period of the CPU quota (µs)"},
    {"cpu-quota", 0, OPTION_VALUE, AT(limits[LIMIT_CPU_QUOTA]), "CPU time in a period (µs), -1: no limit"},
    {"cpu-burst", 0, OPTION_VALUE, AT(limits[LIMIT_CPU_BURST]),
     "CPU time that may be saved up beyond the quota (µs)"},
    {"cpu-share", 0, OPTION_VALUE, AT(limits[LIMIT_CPU_SHARES]), "CPU shares, relative to other containers"},
    {"cpu-shares", 0, OPTION_VALUE, AT(limits[LIMIT_CPU_SHARES]), "the same"},
    {"cpu-rt-period", 0, OPTION_VALUE, AT(limits[LIMIT_CPU_RT_PERIOD]),
     "period of the realtime runtime (µs)"},
    {"cpu-rt-runtime", 0, OPTION_VALUE, AT(limits[LIMIT_CPU_RT_RUNTIME]),
     "realtime CPU time in a period (µs)"},
    {"cpu-idle", 0, OPTION_VALUE, AT(limits[LIMIT_CPU_IDLE]), "1: runs only when nothing else does; 0"},
    {"cpuset-cpus", 0, OPTION_VALUE, AT(limits[LIMIT_CPUSET_CPUS]), "CPUs to run on (0-2,7)"},
    {"cpuset-mems", 0, OPTION_VALUE, AT(limits[LIMIT_CPUSET_MEMS]), "memory nodes to use"},
    {"memory", 0, OPTION_VALUE, AT(limits[LIMIT_MEMORY]), "memory limit (bytes, or with a unit), -1: none"},
    {"memory-reservation", 0, OPTION_VALUE, AT(limits[LIMIT_MEMORY_RESERVATION]), "soft memory limit"},
    {"memory-swap", 0, OPTION_VALUE, AT(limits[LIMIT_MEMORY_SWAP]),
     "limit of memory and swap together, -1: none"},
    {"kernel-memory", 0, OPTION_VALUE, AT(limits[LIMIT_KERNEL_MEMORY]), "limit of kernel memory (cgroup v1)"},
    {"kernel-memory-tcp", 0, OPTION_VALUE, AT(limits[LIMIT_KERNEL_MEMORY_TCP]),
     "limit of TCP buffers (cgroup v1)"},
    {"pids-limit", 0, OPTION_VALUE, AT(limits[LIMIT_PIDS]), "number of processes and threads, -1: no limit"},
    {"l3-cache-schema", 0, OPTION_VALUE, AT(l3_cache_schema), "Intel RDT/CAT L3 cache schema"},
    {"mem-bw-schema", 0, OPTION_VALUE, AT(memory_bandwidth_schema), "Intel RDT/MBA memory bandwidth schema"},
};

#define OPTIONS(table) table, ARRAY_SIZE(table)

const struct command runtime_commands[] = {
    {"create", "CONTAINER", "make a container; its program waits", OPTIONS(create_options), true,
     command_create, "create failed"},
    {"start", "CONTAINER", "let a created container's program go", NULL, 0, true, command_start},
    {"run", "CONTAINER", "create, start and wait", OPTIONS(run_options), true, command_run_container,
     "run failed"},
    {"exec", "CONTAINER cmd [ARG...]", "one more process in a container", OPTIONS(exec_options), true,
     command_exec, "exec failed", 255, .takes_program = true},
    {"kill", "CONTAINER [SIGNAL]", "send a signal (SIGTERM)", OPTIONS(kill_options), true, command_kill},
    {"delete", "CONTAINER", "remove what is left of a container", OPTIONS(delete_options), true,
     command_delete},
    {"state", "CONTAINER", "print a container's state", NULL, 0, true, command_state},
    {"list", "", "list containers", OPTIONS(list_options), false, command_list},
    {"ps", "CONTAINER [OPTIONS OF ps]", "list a container's processes", OPTIONS(ps_options), true, command_ps,
     .takes_program = true},
    {"checkpoint", "CONTAINER", "save a running container to files (CRIU)", OPTIONS(checkpoint_options), true,
     command_checkpoint},
    {"restore", "CONTAINER", "make a container run from them again", OPTIONS(restore_options), true,
     command_restore},
    {"events", "CONTAINER", "print statistics, and when memory ran out", OPTIONS(events_options), true,
     command_events},
    {"pause", "CONTAINER", "freeze all processes", NULL, 0, true, command_pause},
    {"resume", "CONTAINER", "thaw them", NULL, 0, true, command_resume},
    {"update", "CONTAINER", "change limits", OPTIONS(update_options), true, command_update},
    {"spec", "", "write a config.json to start from", OPTIONS(spec_options), false, command_spec},
    {"features", "", "print what this runtime can do", NULL, 0, false, command_features},
};
const size_t runtime_commands_count = ARRAY_SIZE(runtime_commands);

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(runtime_commands); i++)
        if (str_eq(runtime_commands[i].name, name))
            return &runtime_commands[i];
    return NULL;
}

static int print_help(const char *program, const struct command *command)
{
    if (command) {
        printf("NAME:\n   %s %s - %s\n\n", program, command->name, command->summary);
        printf("Usage: %s [OPTION...] %s %s\n\nOPTIONS:\n", program, command->name, command->arguments);
        options_print(command->options, command->option_count);
        return 0;
    }
    printf("NAME:\n   %s - " RUNTIME_SUMMARY "\n\nUsage: %s [OPTION...] COMMAND [OPTION...]\n\nCOMMANDS:\n",
           program, program);
    for (size_t i = 0; i < ARRAY_SIZE(runtime_commands); i++)
        printf("   %-30s %s\n", runtime_commands[i].name, runtime_commands[i].summary);
    printf("\nGLOBAL OPTIONS:\n");
    options_print(runtime_global_options, ARRAY_SIZE(runtime_global_options));
    return 0;
}

static bool asks_for_help(const char *word)
{
    return str_eq(word, "--help") || str_eq(word, "-h");
}

static int check_id(const char *id, struct err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";

    if (*id && strspn(id, allowed) != strlen(id))
        return err_set(err, ERR_INVALID,
                       "invalid container ID format: \"%s\": invalid character '%c' in the container ID", id,
                       id[strspn(id, allowed)]);
    if (!*id || strlen(id) > 255 || *id == '.')
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

void command_warn(const struct request *request, const char *message)
{
    log_warn("%s", message);
    if (request->log)
        dprintf(STDERR_FILENO, "%s\n", message);
}

void command_warn_process(const struct request *request, const struct runtime_container *c,
                          const json_t *process)
{
    _cleanup_strv_ char **warnings = runtime_process_warnings(c, process);

    for (char **warning = warnings; warning && *warning; warning++)
        command_warn(request, *warning);
}

/* What execve() itself says comes without anything around it, as if the program's process had said it. */
static bool is_from_execve(const struct err *err)
{
    return (err->kind == ERR_NO_PROGRAM || err->kind == ERR_CANNOT_INVOKE) &&
           str_starts(err->message, "exec /");
}

static void report(const struct request *request, const struct command *command, struct err *err)
{
    bool plain = is_from_execve(err);

    if (!plain && command && command->failing)
        (err_wrap)(err, "%s%s%s", str_starts(command->failing, "exec") ? "" : request->program,
                   str_starts(command->failing, "exec") ? "" : " ", command->failing);
    if (!plain || request->log)
        log_error("%s", err->message);
    if (plain || request->log)
        dprintf(STDERR_FILENO, "%s\n", err->message);
}

/* Runtimes that write to other places than files call them by a prefix. */
static int log_path(const char *log, const char **ret, struct err *err)
{
    const char *file = str_after(log, "file:");

    if (str_starts(log, "syslog:") || str_starts(log, "journald:"))
        return err_set(err, ERR_NOT_IMPLEMENTED, "--log %s: only files are written", log);
    *ret = file ? file : log;
    return 0;
}

static int open_log(struct request *request, struct err *err)
{
    int fd;

    if (request->debug)
        log_set_level(LOG_LEVEL_DEBUG);
    if (request->log_format && !str_eq(request->log_format, "text") && !str_eq(request->log_format, "json"))
        return err_set(err, ERR_INVALID, "invalid log-format: %s", request->log_format);
    log_set_json(str_eq(request->log_format, "json"));
    if (!request->log) { /* descriptor 2 becomes the container's, which has no business with our messages */
        fd = request->debug ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
        if (fd >= 0)
            log_set_fd(fd);
        return 0;
    }
    if (log_path(request->log, &request->log, err) < 0)
        return -1;
    fd = open(request->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        err_errno(err, errno, "open the log %s", request->log);
        request->log = NULL;
        return -1;
    }
    log_set_fd(fd);
    return 0;
}

static int choose_cgroup_manager(struct request *request, struct err *err)
{
    const char *manager = request->cgroup_manager;

    if (str_eq(manager, "systemd"))
        request->systemd_cgroup = true;
    else if (manager && !str_eq(manager, "cgroupfs") && !str_eq(manager, "disabled"))
        return err_set(err, ERR_INVALID, "--cgroup-manager: \"%s\" is not cgroupfs, systemd or disabled",
                       manager);
    return 0;
}

/* Options may stand before, among and behind the other words, but for commands whose words are another program's. */
static int gather_words(struct request *request, const struct command *command, char **words, struct err *err)
{
    size_t kept = 0;

    request->words = xcalloc(strv_len(words) + 1, sizeof(*words));
    for (;;) {
        int used = options_parse(request, command->options, command->option_count, words, err);

        if (used < 0)
            return -1;
        words += used;
        while (*words && command->takes_program)
            request->words[kept++] = *words++;
        if (!*words)
            return 0;
        request->words[kept++] = *words++;
    }
}

static int dispatch(struct request *request, const struct command *command, char **words, char **argv,
                    struct err *err)
{
    if (gather_words(request, command, words, err) < 0)
        return -1;
    words = request->words;
    if (command->needs_id) {
        if (!*words)
            return err_set(err, ERR_INVALID, "\"%s\" needs a container's id", command->name);
        request->id = *words++;
    }
    request->args = words;
    if (choose_cgroup_manager(request, err) < 0)
        return -1;
    if (selfexe_command_clones(command->name)) {
        int result = selfexe_protect(argv);

        if (result < 0)
            return err_errno(err, result, "execute keg-runtime from a copy that containers can't write");
    }
    return command->run(request, err);
}

/* Everything but a command that is carried out. */
static bool wants_text(const struct request *request, char **words)
{
    return request->show_version || request->show_help || !*words || str_eq(*words, "help") ||
           str_eq(*words, "h") || asks_for_help(words[1]);
}

static int print_text(const struct request *request, char **words)
{
    const char *topic = *words;

    if (request->show_version) {
        printf("%s version %s\ncommit: %s\nspec: 1.3.0\n", request->program, KEG_VERSION, KEG_VERSION);
        return 0;
    }
    if (str_eq(topic, "help") || str_eq(topic, "h"))
        topic = words[1];
    if (topic && !find_command(topic)) {
        fprintf(stderr, "No help topic for '%s'\n", topic);
        return 3;
    }
    return print_help(request->program, find_command(topic));
}

static int run(struct request *request, char **argv, const struct command **ret_command, struct err *err)
{
    int used =
        options_parse(request, runtime_global_options, ARRAY_SIZE(runtime_global_options), argv + 1, err);
    char **words = argv + 1 + used;

    if (used < 0)
        return -1;
    if (str_eq(*words, "__manual") && words[1])
        return manual_write(words[1], err);
    if (wants_text(request, words))
        return print_text(request, words);
    if (open_log(request, err) < 0 || command_find_root(request, err) < 0)
        return -1;
    *ret_command = find_command(*words);
    if (!*ret_command) {
        fprintf(stderr, "No help topic for '%s'\n", *words);
        return 3;
    }
    return dispatch(request, *ret_command, words + 1, argv, err);
}

static const char *called_by(const char *argv0)
{
    static const char *const others[] = {"runc", "crun"};
    const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;

    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (str_eq(name, others[i]))
            return others[i];
    return "keg-runtime";
}

int command_main(int argc, char **argv)
{
    struct request request = {0};
    const struct command *command = NULL;
    struct err err = {0};
    int result = 1;

    fd_open_standard();
    if (argc > 0) {
        request.program = called_by(argv[0]);
        result = run(&request, argv, &command, &err);
    }
    /* What was printed may be lost: a full disk, a pipe that is closed. */
    if (result >= 0 && (fflush(stdout) != 0 || ferror(stdout)))
        result = err_errno(&err, errno, "write to standard output");
    if (result < 0)
        report(&request, command, &err);
    free(request.default_root);
    strv_free(request.empty_namespaces);
    strv_free(request.env);
    strv_free(request.capabilities);
    strv_free(request.groups);
    strv_free(request.cgroups);
    free(request.words);
    return result >= 0 ? result : command && command->failure ? command->failure : 1;
}
