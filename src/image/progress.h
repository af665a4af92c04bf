/* Progress of pulls and loads in Docker's terms. */
#ifndef KEG_IMAGE_PROGRESS_H
#define KEG_IMAGE_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct image_progress {
    const char *id;     /* short layer id ("a3ed95caeb02") or tag; NULL: none */
    const char *status; /* "Downloading", "Pull complete", "Status: Downloaded newer image for …" */
    int64_t current;    /* bytes; used when total or current > 0 */
    int64_t total;
    bool told; /* a sentence for people, not a line that will change */
};

/* Told of each step, never from two threads at once. Returns -1 when nobody listens any more: the operation
 * is then cancelled (ERR_CANCELLED). */
struct image_listener {
    int (*report)(void *arg, const struct image_progress *progress);
    /* Asked now and then while there is nothing to report: has the one who asked gone? Cheap; from any thread. NULL:
     * never. */
    bool (*gone)(void *arg);
    void *arg;
};

/* {"status":…,"progressDetail":{"current":…,"total":…},"progress":"[==>   ] 1MB/2MB","id":…} as Docker's API
 * streams it. A new object. */
json_t *image_progress_json(const struct image_progress *progress);

#endif
