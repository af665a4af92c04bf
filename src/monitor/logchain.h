/* A row of files that a log goes through: path is written, path.1 … path.(max_file - 1) hold what was before.
 *
 * With max_size the owner asks before each record whether the file is full, and has it moved on. What falls off
 * the end is removed, except while a reader is behind: a reader holds a shared flock(2) on the file it is at, and
 * that file and what is younger stay, LOGCHAIN_EXTRA_FILES or LOGCHAIN_EXTRA_BYTES beyond the row at most.
 *
 * With compress a moved file becomes path.1.gz by a child of low priority, unless a reader holds it. While the
 * child is at work the next file may grow to twice its size; a child that takes longer is given up, and its file
 * stays as it is: nobody waits for it. Where both are found (a crash) the plain one counts. */
#ifndef KEG_MONITOR_LOGCHAIN_H
#define KEG_MONITOR_LOGCHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { LOGCHAIN_EXTRA_FILES = 256, LOGCHAIN_EXTRA_BYTES = 64 * 1024 * 1024 };

struct logchain_options {
    const char *path;
    int64_t max_size;  /* bytes, 0: unlimited */
    unsigned max_file; /* 0 counts as 1 */
    bool compress;
};

struct logchain;

/* Opens the file for appending, making it (0640) when it is missing. NULL and *err on failure. */
struct logchain *logchain_open(const struct logchain_options *options, struct err *err);
/* A compression under way may take a second more. */
struct logchain *logchain_close(struct logchain *l);
DEFINE_CLEANUP_PTR(struct logchain, logchain_close)

int64_t logchain_size(const struct logchain *l);
/* For reading and cutting what is in the present file; the chain's. */
int logchain_fd(const struct logchain *l);
/* The file was cut, or grew by other means than logchain_append(): asks the kernel again. */
void logchain_resized(struct logchain *l);
/* True when a record that comes after `pending` bytes more belongs into the next file. */
bool logchain_is_full(const struct logchain *l, size_t pending);
/* Goes on to the next file. False when that isn't possible now: the present one goes on. */
bool logchain_rotate(struct logchain *l);
/* Appends all of it, or nothing. 0 or -errno. */
int logchain_append(struct logchain *l, const void *data, size_t len);

#endif
