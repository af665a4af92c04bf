/* Option rows: what a command accepts, as data. The same rows parse the command line, print --help and can drive
 * completion and manual pages.
 *
 * To add an option: one row {name, letter, kind, summary, default shown} in its command's table, and an args_…() call
 * with that name in the command. To add a kind: a value here and a row in options.c's table (type name, check of option_checks.h). */
#ifndef KEG_CLI_OPTIONS_H
#define KEG_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum option_kind {
    OPTION_BOOL,
    OPTION_STRING,
    OPTION_INT,
    OPTION_UINT16,
    OPTION_LIST,    /* may be repeated */
    OPTION_STRINGS, /* may be repeated, and each value is split at commas */
    OPTION_MAP,     /* key=value, may be repeated */
    OPTION_PAIRS,   /* key=value, may be repeated, and each value is split at commas */
    OPTION_FILTER,  /* name=value, may be repeated */
    OPTION_BYTES,   /* "64m" */
    OPTION_SWAP,    /* "64m", or -1 for no limit */
    OPTION_DECIMAL, /* "1.5" */
    OPTION_DURATION,
    OPTION_ULIMIT,
    OPTION_MOUNT,
    OPTION_NETWORK,
    OPTION_GPUS,
    /* lists whose values are checked */
    OPTION_ENV,
    OPTION_LABEL,
    OPTION_HOST, /* for /etc/hosts */
    OPTION_SYSCTL,
    OPTION_LINK,
    OPTION_STREAM, /* stdin, stdout, stderr */
    OPTION_ADDRESS,
    OPTION_DOMAIN,
    OPTION_DEVICE_RULE,
    OPTION_WEIGHT, /* of a device, as the next two */
    OPTION_BPS,
    OPTION_IOPS,
    OPTION_KIND_COUNT
};

struct option_row {
    const char *name; /* NULL ends a table */
    char letter;      /* 0: none */
    enum option_kind kind;
    const char *summary;
    const char
        *otherwise; /* the default as help shows it, and as args_str() and args_bool() return it; or NULL */
    bool hidden;
};

#define OPTION_TABLES_MAX 3
/* The option tables of a command; unused places are NULL. */
typedef const struct option_row *option_tables[OPTION_TABLES_MAX];

/* One option of a parsed command line. */
struct option_value {
    const struct option_row *row;
    const char *text; /* the last value given, NULL when none was */
    char **list;      /* all values given, for the kinds that repeat; owned */
};

struct args {
    const struct command *command;
    const char *path; /* how the command was called: "container ls" */
    struct option_value *values;
    size_t value_count;
    char **rest; /* what isn't an option; borrowed from argv */
    size_t rest_count;
    bool help; /* --help was given */
};

/* Parses argv[0..argc) against the tables. With `interspersed`, options may follow arguments; "--" ends them in any
 * case. On failure (ERR_INVALID) the message is pflag's, which scripts know: "unknown flag: --foo". */
int args_parse(struct args *args, const option_tables *tables, bool interspersed, int argc, char **argv,
               struct err *err);
void args_finish(struct args *args);

/* Getters abort on a name that no table has: that is a mistake in the command, which its first call shows. */
bool args_given(const struct args *args, const char *name);
bool args_bool(const struct args *args, const char *name);
/* The value, else the row's default, else "". */
const char *args_str(const struct args *args, const char *name);
/* The value, else `otherwise`. Validated when parsed. */
int64_t args_int(const struct args *args, const char *name, int64_t otherwise);
int64_t args_bytes(const struct args *args, const char *name);
int64_t args_duration_ns(const struct args *args, const char *name);
/* Billionths, of a decimal ("1.5" gives 1500000000). */
int64_t args_nano(const struct args *args, const char *name);
/* All values; NULL when none was given. Borrowed. */
char **args_list(const struct args *args, const char *name);

/* "string", "list", …: the type as help shows it; "" for a bool. */
const char *option_kind_type(enum option_kind kind);
/* "-a, --all" or "--all" */
void option_display(const struct option_row *row, char *out, size_t size);

#endif
