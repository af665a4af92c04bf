/* The worker's input: a descriptor becomes a stream of tar bytes.
 *
 * Three threads, two of which are made here; the third is the caller's, which takes the bytes:
 *
 *     input ─► hash, store, inflate ─► ring of blocks ─┬─► hash of the tar (diff id)
 *              (first thread)                          └─► caller: source_input()
 *
 * so that two cores are busy with one layer: inflating is the longest part, unpacking the second, hashing the
 * third. A plain tar is hashed once. */
#ifndef KEG_STORAGE_WORKER_SOURCE_H
#define KEG_STORAGE_WORKER_SOURCE_H

#include "base/err.h"
#include "base/hash.h"
#include "storage/worker/protocol.h"
#include "tar/reader.h"

struct source;

struct source_spec {
    int input;
    int blob_out; /* -EBADF: the bytes aren't stored */
    int growing; /* the input is a file that is being written, this a pipe: WORKER_STORE_GROWS; whoever writes it knows its
                  * digest, so it isn't computed here. 0: it is whole */
    bool usable;       /* stored, and counted, is the tar where no media type tells of the compression */
    int64_t max_bytes; /* of tar */
    int64_t max_ratio; /* tar to input, judged from SOURCE_RATIO_FROM on */
    struct worker_shared *shared;
    bool no_digests; /* nobody asks for them: the result's are of nothing */
};

#define SOURCE_RATIO_FROM (1024LL * 1024 * 1024)

struct source_result {
    char blob_hex[SHA256_HEX_SIZE]; /* "": not computed */
    char diff_hex[SHA256_HEX_SIZE]; /* "": as the blob's */
    int64_t blob_size;
    int64_t tar_size;
    bool compressed;
};

/* Makes the threads; they wait for source_start (so that a seccomp filter can be put on all at once). */
struct source *source_new(const struct source_spec *spec, struct err *err);
void source_start(struct source *s);
/* Where the tar reader gets its bytes. */
struct tar_input source_input(struct source *s);
/* After the input's end was seen: waits for the digests. */
void source_finish(struct source *s, struct source_result *ret);

#endif
