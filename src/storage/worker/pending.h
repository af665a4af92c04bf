/* What an unpacked layer still needs from the layers below, which may not have been there yet when it was
 * unpacked: hard links to files of theirs, and the attributes of directories that the archive uses but
 * doesn't describe. The unpacking worker writes it down, a settling worker (settle.h) does it once the parent
 * is known.
 *
 * The file is a sequence of NUL-terminated strings: "D" path, or "L" path target. */
#ifndef KEG_STORAGE_WORKER_PENDING_H
#define KEG_STORAGE_WORKER_PENDING_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { PENDING_MAX = 64 * 1024 * 1024 }; /* bytes */

struct pending {
    struct buf text;
    int64_t rows, links;
};

#define PENDING_INIT                                                                                         \
    {                                                                                                        \
        .text = BUF_INIT(PENDING_MAX)                                                                        \
    }

void pending_add_dir(struct pending *p, const char *path);
void pending_add_link(struct pending *p, const char *path, const char *target);
/* Writes all of it to fd. 0, or -1 also when there was too much. */
int pending_write(const struct pending *p, int fd, struct err *err);

struct pending_row {
    const char *path;
    const char *target; /* NULL: a directory */
};
/* Takes the next row off (*text, *len). 1, 0 at the end, -EINVAL. */
int pending_next(const char **text, size_t *len, struct pending_row *ret);

#endif
