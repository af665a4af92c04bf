/* Blobs and layers as one store: leases, sweeps, slots and claims. */
#include "image/store.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "image/store_internal.h"

enum { DEFAULT_DOWNLOADS = 3, DEFAULT_UPLOADS = 5, DEFAULT_STALL_SECONDS = 30 };

struct image_lease {
    struct image_store *store;
    struct image_lease *next;
    char **digests;
};

static char **copy_strv(char *const *v)
{
    char **copy = NULL;

    for (; v && *v; v++)
        strv_push(&copy, *v);
    return copy;
}

struct image_store *image_store_open(const struct image_store_options *options, struct err *err)
{
    struct blobs *blobs = blobs_open(options->data_dir, err);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct image_store *store;

    if (!blobs)
        return NULL;
    store = xcalloc(1, sizeof(*store));
    store->blobs = blobs;
    store->proven = json_object();
    store->layers = options->layers;
    store->worker_dir = xstrdup(options->worker_dir);
    store->certificates_dir =
        xstrdup(options->certificates_dir ? options->certificates_dir : "/etc/docker/certs.d");
    store->insecure_registries = copy_strv(options->insecure_registries);
    store->mirrors = copy_strv(options->mirrors);
    store->max_downloads = options->max_downloads ? options->max_downloads : DEFAULT_DOWNLOADS;
    store->max_uploads = options->max_uploads ? options->max_uploads : DEFAULT_UPLOADS;
    store->stall_seconds = options->stall_seconds ? options->stall_seconds : DEFAULT_STALL_SECONDS;
    store->slots[IMAGE_SLOT_LOCAL] =
        options->max_unpacks ? options->max_unpacks : (unsigned)MAX_OF(cpus, 1) + 1;
    store->slots[IMAGE_SLOT_NETWORK] = 2 * store->max_downloads;
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->changed, NULL);
    return store;
}

void image_store_configure(struct image_store *store, const struct image_store_options *options)
{
    pthread_mutex_lock(&store->lock);
    strv_free(store->insecure_registries);
    strv_free(store->mirrors);
    store->insecure_registries = copy_strv(options->insecure_registries);
    store->mirrors = copy_strv(options->mirrors);
    store->max_downloads = options->max_downloads ? options->max_downloads : DEFAULT_DOWNLOADS;
    store->max_uploads = options->max_uploads ? options->max_uploads : DEFAULT_UPLOADS;
    pthread_mutex_unlock(&store->lock);
}

void image_store_close(struct image_store *store)
{
    if (!store)
        return;
    blobs_close(store->blobs);
    free(store->worker_dir);
    free(store->certificates_dir);
    strv_free(store->insecure_registries);
    strv_free(store->mirrors);
    strv_free(store->claims);
    json_decref(store->proven);
    pthread_mutex_destroy(&store->lock);
    pthread_cond_destroy(&store->changed);
    free(store);
}

struct blobs *image_store_blobs(struct image_store *store)
{
    return store->blobs;
}

struct image_lease *image_lease_new(struct image_store *store)
{
    struct image_lease *lease = xcalloc(1, sizeof(*lease));

    lease->store = store;
    pthread_mutex_lock(&store->lock);
    lease->next = store->leases;
    store->leases = lease;
    pthread_mutex_unlock(&store->lock);
    return lease;
}

void image_lease_add(struct image_lease *lease, const char *digest)
{
    pthread_mutex_lock(&lease->store->lock);
    if (!strv_contains(lease->digests, digest))
        strv_push(&lease->digests, digest);
    pthread_mutex_unlock(&lease->store->lock);
}

void image_lease_free(struct image_lease *lease)
{
    struct image_lease **link;

    if (!lease)
        return;
    pthread_mutex_lock(&lease->store->lock);
    for (link = &lease->store->leases; *link != lease;)
        link = &(*link)->next;
    *link = lease->next;
    pthread_mutex_unlock(&lease->store->lock);
    strv_free(lease->digests);
    free(lease);
}

/* With the lock held. */
static bool is_leased(const struct image_store *store, const char *digest)
{
    for (const struct image_lease *lease = store->leases; lease; lease = lease->next)
        if (strv_contains(lease->digests, digest))
            return true;
    return false;
}

struct sweep_run {
    struct image_store *store;
    const struct image_sweep *sweep;
    struct err *err;
    struct err failure; /* the first that couldn't be removed; the others go all the same */
    bool failed;
};

static void sweep_fail(struct sweep_run *run, const struct err *err)
{
    if (!run->failed)
        run->failure = *err;
    run->failed = true;
}

/* 1: garbage, 0: needed, -1: the engine can't tell. */
static int is_garbage(struct sweep_run *run, enum image_object kind, const char *digest)
{
    int needed = is_leased(run->store, digest) ? 1 : run->sweep->referenced(run->sweep->arg, kind, digest);

    if (needed < 0)
        return err_set(run->err, ERR_SYSTEM, "cannot tell what the images need: nothing more was removed");
    return !needed;
}

static int sweep_blob(void *arg, const char *digest, int64_t size)
{
    struct sweep_run *run = arg;
    int garbage = is_garbage(run, IMAGE_OBJECT_BLOB, digest);
    struct err err = {0};

    if (garbage <= 0)
        return garbage;
    if (!run->sweep->look && blobs_remove(run->store->blobs, digest, &err) < 0) {
        sweep_fail(run, &err);
        return 0;
    }
    if (run->sweep->removed)
        run->sweep->removed(run->sweep->arg, IMAGE_OBJECT_BLOB, digest, size);
    return 0;
}

/* One pass over the layers; those that others stand on wait for the next. Returns how many were removed, or
 * -1. */
static int sweep_layers_once(struct sweep_run *run)
{
    _cleanup_free_ struct storage_layer *layers = NULL;
    size_t n = 0;
    int removed = 0;

    if (storage_layer_list(run->store->layers, &layers, &n, run->err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int garbage = is_garbage(run, IMAGE_OBJECT_LAYER, layers[i].chain_id);
        struct err err = {0};

        if (garbage < 0)
            return -1;
        if (!garbage)
            continue;
        if (!run->sweep->look && storage_layer_remove(run->store->layers, layers[i].chain_id, &err) < 0) {
            if (err.kind != ERR_CONFLICT && err.kind != ERR_NOT_FOUND)
                sweep_fail(run, &err);
            continue;
        }
        removed++;
        if (run->sweep->removed)
            run->sweep->removed(run->sweep->arg, IMAGE_OBJECT_LAYER, layers[i].chain_id, layers[i].size);
    }
    return removed;
}

int image_store_sweep(struct image_store *store, const struct image_sweep *sweep, struct err *err)
{
    struct err own = {0};
    struct sweep_run run = {.store = store, .sweep = sweep, .err = err ? err : &own};
    int r;

    pthread_mutex_lock(&store->lock);
    do
        r = sweep_layers_once(&run);
    while (r > 0 && !sweep->look);
    if (r >= 0)
        r = blobs_each(store->blobs, sweep_blob, &run, run.err);
    pthread_mutex_unlock(&store->lock);
    return r == 0 && run.failed ? err_pass(err, &run.failure) : r;
}

void image_store_acquire_slot(struct image_store *store, enum image_slot slot)
{
    pthread_mutex_lock(&store->lock);
    while (store->slots[slot] == 0)
        pthread_cond_wait(&store->changed, &store->lock);
    store->slots[slot]--;
    pthread_mutex_unlock(&store->lock);
}

void image_store_release_slot(struct image_store *store, enum image_slot slot)
{
    pthread_mutex_lock(&store->lock);
    store->slots[slot]++;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
}

bool image_store_claim(struct image_store *store, const char *chain_id)
{
    bool taken;

    pthread_mutex_lock(&store->lock);
    taken = strv_contains(store->claims, chain_id);
    if (!taken)
        strv_push(&store->claims, chain_id);
    pthread_mutex_unlock(&store->lock);
    return !taken;
}

void image_store_unclaim(struct image_store *store, const char *chain_id)
{
    size_t n, i = 0;

    pthread_mutex_lock(&store->lock);
    n = strv_len(store->claims);
    while (i < n && !str_eq(store->claims[i], chain_id))
        i++;
    if (i < n) {
        free(store->claims[i]);
        store->claims[i] = store->claims[n - 1];
        store->claims[n - 1] = NULL;
    }
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
}

bool image_store_wait_unclaimed(struct image_store *store, const char *chain_id, int milliseconds)
{
    struct timespec until;
    int64_t deadline = clock_now() + milliseconds * (CLOCK_NS_PER_S / 1000);
    bool claimed;
    int r = 0;

    until = (struct timespec){.tv_sec = deadline / CLOCK_NS_PER_S, .tv_nsec = deadline % CLOCK_NS_PER_S};
    pthread_mutex_lock(&store->lock);
    while ((claimed = strv_contains(store->claims, chain_id)) && r == 0)
        r = pthread_cond_timedwait(&store->changed, &store->lock, &until);
    pthread_mutex_unlock(&store->lock);
    return !claimed;
}

static char *proof(const char *blob, const char *diff_id)
{
    return xasprintf("%s %s", blob, diff_id);
}

void image_store_prove(struct image_store *store, const char *blob, const char *diff_id)
{
    _cleanup_free_ char *key = proof(blob, diff_id);

    pthread_mutex_lock(&store->lock);
    json_object_set_new(store->proven, key, json_true());
    pthread_mutex_unlock(&store->lock);
}

bool image_store_is_proven(struct image_store *store, const char *blob, const char *diff_id)
{
    _cleanup_free_ char *key = proof(blob, diff_id);
    bool found;

    pthread_mutex_lock(&store->lock);
    found = json_object_get(store->proven, key) != NULL;
    pthread_mutex_unlock(&store->lock);
    return found;
}
