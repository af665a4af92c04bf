/* The blob store, DATA/blobs/sha256/<hex>: manifests, configurations and compressed layers, byte for byte.
 *
 * A blob is visible only when it is whole and its digest was verified: writers fill an unnamed file
 * (O_TMPFILE) which gets its name when its bytes have the right hash. Safe to use from several threads and
 * processes; whether a blob is garbage is image/store.h's and the engine's to know. Blobs are 0400, the
 * directory 0700. */
#ifndef KEG_IMAGE_BLOBS_H
#define KEG_IMAGE_BLOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "image/digest.h"

struct blobs;

/* Opens (and makes) `data_dir`/blobs/sha256. */
struct blobs *blobs_open(const char *data_dir, struct err *err);
void blobs_close(struct blobs *b);
DEFINE_CLEANUP_PTR(struct blobs, blobs_close)

bool blobs_has(struct blobs *b, const char *digest);
/* The blob read-only, and its size (may be NULL). Descriptor, or -1 (ERR_NOT_FOUND). */
int blobs_get(struct blobs *b, const char *digest, int64_t *ret_size, struct err *err);
/* Reads a whole small blob into `into`, bounded by its maximum, and verifies its digest. */
int blobs_read(struct blobs *b, const char *digest, struct buf *into, struct err *err);
/* Stores one piece of memory; *ret_digest may be NULL. Storing what is there already is success. */
int blobs_put(struct blobs *b, const void *data, size_t len, char ret_digest[DIGEST_SIZE], struct err *err);
/* A missing blob is success. */
int blobs_remove(struct blobs *b, const char *digest, struct err *err);
/* Calls each(arg, digest, size) for every blob until it returns non-zero, which is then returned; -1 with err
 * set when the directory can't be read. */
int blobs_each(struct blobs *b, int (*each)(void *arg, const char *digest, int64_t size), void *arg,
               struct err *err);

/* An unnamed file for a blob whose bytes somebody else writes and hashes (a worker). Descriptor or -1. */
int blobs_scratch(struct blobs *b, struct err *err);
/* Gives the scratch file its name, after sync when `sync`. The caller vouches that its bytes hash to digest;
 * the size is checked when >= 0. The descriptor stays the caller's. */
int blobs_adopt(struct blobs *b, int fd, const char *digest, int64_t size, bool sync, struct err *err);

/* Makes names given without sync last. */
int blobs_sync(struct blobs *b, struct err *err);

/* A writer that hashes while it writes. */
struct blob_writer;
struct blob_writer *blob_writer_new(struct blobs *b, struct err *err);
void blob_writer_free(struct blob_writer *w); /* an uncommitted blob vanishes */
DEFINE_CLEANUP_PTR(struct blob_writer, blob_writer_free)
int blob_writer_write(struct blob_writer *w, const void *data, size_t len, struct err *err);
/* expect_digest NULL: any; expect_size < 0: any. ERR_INVALID when the bytes aren't those expected. */
int blob_writer_commit(struct blob_writer *w, const char *expect_digest, int64_t expect_size,
                       char ret_digest[DIGEST_SIZE], struct err *err);

#endif
