/* Pushing. A few threads take one layer after the other; the first failure ends all. */
#include "image/push.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "image/referrers.h"
#include "image/registry.h"
#include "image/store_internal.h"

enum { SHORT_ID = 12, THREADS_MAX = 16 };

struct push {
    struct image_store *store;
    const struct image_push_options *options;
    struct registry *registry;
    struct manifest manifest;
    struct image_config config;
    struct buf text;      /* of the manifest */
    pthread_mutex_t lock; /* next, failed, err */
    pthread_mutex_t reporting;
    size_t next; /* layers from the top down that nobody has taken yet */
    bool failed;
    struct err err;
};

static void push_finish(struct push *p)
{
    registry_close(p->registry);
    manifest_finish(&p->manifest);
    image_config_finish(&p->config);
    buf_finish(&p->text);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->reporting);
}

static void push_fail(struct push *p, const struct err *err)
{
    pthread_mutex_lock(&p->lock);
    if (!p->failed)
        p->err = *err;
    p->failed = true;
    pthread_mutex_unlock(&p->lock);
}

static bool push_failed(struct push *p)
{
    bool failed;

    pthread_mutex_lock(&p->lock);
    failed = p->failed;
    pthread_mutex_unlock(&p->lock);
    return failed;
}

/* id NULL: of the whole. */
static int push_report(struct push *p, const char *id, const char *status, int64_t current, int64_t total)
{
    struct err err = {0};
    int r;

    pthread_mutex_lock(&p->reporting);
    r = image_report(p->options->listener, id, status, current, total, &err);
    pthread_mutex_unlock(&p->reporting);
    if (r < 0)
        push_fail(p, &err);
    return r;
}

/* One blob on its way up. */
struct sending {
    struct push *push;
    const char *id; /* NULL: nothing is said of it */
    int64_t reported, size;
};

static int on_upload(void *arg, int64_t bytes)
{
    struct sending *s = arg;

    if (push_failed(s->push) || image_listener_gone(s->push->options->listener))
        return -1;
    if (!s->id || bytes == s->reported)
        return 0;
    s->reported = bytes;
    return push_report(s->push, s->id, "Pushing", bytes, s->size);
}

/* How it came there, in docker push's words. */
static int report_sent(struct push *p, const char *id, const struct registry_pushed *pushed)
{
    _cleanup_free_ char *mounted = pushed->from ? xasprintf("Mounted from %s", pushed->from) : NULL;

    return push_report(p, id, mounted ? mounted : pushed->existed ? "Layer already exists" : "Pushed", 0, 0);
}

static int send_blob(struct push *p, const char *digest, const char *id, struct err *err)
{
    struct sending s = {.push = p, .id = id};
    const struct registry_watch watch = {on_upload, &s};
    struct registry_pushed pushed = {0};
    int fd = blobs_get(p->store->blobs, digest, &s.size, err), r;

    if (fd < 0)
        return -1;
    r = registry_push_blob(p->registry, digest, &fd, p->options->sources, &watch, &pushed, err);
    if (r == 0 && id)
        r = report_sent(p, id, &pushed);
    free(pushed.from);
    return r;
}

/* docker names layers by their diff ids here. */
static void layer_id(const struct push *p, size_t i, char id[SHORT_ID + 1])
{
    snprintf(id, SHORT_ID + 1, "%s",
             digest_hex(p->manifest.artifact ? p->manifest.layers[i].digest : p->config.diff_ids[i]));
}

/* The next layer from the top that isn't the same as one further up. False: none is left. */
static bool take_layer(struct push *p, size_t *ret)
{
    bool found = false;

    pthread_mutex_lock(&p->lock);
    while (!found && !p->failed && p->next > 0) {
        *ret = --p->next;
        found = true;
        for (size_t i = *ret + 1; i < p->manifest.n_layers; i++)
            if (str_eq(p->manifest.layers[i].digest, p->manifest.layers[*ret].digest))
                found = false;
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

static void *send_layers(void *arg)
{
    struct push *p = arg;
    size_t i;

    while (take_layer(p, &i)) {
        struct err err = {0};
        char id[SHORT_ID + 1];

        layer_id(p, i, id);
        if (send_blob(p, p->manifest.layers[i].digest, id, &err) < 0)
            push_fail(p, &err);
    }
    return NULL;
}

static int send_all_layers(struct push *p, struct err *err)
{
    size_t wanted = MIN_OF((size_t)p->store->max_uploads, p->manifest.n_layers), started = 0;
    pthread_t threads[THREADS_MAX];

    p->next = p->manifest.n_layers;
    for (size_t i = p->manifest.n_layers; i-- > 0;) {
        char id[SHORT_ID + 1];

        layer_id(p, i, id);
        push_report(p, id, p->manifest.n_layers - i > wanted ? "Waiting" : "Preparing", 0, 0);
    }
    for (; started + 1 < wanted && started < THREADS_MAX; started++)
        if (pthread_create(&threads[started], NULL, send_layers, p) != 0)
            break;
    send_layers(p); /* the caller's thread is one of them */
    while (started > 0)
        pthread_join(threads[--started], NULL);
    if (!p->failed)
        return 0;
    return err_pass(err, &p->err);
}

static int send_manifest(struct push *p, struct image_pushed *ret, struct err *err)
{
    const struct image_push_options *o = p->options;
    struct sending s = {.push = p};
    const struct registry_watch watch = {on_upload, &s};
    int fd = blobs_get(p->store->blobs, o->manifest, &ret->size, err);
    char subject[DIGEST_SIZE];
    bool noticed;

    if (fd < 0)
        return -1;
    snprintf(ret->digest, sizeof(ret->digest), "%s", o->manifest);
    if (registry_push_manifest(p->registry, o->reference->tag, o->manifest, p->manifest.media_type, &fd,
                               &watch, &noticed, err) < 0)
        return -1;
    referrers_subject(&p->text, subject);
    return *subject && !noticed ? referrers_note(p->registry, subject, &p->text, o->manifest, &watch, err)
                                : 0;
}

static int push_run(struct push *p, struct image_pushed *ret, struct err *err)
{
    const struct reference *ref = p->options->reference;
    _cleanup_free_ char *name = reference_name(ref);
    _cleanup_free_ char *begin = xasprintf("The push refers to repository [%s]", name), *end = NULL;

    if (push_report(p, NULL, begin, 0, 0) < 0 || send_all_layers(p, err) < 0 ||
        send_blob(p, p->manifest.config.digest, NULL, err) < 0 || send_manifest(p, ret, err) < 0)
        return -1;
    end = xasprintf("%s: digest: %s size: %lld", ref->tag, ret->digest, (long long)ret->size);
    return push_report(p, NULL, end, 0, 0);
}

int image_push(struct image_store *store, const struct image_push_options *options, struct image_pushed *ret,
               struct err *err)
{
    const struct reference *ref = options->reference;
    struct push p = {.store = store,
                     .options = options,
                     .text = BUF_INIT(MANIFEST_SIZE_MAX),
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .reporting = PTHREAD_MUTEX_INITIALIZER};
    _cleanup_free_ char *name = reference_familiar_name(ref);
    struct err own = {0};
    int r = -1;

    if (blobs_read(store->blobs, options->manifest, &p.text, &own) == 0 &&
        manifest_parse(buf_str(&p.text), p.text.len, NULL, &p.manifest, &own) == 0 &&
        image_read_config(store, manifest_image_id(&p.manifest, options->manifest), &p.config, &own) == 0 &&
        image_config_check(&p.config, &p.manifest, &own) == 0) {
        p.registry = registry_open(store,
                                   &(struct registry_options){.domain = ref->domain,
                                                              .path = ref->path,
                                                              .name = name,
                                                              .auth = options->auth,
                                                              .push = true,
                                                              .sources = options->sources},
                                   &own);
        if (p.registry)
            r = push_run(&p, ret, &own);
    }
    if (r < 0 && own.kind == ERR_NONE) /* a report that failed has told */
        own = p.err;
    if (r < 0 && err)
        *err = own;
    push_finish(&p);
    return r;
}
