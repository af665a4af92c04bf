/* The commands of keg-runtime: OCI's command line, as runc has it.
 *
 * To add a command: its function in a file of this folder, a row in `commands` (command.c), its options in a table there.
 * To add an option: a member of struct request, a row in the command's table. Parsing and --help come from the tables.
 *
 * Under the name of another runtime (a link called runc or crun) the program says that name in its help, version and
 * messages, for those who look for it. */
#ifndef KEG_RUNTIME_COMMAND_COMMAND_H
#define KEG_RUNTIME_COMMAND_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/runtime.h"

/* The options of update that are settings of a cgroup; each has a row in update.c. */
enum update_limit {
    LIMIT_BLKIO_WEIGHT,
    LIMIT_CPU_PERIOD,
    LIMIT_CPU_QUOTA,
    LIMIT_CPU_BURST,
    LIMIT_CPU_SHARES,
    LIMIT_CPU_RT_PERIOD,
    LIMIT_CPU_RT_RUNTIME,
    LIMIT_CPU_IDLE,
    LIMIT_CPUSET_CPUS,
    LIMIT_CPUSET_MEMS,
    LIMIT_KERNEL_MEMORY,
    LIMIT_KERNEL_MEMORY_TCP,
    LIMIT_MEMORY,
    LIMIT_MEMORY_RESERVATION,
    LIMIT_MEMORY_SWAP,
    LIMIT_PIDS,
    LIMIT_COUNT
};

/* What the command line asks for. */
struct request {
    const char *program; /* the name it was called by */
    /* global */
    const char *rootless_mode, *root, *log, *log_format, *cgroup_manager;
    bool debug, systemd_cgroup, show_help, show_version;
    const char *ignored; /* options accepted for compatibility's sake */
    bool ignored_flag;
    /* commands */
    const char *bundle, *config, *console_socket, *pid_file, *pidfd_socket, *preserve_fds;
    bool no_pivot, no_new_keyring, detach, keep, force, regex, all, quiet, stats, rootless;
    const char *format, *interval;
    const char *process, *cwd, *user, *apparmor, *label, *resources;
    char **env, **capabilities, **groups, **cgroups;
    bool tty, no_new_privileges, ignore_paused;
    const char *limits[LIMIT_COUNT]; /* update */
    struct checkpoint_options checkpoint;
    const char *status_fd;
    char **empty_namespaces;
    const char *l3_cache_schema, *memory_bandwidth_schema;
    /* what is left: the container's id, then the command's own */
    char **words; /* all that is no option */
    const char *id;
    char **args;
    char *default_root;
};

/* Exit status 0 … 255; errors are -1 with *err, which the caller reports. */
typedef int (*command_run)(struct request *request, struct err *err);

/* rootless.c: whether the caller isn't root, or root only in a user namespace (unless --rootless says it), and where the
 * states are then by default. */
bool command_is_rootless(const struct request *request);
int command_find_root(struct request *request, struct err *err);
/* An ordinary user can't have a container but in a user namespace: one is added to a configuration without. The user is its
 * root; its other ids are those that /etc/subuid and /etc/subgid give to that user, where the helpers are installed. */
void command_add_user_namespace(json_t *config);

/* The whole program. */
int command_main(int argc, char **argv);

/* lifecycle.c */
int command_create(struct request *request, struct err *err);
int command_start(struct request *request, struct err *err);
int command_run_container(struct request *request, struct err *err);
int command_delete(struct request *request, struct err *err);
/* signal.c */
int command_kill(struct request *request, struct err *err);
int command_pause(struct request *request, struct err *err);
int command_resume(struct request *request, struct err *err);
/* update.c */
int command_update(struct request *request, struct err *err);
/* Makes the directory of the states, and the container's own in it, which must be new. */
int command_make_state_dir(const struct request *request, const char *directory, struct err *err);
/* Removes it. */
/* After a creation that failed, with what couldn't be removed added to its error. What the runtime still keeps there, about
 * something it couldn't remove, stays for delete --force. */
void command_discard_state_dir(const char *directory, struct err *err);
/* checkpoint.c */
int command_checkpoint(struct request *request, struct err *err);
int command_restore(struct request *request, struct err *err);
/* exec.c */
int command_exec(struct request *request, struct err *err);
/* inspect.c */
int command_state(struct request *request, struct err *err);
int command_list(struct request *request, struct err *err);
/* ps.c */
int command_ps(struct request *request, struct err *err);
/* events.c */
int command_events(struct request *request, struct err *err);
/* features.c */
int command_features(struct request *request, struct err *err);
/* template.c */
int command_spec(struct request *request, struct err *err);

/* What commands share. */

/* The container's state directory below --root; checks the id. The caller frees. NULL on failure. */
char *command_state_dir(const struct request *request, struct err *err);
struct runtime_container *command_open(const struct request *request, struct err *err);
/* Says that something went wrong that doesn't make the command fail. */
void command_warn(const struct request *request, const char *message);
/* The same for what runtime_process_warnings() finds. */
void command_warn_process(const struct request *request, const struct runtime_container *c,
                          const json_t *process);
/* Where compiled seccomp filters are kept, whatever --root is: the caller frees it. It may be unusable, which does no harm. */
char *command_filter_cache(void);
/* Ends the container with all that is ours (lifecycle.c). A hook that fails afterwards is only a warning. */
int command_destroy(const struct request *request, struct runtime_container *c, bool force, struct err *err);
/* Compact and in one line, or indented. */
int command_print_json(const json_t *json, bool compact);
/* A file of JSON that is no regular file maybe (/dev/fd/63); at most a megabyte. */
json_t *command_load_json(const char *path, struct err *err);

int command_write_pid(const struct request *request, pid_t pid, struct err *err);
/* --pidfd-socket, when it is given. */
int command_send_pidfd(const char *socket, int pidfd, struct err *err);
/* Hands the terminal to whoever listens on --console-socket, and closes it. */
int command_send_console(const struct request *request, int console, struct err *err);
/* Whether there is a terminal to hand over where one is wanted (`detached`), or none where it isn't. */
int command_check_console(const struct request *request, bool terminal, bool detached, struct err *err);
/* The size of our own terminal; false when there is none. */
bool command_terminal_size(uint16_t *ret_rows, uint16_t *ret_columns);
/* For a terminal that is going to be connected with ours, before anything is printed on it (console < 0: there is none). */
void command_prepare_console(int console);
/* Stays until the process ends: forwards signals to it and, with console >= 0, connects our terminal with it.
 * `notify` (-1: none) is a socket whose datagrams are passed on meanwhile (notify.h). Returns its exit status, 128+n after
 * signal n; -1 when it can't be had. */
struct notify;
int command_attend(int pidfd, int console, struct notify *notify, struct err *err);

#endif
