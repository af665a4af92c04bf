/* The tables of keg-runtime's command line, for those who print them. */
#ifndef KEG_RUNTIME_COMMAND_TABLE_H
#define KEG_RUNTIME_COMMAND_TABLE_H

#include "runtime/command/command.h"
#include "runtime/command/options.h"

#define RUNTIME_SUMMARY "Open Container Initiative runtime"

struct command {
    const char *name, *arguments, *summary;
    const struct option *options;
    size_t option_count;
    bool needs_id;
    command_run run;
    const char *failing; /* put before its errors, after the program's name; NULL: nothing */
    int failure;         /* the exit status of an error, where it isn't 1 */
    bool takes_program;  /* what follows the id is for another program, options too */
};

extern const struct command runtime_commands[];
extern const size_t runtime_commands_count;
extern const struct option runtime_global_options[];
extern const size_t runtime_global_options_count;

/* Writes keg-runtime.8 into a directory, which is made: `keg-runtime __manual DIRECTORY`, which `make install` calls. */
int manual_write(const char *directory, struct err *err);

#endif
