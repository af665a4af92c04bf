/* What a running command is given: the daemon, the user's configuration, and the small habits all commands share. */
#ifndef KEG_CLI_CLI_H
#define KEG_CLI_CLI_H

#include "base/json.h"
#include "cli/command.h"
#include "cli/options.h"

struct client;
struct endpoint;

struct cli {
    const struct args *global; /* keg's own options */
    struct endpoint *endpoint; /* once it is decided; see endpoint.h */
    const char *config_dir;    /* where config.json is */
    json_t *config;            /* config.json once read; see config.h */
    struct client *client;     /* connected on first use; see client.h */
};

/* Prints "message" to stderr and lets a loop over arguments go on: returns 1, the exit code. */
int cli_complain(const struct err *err);

/* One argument of a command. */
typedef int cli_one(struct cli *cli, const struct args *args, const char *name, struct err *err);

/* Runs `each` for every argument, printing the argument after a success and the error after a failure.
 * Returns the exit code: 1 if any failed. */
int cli_for_each(struct cli *cli, const struct args *args, cli_one *each);

/* The same, all at once (together.c): `each` runs in a process of its own, up to 50 of them at a time, and prints nothing; what
 * came of them is printed in the order of the arguments. complain prints an error and returns the exit code. */
typedef int cli_complaint(const struct args *args, const struct err *err);
int cli_together(struct cli *cli, const struct args *args, cli_one *each, cli_complaint *complain);

/* Asks on the terminal; true for y or Y. `warning` names what will happen. */
bool cli_confirm(const char *warning);

#endif
