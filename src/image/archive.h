/* Images as archives: docker save's form (which is both an OCI layout and the older manifest.json), and plain
 * root filesystems. */
#ifndef KEG_IMAGE_ARCHIVE_H
#define KEG_IMAGE_ARCHIVE_H

#include "image/progress.h"
#include "image/store.h"

/* Loads every image of an archive read from `fd` (a stream will do; plain, gzip, zstd, xz or bzip2, its layers too). A
 * keg-archive worker reads the hostile container; entries are spooled into the blob store as they come. Takes
 * docker save's archives of any age and OCI layouts, with one image or several. platform: only images of it (ERR_NOT_FOUND
 * when there is none); NULL: all, and of several platforms of one image the host's. *ret_images (n of them) is the caller's: image_finish each, then free(). The
 * lease protects them until recorded. */
int image_load(struct image_store *store, struct image_lease *lease, int fd, const struct platform *platform,
               const struct image_listener *listener, struct image **ret_images, size_t *ret_n,
               struct err *err);

/* Where an archive goes: write returns -1 when the reader has gone (ERR_CANCELLED). */
struct image_output {
    int (*write)(void *arg, const void *data, size_t len);
    void *arg;
};
struct image_save_item {
    char manifest[DIGEST_SIZE]; /* the image's manifest */
    char **tags;                /* normalised references, or NULL (saved by id) */
};
/* Writes images as docker save does now: an OCI layout with manifest.json beside it. Layers keep their stored
 * bytes. */
int image_save(struct image_store *store, const struct image_save_item *items, size_t n,
               const struct image_output *output, struct err *err);

struct image_import_options {
    const struct reference *reference; /* NULL: untagged */
    const struct platform *platform;   /* NULL: the host's */
    const char *message;               /* history's comment; NULL: "Imported from -" */
    char *const *changes;              /* Dockerfile instructions: CMD ENTRYPOINT ENV EXPOSE LABEL USER … */
    const char *source;                /* as shown in the comment; NULL: "-" */
};
/* A root filesystem's tar (plain, gzip, zstd, xz, bzip2) becomes an image of one layer. */
int image_import(struct image_store *store, struct image_lease *lease, int fd,
                 const struct image_import_options *options, struct image *ret, struct err *err);

#endif
