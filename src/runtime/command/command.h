/* The commands of keg-runtime: OCI's command line, as runc has it.
 *
 * To add a command: its function in a file of this folder, a row in `commands` (command.c), its options in a table there.
 * To add an option: a member of struct request, a row in the command's table. Parsing and --help come from the tables. */
#ifndef KEG_RUNTIME_COMMAND_COMMAND_H
#define KEG_RUNTIME_COMMAND_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "runtime/runtime.h"

/* What the command line asks for. */
struct request {
    /* global */
    const char *rootless_mode, *root, *log, *log_format;
    bool debug, systemd_cgroup, show_help, show_version;
    const char *ignored; /* options accepted for compatibility's sake */
    bool ignored_flag;
    /* commands */
    const char *bundle, *console_socket, *pid_file, *preserve_fds;
    bool no_pivot, no_new_keyring, detach, keep, force, all, quiet;
    const char *format;
    const char *process, *cwd, *user, *apparmor, *label, *resources;
    char **env, **capabilities, **groups;
    bool tty, no_new_privileges, ignore_paused;
    /* what is left: the container's id, then the command's own */
    const char *id;
    char **args;
    int failure; /* exit status of an error, 0: 1 */
    char *default_root;
};

/* Exit status 0 … 255; errors are -1 with *err, which the caller reports. */
typedef int (*command_run)(struct request *request, struct err *err);

/* rootless.c: whether the caller isn't root, or root only in a user namespace (unless --rootless says it), and where the
 * states are then by default. */
bool command_is_rootless(const struct request *request);
int command_find_root(struct request *request, struct err *err);

/* The whole program. */
int command_main(int argc, char **argv);

/* lifecycle.c */
int command_create(struct request *request, struct err *err);
int command_start(struct request *request, struct err *err);
int command_run_container(struct request *request, struct err *err);
int command_kill(struct request *request, struct err *err);
int command_delete(struct request *request, struct err *err);
int command_pause(struct request *request, struct err *err);
int command_resume(struct request *request, struct err *err);
int command_update(struct request *request, struct err *err);
/* exec.c */
int command_exec(struct request *request, struct err *err);
/* inspect.c */
int command_state(struct request *request, struct err *err);
int command_list(struct request *request, struct err *err);
int command_ps(struct request *request, struct err *err);
int command_features(struct request *request, struct err *err);
int command_spec(struct request *request, struct err *err);

/* The container's state directory below --root; checks the id. The caller frees. NULL on failure. */
char *command_state_dir(const struct request *request, struct err *err);
struct runtime_container *command_open(const struct request *request, struct err *err);
int command_write_pid(const struct request *request, pid_t pid, struct err *err);
/* Hands the terminal to whoever listens on --console-socket, and closes it. */
int command_send_console(const struct request *request, int console, struct err *err);
/* Whether there is a terminal to hand over where one is wanted (`detached`), or none where it isn't. */
int command_check_console(const struct request *request, bool terminal, bool detached, struct err *err);
/* Stays until the process ends: forwards signals to it and, with console >= 0, connects our terminal with it.
 * Returns its exit status, 128+n after signal n. */
int command_attend(int pidfd, int console);

#endif
