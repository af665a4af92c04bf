/* The files of an image archive, spooled into the blob store by a keg-archive worker: names and what they
 * hold. */
#ifndef KEG_IMAGE_UNPACKED_H
#define KEG_IMAGE_UNPACKED_H

#include "image/ahead.h"
#include "image/progress.h"
#include "image/store.h"

struct unpacked_file {
    char *name;
    char *target; /* a link's, NULL for files */
    char digest[DIGEST_SIZE];
    int64_t size;
};

struct unpacked {
    struct unpacked_file *files;
    size_t n;
};

struct unpacked_job {
    struct image_store *store;
    struct image_lease *lease;
    struct ahead *ahead;
    const struct image_listener *listener; /* only asked whether it has gone */
};

void unpacked_finish(struct unpacked *u);
/* Reads an archive to its end, or until nobody listens (ERR_CANCELLED). Files that images consist of become blobs (leased, verified where their name
 * is a digest), others are passed over; those that weren't in the store before begin to unpack ahead. ERR_INVALID for
 * what is no archive or hostile. */
int unpacked_read(const struct unpacked_job *job, int fd, struct unpacked *ret, struct err *err);
/* The file of that name, links followed; NULL when there is none. */
const struct unpacked_file *unpacked_find(const struct unpacked *u, const char *name);

#endif
