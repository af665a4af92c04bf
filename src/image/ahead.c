/* Unpacking ahead. A job needs nobody to attend to it until its end: there are no threads here. */
#include "image/ahead.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "image/store_internal.h"

static bool looks_like_layer(int fd)
{
    static const struct {
        size_t at, len;
        const char *bytes;
    } signs[] = {{0, 2, "\x1f\x8b"}, {0, 4, "\x28\xb5\x2f\xfd"}, {257, 5, "ustar"}};
    char start[512];
    ssize_t n = pread(fd, start, sizeof(start), 0);

    for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
        if (n >= (ssize_t)(signs[i].at + signs[i].len) &&
            memcmp(start + signs[i].at, signs[i].bytes, signs[i].len) == 0)
            return true;
    return false;
}

/* The same file from its start: the position of blob's own descriptor is where its writer stopped. */
static int reopen(int blob)
{
    char self[64];

    snprintf(self, sizeof(self), "/proc/self/fd/%d", blob);
    return open(self, O_RDONLY | O_CLOEXEC);
}

void ahead_start(struct ahead *a, int blob, const char *digest, int64_t size)
{
    struct ahead_layer *l = &a->layers[a->n];
    _cleanup_close_ int fd = a->n < AHEAD_MAX ? reopen(blob) : -EBADF;
    const struct storage_unpack_spec spec = {
        .input = fd, .blob_out = -EBADF, .blob_digest = digest, .blob_size = size};

    if (fd < 0 || !looks_like_layer(fd))
        return;
    l->job = storage_unpack_start(a->store->layers, &spec, NULL);
    snprintf(l->digest, sizeof(l->digest), "%s", digest);
    a->n += l->job != NULL;
}

bool ahead_follow(struct ahead *a, int blob, int *ret_news)
{
    struct ahead_layer *l = &a->layers[a->n];
    _cleanup_close_ int fd = a->n < AHEAD_MAX ? reopen(blob) : -EBADF, in = -EBADF, out = -EBADF;
    int ends[2];

    if (fd < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return false;
    in = ends[0];
    out = ends[1];
    if (fcntl(out, F_SETFL, O_NONBLOCK) < 0) /* a full pipe tells as much as one byte more */
        return false;
    l->job = storage_unpack_start(
        a->store->layers,
        &(struct storage_unpack_spec){.input = fd, .blob_out = -EBADF, .growing = in, .blob_size = -1}, NULL);
    l->digest[0] = '\0';
    if (!l->job)
        return false;
    a->n++;
    *ret_news = take_fd(&out);
    return true;
}

static void drop(struct storage_job *job)
{
    struct storage_stage *stage = NULL;

    storage_unpack_cancel(job);
    if (storage_unpack_wait(job, &stage, NULL, NULL) == 0)
        storage_stage_discard(stage);
}

void ahead_followed(struct ahead *a, const char *digest, int64_t size)
{
    struct ahead_layer *l = &a->layers[a->n - 1];

    if (digest) {
        storage_unpack_followed(l->job, digest, size);
        snprintf(l->digest, sizeof(l->digest), "%s", digest);
    } else {
        drop(take_ptr(&l->job));
        a->n--;
    }
}

static struct storage_job *take_job(struct ahead *a, const char *digest)
{
    struct storage_job *job = NULL;

    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->n && !job; i++)
        if (str_eq(a->layers[i].digest, digest))
            job = take_ptr(&a->layers[i].job);
    pthread_mutex_unlock(&a->lock);
    return job;
}

struct storage_stage *ahead_take(struct ahead *a, const char *digest, const char *diff_id)
{
    _cleanup_(storage_stage_discard_p) struct storage_stage *stage = NULL;
    struct storage_job *job = a ? take_job(a, digest) : NULL;
    struct storage_unpack_result result;

    if (!job || storage_unpack_wait(job, &stage, &result, NULL) < 0 || !str_eq(result.diff_id, diff_id) ||
        !str_eq(result.blob_digest, digest))
        return NULL;
    return take_ptr(&stage);
}

void ahead_finish(struct ahead *a)
{
    for (size_t i = 0; i < a->n; i++) {
        struct storage_job *job = take_ptr(&a->layers[i].job);

        if (job)
            drop(job);
    }
    a->n = 0;
}
