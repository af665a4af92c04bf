/* keg-archive's loop. */
#ifndef KEG_IMAGE_WORKER_UNARCHIVE_H
#define KEG_IMAGE_WORKER_UNARCHIVE_H

#include <sys/types.h>

#include "base/err.h"

/* Reads the archive on `input` and speaks image/archive_protocol.h on `sock`, unprivileged and confined.
 * Returns the exit code. */
int unarchive(int input, int sock, pid_t parent);

/* The clean relative form of a name in an archive ("./a//b" → "a/b"), or of a link's target against the
 * folder of `of` (NULL: none). NULL with ERR_INVALID for what leaves the archive, is empty, too long, or no
 * printable UTF-8. The caller frees. */
char *unarchive_name(const char *name, const char *of, struct err *err);

#endif
