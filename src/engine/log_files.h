/* The files of a log as readers see them: path is the newest, older ones are path.1, path.2, … or path.1.gz, …
 * (monitor/logchain.h). While they are looked at they may move on by one at any time; what a reader has opened it holds
 * a shared lock on, and the monitor then keeps that file, as it is, and those that are younger. */
#ifndef KEG_ENGINE_LOG_FILES_H
#define KEG_ENGINE_LOG_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

struct log_file {
    int fd;       /* to read from */
    int held;     /* the file itself, locked, when fd is something else: what it holds decompressed */
    ino_t inode;  /* of the file itself */
    int64_t last; /* ns: when it was last written */
    bool gzip;    /* still to be decompressed */
    int64_t at;   /* how far it was read */
};

struct log_files {
    const char *path;
    struct log_file *list; /* newest first */
    size_t count;
};

/* Opens all there are. */
void log_files_open(struct log_files *f);
void log_files_close(struct log_files *f);
void log_file_close(struct log_file *file);
/* Makes its content readable. ERR_SYSTEM, ERR_INVALID for what is no gzip. */
int log_file_prepare(const struct log_files *f, struct log_file *file, struct err *err);
/* Opens the file that follows list[0]. False when there is none yet. */
bool log_files_next(const struct log_files *f, struct log_file *ret);

#endif
