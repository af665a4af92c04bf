/* Tar stream → staged layer: jobs. */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/internal.h"

#define ROOM_ENOUGH (4LL << 30)

static const struct storage_limits default_limits = {
    .max_entries = 4000000,
    .max_bytes = 1LL << 40,
    .max_ratio = 2000,
};

struct storage_job {
    struct storage_stage *stage;
    struct worker worker;
    pthread_mutex_t lock; /* over pid against cancel */
    bool cancelled;
    char blob_digest[STORAGE_DIGEST_SIZE], diff_id[STORAGE_DIGEST_SIZE]; /* expected; "": anything */
    int64_t blob_size;                                                   /* expected; -1: anything */
};

void storage_stage_discard(struct storage_stage *stage)
{
    if (!stage)
        return;
    pthread_mutex_lock(&stage->storage->lock);
    for (struct storage_stage **link = &stage->storage->stages; *link; link = &(*link)->next)
        if (*link == stage) {
            *link = stage->next;
            break;
        }
    pthread_mutex_unlock(&stage->storage->lock);
    if (stage->storage->driver->layer_hide)
        stage->storage->driver->layer_hide(stage->storage, stage->name);
    driver_remove(stage->storage->driver, stage->storage->layers_fd, stage->name,
                  NULL); /* at once: the disk may be full because of it */
    close_fd(&stage->sync);
    free(stage);
}

bool stage_is_live(const struct storage *s, const char *name)
{
    for (const struct storage_stage *stage = s->stages; stage; stage = stage->next)
        if (str_eq(stage->name, name))
            return true;
    return false;
}

/* Makes the staging directory; *ret_tree and *ret_pending are opened in it. */
static struct storage_stage *new_stage(struct storage *s, int *ret_tree, int *ret_pending, struct err *err)
{
    _cleanup_(storage_stage_discard_p) struct storage_stage *stage = xcalloc(1, sizeof(*stage));
    _cleanup_close_ int dir = -EBADF, tree = -EBADF, pending = -EBADF;
    static _Atomic uint64_t born;

    stage->storage = s;
    stage->born = ++born;
    stage->sync = openat(s->layers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    storage_random_name(stage->name, STAGING_PREFIX);
    pthread_mutex_lock(&s->lock);
    stage->next = s->stages;
    s->stages = stage;
    pthread_mutex_unlock(&s->lock);
    if (stage->sync >= 0 && mkdirat(s->layers_fd, stage->name, 0700) == 0)
        dir = openat(s->layers_fd, stage->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0 && mkdirat(dir, "diff", 0755) == 0)
        tree = openat(dir, "diff", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tree >= 0 && fchmod(tree, 0755) == 0)
        pending = openat(dir, "pending", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (pending < 0) {
        err_errno(err, errno, "cannot make a staging directory in %s", s->layers);
        return NULL;
    }
    *ret_tree = take_fd(&tree);
    *ret_pending = take_fd(&pending);
    return take_ptr(&stage);
}

static void apply_defaults(struct storage_limits *l)
{
    if (l->max_entries <= 0)
        l->max_entries = default_limits.max_entries;
    if (l->max_bytes <= 0)
        l->max_bytes = default_limits.max_bytes;
    if (l->max_ratio <= 0)
        l->max_ratio = default_limits.max_ratio;
}

static int take_expected(char ret[STORAGE_DIGEST_SIZE], const char *digest, struct err *err)
{
    if (!digest)
        return 0;
    if (!storage_digest_hex(digest, err))
        return -1;
    snprintf(ret, STORAGE_DIGEST_SIZE, "%s", digest);
    return 0;
}

static void job_free(struct storage_job *job)
{
    storage_stage_discard(job->stage);
    pthread_mutex_destroy(&job->lock);
    free(job);
}
DEFINE_CLEANUP_PTR(struct storage_job, job_free)

/* What was removed a moment ago may hold the room that is needed now. */
static void make_room(struct storage *s)
{
    struct statvfs st;

    if (fstatvfs(s->layers_fd, &st) == 0 && (int64_t)st.f_bavail * (int64_t)st.f_frsize < ROOM_ENOUGH)
        trash_wait(s->trash);
}

struct storage_job *storage_unpack_start(struct storage *s, const struct storage_unpack_spec *spec,
                                         struct err *err)
{
    _cleanup_(job_free_p) struct storage_job *job = xcalloc(1, sizeof(*job));
    _cleanup_close_ int tree = -EBADF, pending = -EBADF;
    struct worker_spec worker = WORKER_SPEC_INIT("unpack");

    pthread_mutex_init(&job->lock, NULL);
    if (spec->input < 0) {
        err_errno(err, EBADF, "cannot read the archive");
        return NULL;
    }
    job->blob_size = spec->blob_size;
    if (take_expected(job->blob_digest, spec->blob_digest, err) < 0 ||
        take_expected(job->diff_id, spec->diff_id, err) < 0)
        return NULL;
    make_room(s);
    job->stage = new_stage(s, &tree, &pending, err);
    if (!job->stage)
        return NULL;
    worker.limits = spec->limits;
    apply_defaults(&worker.limits);
    worker.input = spec->input;
    worker.output = spec->growing > 0 ? spec->growing : spec->blob_out;
    if (spec->growing > 0)
        worker.store = WORKER_STORE_GROWS;
    else if (spec->blob_out >= 0)
        worker.store = spec->blob_digest ? WORKER_STORE_AS_IS : WORKER_STORE_USABLE;
    worker.tree = tree;
    worker.pending = pending;
    if (worker_spawn(s, &worker, &job->worker, err) < 0)
        return NULL;
    return take_ptr(&job);
}

void storage_unpack_progress(struct storage_job *job, struct storage_progress *ret)
{
    *ret = (struct storage_progress){};
    pthread_mutex_lock(&job->lock);
    if (job->worker.shared) {
        ret->consumed = atomic_load_explicit(&job->worker.shared->consumed, memory_order_relaxed);
        ret->unpacked = atomic_load_explicit(&job->worker.shared->unpacked, memory_order_relaxed);
        ret->entries = atomic_load_explicit(&job->worker.shared->entries, memory_order_relaxed);
    }
    pthread_mutex_unlock(&job->lock);
}

void storage_unpack_cancel(struct storage_job *job)
{
    pthread_mutex_lock(&job->lock);
    job->cancelled = true;
    if (job->worker.pid > 0)
        kill(job->worker.pid, SIGKILL);
    pthread_mutex_unlock(&job->lock);
}

void storage_unpack_followed(struct storage_job *job, const char *blob_digest, int64_t blob_size)
{
    snprintf(job->blob_digest, sizeof(job->blob_digest), "%s", blob_digest);
    job->blob_size = blob_size;
}

/* As the worker found it, or else, where it hadn't to look, as it is known. */
static void set_digest(char ret[STORAGE_DIGEST_SIZE], const char *hex, const char *known)
{
    if (*hex)
        snprintf(ret, STORAGE_DIGEST_SIZE, "sha256:%s", hex);
    else
        snprintf(ret, STORAGE_DIGEST_SIZE, "%s", known);
}

static int verify(const struct storage_job *job, const struct storage_unpack_result *r, struct err *err)
{
    if (job->blob_digest[0] && !str_eq(job->blob_digest, r->blob_digest))
        return err_set(err, ERR_INVALID,
                       "filesystem layer verification failed for digest %s: the bytes received are %s",
                       job->blob_digest, r->blob_digest);
    if (job->blob_size >= 0 && job->blob_size != r->blob_size)
        return err_set(err, ERR_INVALID, "unexpected size of the layer: %lld bytes, expected %lld",
                       (long long)r->blob_size, (long long)job->blob_size);
    if (job->diff_id[0] && !str_eq(job->diff_id, r->diff_id))
        return err_set(err, ERR_INVALID, "wrong diff id calculated on extraction \"%s\": expected \"%s\"",
                       r->diff_id, job->diff_id);
    return 0;
}

int storage_unpack_wait(struct storage_job *job, struct storage_stage **ret_stage,
                        struct storage_unpack_result *ret, struct err *err)
{
    _cleanup_(job_free_p) struct storage_job *own = job;
    struct storage_unpack_result *result = &job->stage->result;
    struct worker_report report;
    int r;

    worker_await(&job->worker);
    pthread_mutex_lock(&job->lock);
    r = worker_finish(&job->worker, &report, job->cancelled ? NULL : err);
    pthread_mutex_unlock(&job->lock);
    if (r < 0)
        return job->cancelled ? err_set(err, ERR_CANCELLED, "unpacking was cancelled") : -1;
    set_digest(result->blob_digest, report.blob_hex, job->blob_digest);
    set_digest(result->diff_id, report.diff_hex, result->blob_digest);
    result->blob_size = report.blob_size;
    result->unpacked_size = report.unpacked_size;
    result->entries = report.entries;
    result->compressed = report.compressed;
    if (verify(job, result, err) < 0)
        return -1;
    job->stage->pending = report.pending;
    job->stage->pending_links = report.pending_links;
    job->stage->root_described = report.root_described;
    if (ret)
        *ret = *result;
    *ret_stage = take_ptr(&job->stage);
    return 0;
}
