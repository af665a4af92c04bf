/* Theory of operation
 *
 * Every layer that isn't here is claimed in the store, or, when another job makes it right now, is foreign to
 * this one. A few threads make the claimed ones: the download streams through a pipe into keg-layer, which
 * hashes, stores and unpacks at once; the result is a staged tree. Meanwhile the calling thread settles from
 * the lowest layer up: staged trees are committed in one batch (one sync), claims released; before a foreign
 * layer the batch so far is committed, then the other job is waited for.
 *
 * That can't deadlock: a chain id names everything below it, so two jobs that share a layer share all layers
 * below it, and whoever waits for layer i has released its claims below i: along a chain of jobs that wait
 * for each other the position would have to fall forever. */
#include "image/layers.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/ahead.h"
#include "image/store_internal.h"

enum { FOREIGN_POLL_MS = 200, PIPE_SIZE = 1024 * 1024, SHORT_ID = 12 };
#define SYNC_EACH_NS (3 * CLOCK_NS_PER_S / 10)

enum layer_state {
    LAYER_PRESENT, /* in the store */
    LAYER_PENDING, /* claimed, nobody works on it yet */
    LAYER_RUNNING,
    LAYER_STAGED, /* made, to be committed */
    LAYER_FOREIGN,
};

struct layer {
    const struct descriptor *blob;
    const char *diff_id, *chain_id, *parent; /* parent "" for the lowest */
    char id[SHORT_ID + 1];
    enum layer_state state;
    bool claimed;
    struct storage_stage *stage;
    int blob_fd; /* the blob's bytes, not yet adopted; -EBADF when the blob is there */
};

struct run {
    const struct layers_job *job;
    struct image_store *store;
    struct layer *layers;
    size_t n;
    pthread_mutex_t lock; /* states, failed, err */
    pthread_cond_t changed;
    pthread_mutex_t reporting; /* one report at a time */
    bool failed;
    struct err err; /* the first failure */
};

static void run_fail(struct run *run, const struct err *err)
{
    pthread_mutex_lock(&run->lock);
    if (!run->failed) {
        run->failed = true;
        run->err = *err;
    }
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
}

static bool run_failed(struct run *run)
{
    bool failed;

    pthread_mutex_lock(&run->lock);
    failed = run->failed;
    pthread_mutex_unlock(&run->lock);
    return failed;
}

static void set_state(struct run *run, struct layer *l, enum layer_state state)
{
    pthread_mutex_lock(&run->lock);
    l->state = state;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
}

/* docker pull's words; while loading they are left out. */
static int report(struct run *run, const struct layer *l, const char *status, int64_t current, int64_t total)
{
    struct err err = {0};
    int r;

    if (run->job->loading)
        return 0;
    pthread_mutex_lock(&run->reporting);
    r = image_report(run->job->listener, l->id, status, current, total, &err);
    pthread_mutex_unlock(&run->reporting);
    if (r < 0)
        run_fail(run, &err);
    return r;
}

/* Whether the blob unpacks to the layer, as was seen before. A manifest may put any blob beside a layer that is here:
 * what nobody has unpacked yet would be kept in the place of the good one, and given away by save and push. */
static bool blob_proven(struct run *run, const struct layer *l, const struct storage_layer *layer)
{
    return str_eq(l->blob->digest, l->diff_id) || str_eq(l->blob->digest, layer->blob_digest) ||
           image_store_is_proven(run->store, l->blob->digest, l->diff_id);
}

static bool layer_present(struct run *run, const struct layer *l)
{
    struct storage_layer layer;
    int64_t size = -1;
    _cleanup_close_ int blob = blobs_get(run->store->blobs, l->blob->digest, &size, NULL);

    return blob >= 0 && size == l->blob->size &&
           storage_layer_get(run->store->layers, l->chain_id, &layer, NULL) == 0 &&
           blob_proven(run, l, &layer);
}

/* -1: this run has failed, be it because nobody listens any more. */
static int check_listener(struct run *run)
{
    struct err err = {0};

    if (image_listener_gone(run->job->listener)) {
        err_set(&err, ERR_CANCELLED, "the client has gone");
        run_fail(run, &err);
    }
    return run_failed(run) ? -1 : 0;
}

struct download {
    struct run *run;
    struct layer *layer;
    int64_t reported;
};

static int on_download(void *arg, int64_t bytes)
{
    struct download *d = arg;

    if (check_listener(d->run) < 0)
        return -1;
    if (bytes == d->reported)
        return 0;
    d->reported = bytes;
    return report(d->run, d->layer, "Downloading", bytes, d->layer->blob->size);
}

static void report_downloaded(struct run *run, const struct layer *l)
{
    report(run, l, "Verifying Checksum", 0, 0);
    report(run, l, "Download complete", 0, 0);
}

static int on_blob(void *arg, int64_t bytes _unused_)
{
    const struct layers_job *job = arg;

    return image_listener_gone(job->listener) ? -1 : 0;
}

/* A blob's bytes, verified, in a file that isn't named yet. Descriptor or -1. */
static int fetch(const struct layers_job *job, const struct descriptor *blob,
                 const struct registry_watch *watch, struct err *err)
{
    _cleanup_(sha256_free_p) struct sha256 *hash = sha256_new();
    _cleanup_close_ int fd = blobs_scratch(job->store->blobs, err);
    _cleanup_free_ char *piece = xmalloc(PIPE_SIZE);
    char hex[SHA256_HEX_SIZE];
    int out;
    ssize_t n;

    if (fd < 0)
        return -1;
    out = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (out < 0)
        return err_errno(err, errno, "fetch %s", blob->digest);
    if (registry_get_blob(job->registry, blob->digest, blob->size, &out, watch, err) < 0)
        return -1;
    for (off_t at = 0; (n = pread(fd, piece, PIPE_SIZE, at)) > 0; at += n)
        sha256_update(hash, piece, (size_t)n);
    sha256_hex(hash, hex);
    if (n < 0 || !str_eq(hex, digest_hex(blob->digest)))
        return err_set(err, ERR_INVALID, "filesystem layer verification failed for digest %s", blob->digest);
    return take_fd(&fd);
}

/* What an artifact consists of is only kept. */
static int make_artifact(const struct layers_job *job, struct err *err)
{
    const struct registry_watch watch = {on_blob, (void *)job};

    for (size_t i = 0; i <= job->manifest->n_layers; i++) {
        const struct descriptor *blob = i ? &job->manifest->layers[i - 1] : &job->manifest->config;
        _cleanup_close_ int fd = -EBADF;

        if (blobs_has(job->store->blobs, blob->digest))
            continue;
        if (!job->registry)
            return err_set(err, ERR_INVALID, "the archive lacks %s", blob->digest);
        fd = fetch(job, blob, &watch, err);
        if (fd < 0 || blobs_adopt(job->store->blobs, fd, blob->digest, blob->size, /* sync= */ true, err) < 0)
            return -1;
    }
    return 0;
}

/* The blob is here; the layer isn't, or hasn't been seen to be the blob's: then the tree is made to compare, and dropped. */
static int unpack_local(struct run *run, struct layer *l, struct err *err)
{
    _cleanup_close_ int fd = blobs_get(run->store->blobs, l->blob->digest, NULL, err);
    struct storage_unpack_spec spec = {.input = fd,
                                       .blob_out = -EBADF,
                                       .blob_digest = l->blob->digest,
                                       .blob_size = l->blob->size,
                                       .diff_id = l->diff_id};
    struct storage_job *job;

    if (fd < 0)
        return -1;
    report(run, l, "Download complete", 0, 0);
    report(run, l, "Extracting", l->blob->size, l->blob->size);
    job = storage_unpack_start(run->store->layers, &spec, err);
    return job ? storage_unpack_wait(job, &l->stage, NULL, err) : -1;
}

/* Registry → pipe → keg-layer → staged tree and blob. */
static int stream_layer(struct run *run, struct layer *l, struct err *err)
{
    struct download d = {run, l, 0};
    struct registry_watch watch = {on_download, &d};
    struct err download_err = {0}, unpack_err = {0};
    _cleanup_close_ int in = -EBADF, out = -EBADF;
    struct storage_unpack_spec spec = {
        .blob_digest = l->blob->digest, .blob_size = l->blob->size, .diff_id = l->diff_id};
    struct storage_job *job;
    int ends[2], downloaded, unpacked;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "fetch layer %s", l->id);
    in = ends[0];
    out = ends[1];
    fcntl(out, F_SETPIPE_SZ, PIPE_SIZE); /* fewer switches; the default size does too */
    l->blob_fd = blobs_scratch(run->store->blobs, err);
    if (l->blob_fd < 0)
        return -1;
    spec.input = in;
    spec.blob_out = l->blob_fd;
    job = storage_unpack_start(run->store->layers, &spec, err);
    if (!job)
        return -1;
    close_fd(&in);
    downloaded =
        registry_get_blob(run->job->registry, l->blob->digest, l->blob->size, &out, &watch, &download_err);
    if (downloaded == 0) {
        report_downloaded(run, l);
        report(run, l, "Extracting", l->blob->size, l->blob->size);
    } else if (download_err.kind != ERR_CANCELLED || run_failed(run)) {
        storage_unpack_cancel(job);
    }
    unpacked = storage_unpack_wait(job, &l->stage, NULL, &unpack_err);
    if (downloaded == 0 && unpacked == 0)
        return 0;
    /* when keg-layer gives up first, the download only sees that its reader has gone */
    if (err)
        *err = downloaded < 0 && (unpacked == 0 || download_err.kind != ERR_CANCELLED) ? download_err
                                                                                       : unpack_err;
    return -1;
}

/* Makes one claimed layer: then it is staged. */
static int layer_make(struct run *run, struct layer *l, struct err *err)
{
    bool have_blob = blobs_has(run->store->blobs, l->blob->digest);
    enum image_slot slot = have_blob ? IMAGE_SLOT_LOCAL : IMAGE_SLOT_NETWORK;
    int r;

    l->stage = ahead_take(run->job->ahead, l->blob->digest, l->diff_id);
    if (l->stage)
        return 0;
    image_store_acquire_slot(run->store, slot);
    if (have_blob)
        r = unpack_local(run, l, err);
    else if (!run->job->registry)
        r = err_set(err, ERR_INVALID, "the archive lacks layer %s", l->blob->digest);
    else
        r = stream_layer(run, l, err);
    image_store_release_slot(run->store, slot);
    return r;
}

static struct layer *next_pending(struct run *run)
{
    struct layer *found = NULL;

    pthread_mutex_lock(&run->lock);
    for (size_t i = 0; i < run->n && !found && !run->failed; i++)
        if (run->layers[i].state == LAYER_PENDING)
            found = &run->layers[i];
    if (found)
        found->state = LAYER_RUNNING;
    pthread_mutex_unlock(&run->lock);
    return found;
}

static void *make_pending(void *arg)
{
    struct run *run = arg;
    struct layer *l;

    while ((l = next_pending(run))) {
        struct err err = {0};

        if (layer_make(run, l, &err) < 0)
            run_fail(run, &err);
        else
            set_state(run, l, LAYER_STAGED);
    }
    return NULL;
}

/* Until no layer is being made, or for so long. False: it was so long. With the lock held. */
static bool wait_all_made(struct run *run, int64_t ns)
{
    int64_t deadline = clock_now() + ns;
    const struct timespec until = {deadline / CLOCK_NS_PER_S, deadline % CLOCK_NS_PER_S};
    int r = 0;

    for (size_t i = 0; i < run->n && !run->failed && r == 0;) {
        if (run->layers[i].state == LAYER_PENDING || run->layers[i].state == LAYER_RUNNING)
            r = pthread_cond_timedwait(&run->changed, &run->lock, &until);
        else
            i++;
    }
    return r == 0;
}

/* Writes to the disk what has come so far, now and then while layers are made, so that the commit has little left to wait
 * for; half of the time at most: others use the disk too. */
static void *sync_meanwhile(void *arg)
{
    struct run *run = arg;
    int64_t pause = SYNC_EACH_NS;

    pthread_mutex_lock(&run->lock);
    while (!wait_all_made(run, pause)) {
        int64_t start = clock_monotonic();

        pthread_mutex_unlock(&run->lock);
        storage_sync_ahead(run->store->layers);
        pause = MAX_OF(clock_monotonic() - start, SYNC_EACH_NS);
        pthread_mutex_lock(&run->lock);
    }
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

/* Decides for every layer whether it is here, ours to make, or being made by another job. */
static size_t classify(struct run *run)
{
    size_t ours = 0;

    for (size_t i = 0; i < run->n; i++) {
        struct layer *l = &run->layers[i];

        report(run, l, layer_present(run, l) ? "Already exists" : "Pulling fs layer", 0, 0);
        if (layer_present(run, l))
            continue;
        l->claimed = image_store_claim(run->store, l->chain_id);
        if (l->claimed && layer_present(run, l)) { /* another job finished it in between */
            image_store_unclaim(run->store, l->chain_id);
            l->claimed = false;
            report(run, l, "Pull complete", 0, 0);
            continue;
        }
        l->state = l->claimed ? LAYER_PENDING : LAYER_FOREIGN;
        ours += l->claimed;
        if (!l->claimed || ours > run->store->max_downloads)
            report(run, l, "Waiting", 0, 0);
    }
    return ours;
}

static void release_claim(struct run *run, struct layer *l)
{
    if (l->claimed)
        image_store_unclaim(run->store, l->chain_id);
    l->claimed = false;
}

/* Waits until no thread works on the layer. -1: the run has failed. */
static int wait_made(struct run *run, struct layer *l)
{
    int r;

    pthread_mutex_lock(&run->lock);
    while (!run->failed && (l->state == LAYER_PENDING || l->state == LAYER_RUNNING))
        pthread_cond_wait(&run->changed, &run->lock);
    r = run->failed ? -1 : 0;
    pthread_mutex_unlock(&run->lock);
    return r;
}

/* Gives the staged blobs their names. synced: storage_commit() has just brought all bytes to the disk. */
static int adopt_blobs(struct run *run, size_t from, size_t to, bool synced, struct err *err)
{
    bool named = false;

    for (size_t i = from; i < to; i++) {
        struct layer *l = &run->layers[i];

        if (l->state == LAYER_STAGED && l->blob_fd >= 0) {
            if (blobs_adopt(run->store->blobs, l->blob_fd, l->blob->digest, l->blob->size, !synced, err) < 0)
                return -1;
            named = synced;
        }
        close_fd(&l->blob_fd);
    }
    return named ? blobs_sync(run->store->blobs, err) : 0;
}

/* Layers [from, to) become visible: trees, then blobs; then their claims end. */
static int commit_batch(struct run *run, size_t from, size_t to, struct err *err)
{
    _cleanup_free_ struct storage_commit *rows = xcalloc(to - from + 1, sizeof(*rows));
    size_t n = 0;
    int r = 0;

    for (size_t i = from; i < to; i++) {
        struct layer *l = &run->layers[i];

        if (l->state == LAYER_STAGED && l->stage)
            rows[n++] = (struct storage_commit){
                .stage = take_ptr(&l->stage), .parent = l->parent, .media_type = l->blob->media_type};
    }
    if (n)
        r = storage_commit(run->store->layers, rows, n, err);
    if (r < 0 || adopt_blobs(run, from, to, /* synced= */ n > 0, err) < 0)
        return -1;
    for (size_t i = from; i < to; i++) {
        struct layer *l = &run->layers[i];

        if (l->state != LAYER_STAGED)
            continue;
        image_store_prove(run->store, l->blob->digest, l->diff_id);
        release_claim(run, l);
        set_state(run, l, LAYER_PRESENT);
        report(run, l, "Pull complete", 0, 0);
    }
    return 0;
}

/* Waits for the job that makes this layer; makes it here when that one fails. */
static int settle_foreign(struct run *run, struct layer *l, struct err *err)
{
    while (check_listener(run) == 0) {
        if (!image_store_wait_unclaimed(run->store, l->chain_id, FOREIGN_POLL_MS))
            continue;
        if (layer_present(run, l)) {
            set_state(run, l, LAYER_PRESENT);
            return report(run, l, "Pull complete", 0, 0);
        }
        l->claimed = image_store_claim(run->store, l->chain_id);
        if (!l->claimed)
            continue;
        if (layer_make(run, l, err) < 0)
            return -1;
        set_state(run, l, LAYER_STAGED);
        return 0;
    }
    return -1;
}

static int settle(struct run *run, struct err *err)
{
    size_t from = 0;

    for (size_t i = 0; i < run->n; i++) {
        struct layer *l = &run->layers[i];

        if (wait_made(run, l) < 0)
            return -1;
        if (l->state == LAYER_FOREIGN) {
            if (commit_batch(run, from, i, err) < 0 || settle_foreign(run, l, err) < 0)
                return -1;
            from = i;
        }
    }
    return commit_batch(run, from, run->n, err);
}

static void run_init(struct run *run, const struct layers_job *job)
{
    *run = (struct run){.job = job, .store = job->store, .n = job->manifest->n_layers};
    pthread_mutex_init(&run->lock, NULL);
    pthread_mutex_init(&run->reporting, NULL);
    pthread_cond_init(&run->changed, NULL);
    run->layers = xcalloc(run->n + 1, sizeof(*run->layers));
    for (size_t i = 0; i < run->n; i++) {
        struct layer *l = &run->layers[i];

        *l = (struct layer){.blob = &job->manifest->layers[i],
                            .diff_id = job->config->diff_ids[i],
                            .chain_id = job->config->chain_ids[i],
                            .parent = i ? job->config->chain_ids[i - 1] : "",
                            .state = LAYER_PRESENT,
                            .blob_fd = -EBADF};
        snprintf(l->id, sizeof(l->id), "%.12s", digest_hex(l->blob->digest));
    }
}

static void run_finish(struct run *run)
{
    for (size_t i = 0; i < run->n; i++) {
        release_claim(run, &run->layers[i]);
        storage_stage_discard(run->layers[i].stage);
        close_fd(&run->layers[i].blob_fd);
    }
    free(run->layers);
    pthread_mutex_destroy(&run->lock);
    pthread_mutex_destroy(&run->reporting);
    pthread_cond_destroy(&run->changed);
}

int layers_make(const struct layers_job *job, struct err *err)
{
    struct run run;
    struct err own = {0};
    size_t ours, n_threads = 0;
    pthread_t *threads, syncer;
    bool syncing;
    int r;

    if (job->manifest->artifact)
        return make_artifact(job, err);
    run_init(&run, job);
    ours = classify(&run);
    ours = MIN_OF(ours, job->store->max_downloads);
    threads = xcalloc(ours + 1, sizeof(*threads));
    while (n_threads < ours && pthread_create(&threads[n_threads], NULL, make_pending, &run) == 0)
        n_threads++;
    syncing = n_threads > 0 && pthread_create(&syncer, NULL, sync_meanwhile, &run) == 0;
    if (ours && n_threads == 0)
        make_pending(&run);
    if (settle(&run, &own) < 0)
        run_fail(&run, &own);
    for (size_t i = 0; i < n_threads; i++)
        pthread_join(threads[i], NULL);
    if (syncing)
        pthread_join(syncer, NULL);
    free(threads);
    r = run.failed ? -1 : 0;
    if (run.failed && err)
        *err = run.err;
    run_finish(&run);
    return r;
}
