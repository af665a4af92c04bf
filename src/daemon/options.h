/* The table of kegd's options, shared by the command line (config.c) and the file (config_file.c). */
#ifndef KEG_DAEMON_OPTIONS_H
#define KEG_DAEMON_OPTIONS_H

#include "daemon/config.h"

enum option_kind {
    OPTION_BOOL,
    OPTION_SWITCH, /* a boolean of which matters whether it was given: enum config_switch */
    OPTION_INT,
    OPTION_SIZE, /* "64m" */
    OPTION_STRING,
    OPTION_LIST,   /* may be given again; an array in the file */
    OPTION_POOLS,  /* base=10.0.0.0/8,size=24; [{"base","size"}] */
    OPTION_MAP,    /* key=value; an object */
    OPTION_LIMITS, /* nofile=1024:2048; {"nofile":{"Name","Soft","Hard"}} */
    OPTION_RUNTIMES, /* name=path; {name:{"path",…}}. In both places at once, as long as the names differ */
    OPTION_FIXED,  /* dockerd's, with only one value that is true of keg: `value` */
    OPTION_UNSUPPORTED,
};

struct option_row {
    const char *name; /* on the command line, without "--" */
    char letter;      /* '\0': none */
    const char *key;  /* in the file; NULL: not there */
    enum option_kind kind;
    size_t offset;     /* of the member in struct config */
    const char *value; /* what the help calls the value; NULL for booleans */
    const char *help;
    int (*check)(
        const char *text,
        struct err *why); /* of each value of a string, list or number; NULL: any. See option_checks.h */
};

extern const struct option_row option_rows[];
extern const size_t option_rows_count;

/* Finds a row by its name on the command line (len characters of it), by letter, by key. NULL when there is
 * none. */
const struct option_row *option_by_name(const char *name, size_t len);
const struct option_row *option_by_letter(char letter);
const struct option_row *option_by_key(const char *key);

/* Sets the row's member from a text. A list grows. ERR_INVALID. */
int option_set_text(struct config *c, const struct option_row *row, const char *text, struct err *err);
/* Sets it from a value of the file. ERR_INVALID. */
int option_set_json(struct config *c, const struct option_row *row, const json_t *value, struct err *err);
/* The member as text, for messages; the caller frees. */
char *option_text(const struct config *c, const struct option_row *row);

/* Reads the file into c; given[i] tells that option_rows[i] was on the command line. required: a missing file
 * is an error. */
int config_read_file(struct config *c, const char *path, const bool *given, bool required, struct err *err);

#endif
