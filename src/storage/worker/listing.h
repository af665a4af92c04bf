/* Which names a directory has, for who asks after many that it lacks: one look at all of them costs less than thousands of
 * failing ones. */
#ifndef KEG_STORAGE_WORKER_LISTING_H
#define KEG_STORAGE_WORKER_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listing {
    char *dir;     /* of the last question */
    size_t misses; /* in it, since then */
    uint64_t *hashes;
    size_t n;
    bool known; /* hashes are those of its names, sorted */
};
#define LISTING_INIT                                                                                         \
    {                                                                                                        \
    }
void listing_finish(struct listing *l);

/* True: the directory on the way to `path` surely has no entry of its last name. */
bool listing_lacks(struct listing *l, const char *path);
/* What was just asked for wasn't there. After a while the directory, which `open_dir` opens below `root`, is read. */
void listing_missed(struct listing *l, int root, int (*open_dir)(int root, const char *path));

#endif
