/* Layers of an archive that is still being read: what looks like one unpacks while the next comes in. */
#ifndef KEG_IMAGE_AHEAD_H
#define KEG_IMAGE_AHEAD_H

#include <pthread.h>

#include "image/store.h"
#include "storage/storage.h"

enum { AHEAD_MAX = 4 }; /* workers at once; the layers beyond wait for the archive's end, as others do */

struct ahead {
    struct image_store *store;
    pthread_mutex_t lock; /* over taking */
    size_t n;
    struct ahead_layer {
        char digest[DIGEST_SIZE]; /* of the blob; "": not known yet */
        struct storage_job *job;  /* NULL: taken */
    } layers[AHEAD_MAX];
};

#define AHEAD_INIT(a_store)                                                                                  \
    {                                                                                                        \
        .store = (a_store), .lock = PTHREAD_MUTEX_INITIALIZER                                                \
    }

/* Begins with the blob `digest`, whose bytes the file `blob` has, if the first are a layer's; blob stays the caller's. What
 * goes wrong is told by whoever unpacks it the usual way. */
void ahead_start(struct ahead *a, int blob, const char *digest, int64_t size);
/* The same with a blob that is yet to be written into the file, of which the first bytes will tell. True: *ret_news, the
 * caller's, is where a byte has to be written each time there is more, without ever waiting; that all of its copies are
 * closed is the end. */
bool ahead_follow(struct ahead *a, int blob, int *ret_news);
/* The last one followed is whole, with that digest and size; NULL: nobody needs it. */
void ahead_followed(struct ahead *a, const char *digest, int64_t size);
/* The tree of that blob, should it have been begun and be the one that is wanted; waits for it. NULL otherwise, also for
 * a == NULL. Thread-safe. */
struct storage_stage *ahead_take(struct ahead *a, const char *digest, const char *diff_id);
/* Ends what nobody took. */
void ahead_finish(struct ahead *a);

#endif
