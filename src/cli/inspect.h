/* Printing what inspect commands find: the daemon's JSON byte for byte, or a template for each object. */
#ifndef KEG_CLI_INSPECT_H
#define KEG_CLI_INSPECT_H

#include "cli/cli.h"

/* Fetches one object's JSON text into out. 0, or -1. */
typedef int inspect_fetch(struct cli *cli, const struct args *args, const char *name, struct buf *out,
                          struct err *err);

/* For every argument: fetches, and prints all as one array, or by --format (option "format"). Objects that aren't found
 * are complained about. Returns the exit code. */
int inspect_print(struct cli *cli, const struct args *args, inspect_fetch *fetch, struct err *err);
/* A fetch by GET of prefix + name + suffix. */
int inspect_get(struct cli *cli, const char *prefix, const char *name, const char *suffix, struct buf *out,
                struct err *err);

#endif
