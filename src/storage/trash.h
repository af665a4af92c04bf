/* Trees that have lost their name are removed in the background: unlinking tens of thousands of files takes
 * seconds, more so on a disk that discards, and nobody needs to wait for it. */
#ifndef KEG_STORAGE_TRASH_H
#define KEG_STORAGE_TRASH_H

#include "base/cleanup.h"

struct storage_driver;
struct trash;

/* For entries of the directory dirfd, which stays the caller's and has to stay open, removed as the driver has to. */
struct trash *trash_new(int dirfd, const struct storage_driver *driver);
/* The entry `name` goes, soon. What a failure or the end of the process leaves stays under that name, for the
 * sweep at the next start. From any thread. */
void trash_add(struct trash *t, const char *name);
/* Waits until everything is gone. */
void trash_wait(struct trash *t);
/* Stops, in the middle of a tree too, and frees. Accepts NULL. */
void trash_free(struct trash *t);
DEFINE_CLEANUP_PTR(struct trash, trash_free)

#endif
