/* Input pipeline: hash, store, inflate, hash again, hand out. A plain tar is read straight into what is handed out. The threads
 * end with the process. */
#include "storage/worker/source.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "storage/worker/inflate.h"

enum {
    BLOCK_SIZE = 256 * 1024,
    N_BLOCKS = 16,
};
/* Who takes blocks. */
enum consumer { HASH, CALLER, N_CONSUMERS };

struct block {
    uint8_t *data;
    size_t len;
};

struct source {
    struct source_spec spec;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* a block was filled or given back, or the state changed */
    struct block blocks[N_BLOCKS];
    uint64_t filled;             /* blocks ever filled; block i is blocks[i % N_BLOCKS] */
    uint64_t taken[N_CONSUMERS]; /* blocks ever given back, by consumer */
    bool started, ended, hashed;
    bool store_tar; /* in place of the bytes that come */
    bool hash_tar;
    struct err err; /* kind ERR_NONE: none */

    size_t caller_at; /* position in the caller's block */

    uint8_t in[BLOCK_SIZE];
    struct sha256 *in_hash; /* NULL for a plain tar */
    struct inflate *inflate;
    struct source_result result;
};

/* ---- The ring ---- */

static void fail(struct source *s, const struct err *err)
{
    pthread_mutex_lock(&s->lock);
    if (s->err.kind == ERR_NONE)
        s->err = *err;
    s->ended = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

/* A free block for the producer. */
static struct block *ring_claim(struct source *s)
{
    struct block *b = &s->blocks[s->filled % N_BLOCKS];

    pthread_mutex_lock(&s->lock);
    while (s->filled - MIN_OF(s->taken[0], s->taken[1]) == N_BLOCKS)
        pthread_cond_wait(&s->moved, &s->lock);
    pthread_mutex_unlock(&s->lock);
    b->len = 0;
    return b;
}

static void ring_publish(struct source *s)
{
    pthread_mutex_lock(&s->lock);
    s->filled++;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

/* The consumer's next block, NULL at the end or after a failure (the caller then looks at s->err). */
static struct block *ring_wait(struct source *s, enum consumer consumer)
{
    uint64_t *taken = &s->taken[consumer];
    struct block *b = NULL;

    pthread_mutex_lock(&s->lock);
    while (*taken == s->filled && !s->ended)
        pthread_cond_wait(&s->moved, &s->lock);
    if (*taken < s->filled && s->err.kind == ERR_NONE)
        b = &s->blocks[*taken % N_BLOCKS];
    pthread_mutex_unlock(&s->lock);
    return b;
}

static void ring_release(struct source *s, enum consumer consumer)
{
    pthread_mutex_lock(&s->lock);
    s->taken[consumer]++;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

static void await_start(struct source *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->started)
        pthread_cond_wait(&s->moved, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* ---- First thread: input to blocks ---- */

static int check_limits(struct source *s, struct err *err)
{
    int64_t in = s->result.blob_size, out = s->result.tar_size;

    if (out > s->spec.max_bytes)
        return err_set(err, ERR_INVALID, "the archive unpacks to more than the limit of %lld bytes",
                       (long long)s->spec.max_bytes);
    if (out > SOURCE_RATIO_FROM && out / s->spec.max_ratio > in)
        return err_set(err, ERR_INVALID, "the archive unpacks to more than %lld times its size",
                       (long long)s->spec.max_ratio);
    return 0;
}

static int store(struct source *s, const uint8_t *data, size_t len, struct err *err)
{
    int r = s->spec.blob_out >= 0 ? fd_write_full(s->spec.blob_out, data, len) : 0;

    return r < 0 ? err_errno(err, r, "cannot store the blob") : 0;
}

static int inflate_chunk(struct source *s, struct block **current, const uint8_t *data, size_t len,
                         struct err *err)
{
    struct inflate_step step = {.in = data, .in_len = len};

    do {
        struct block *b = *current;
        size_t before = b->len;

        step.out = b->data + b->len;
        step.out_len = BLOCK_SIZE - b->len;
        if (inflate_run(s->inflate, &step, err) < 0)
            return -1;
        b->len = BLOCK_SIZE - step.out_len;
        if (s->store_tar && store(s, b->data + before, b->len - before, err) < 0)
            return -1;
        s->result.tar_size += (int64_t)(b->len - before);
        if (check_limits(s, err) < 0)
            return -1;
        if (b->len == BLOCK_SIZE) {
            ring_publish(s);
            *current = ring_claim(s);
            step.out_len = 0; /* maybe more output is waiting inside */
        }
    } while (step.in_len > 0 || step.out_len == 0);
    atomic_store_explicit(&s->spec.shared->unpacked, s->result.tar_size, memory_order_relaxed);
    return 0;
}

/* What the first bytes tell, and what is to be hashed. */
static int begin(struct source *s, size_t len, struct err *err)
{
    bool is_hashed = s->spec.growing > 0 || s->spec.no_digests;

    s->inflate = inflate_new(s->in, len, err);
    if (!s->inflate)
        return -1;
    s->store_tar = s->spec.usable && inflate_is_foreign(s->in, len);
    s->result.compressed = !inflate_is_plain(s->inflate) && !s->store_tar;
    if (s->result.compressed && !is_hashed)
        s->in_hash = sha256_new();
    s->hash_tar = !s->spec.no_digests && (s->result.compressed || !is_hashed);
    return 0;
}

static void count_input(struct source *s, size_t len)
{
    s->result.blob_size += (int64_t)len;
    atomic_store_explicit(&s->spec.shared->consumed, s->result.blob_size, memory_order_relaxed);
}

static int take_chunk(struct source *s, struct block **current, size_t len, struct err *err)
{
    if (!s->inflate && begin(s, len, err) < 0)
        return -1;
    count_input(s, len);
    if (s->in_hash)
        sha256_update(s->in_hash, s->in, len);
    if (!s->store_tar && store(s, s->in, len, err) < 0)
        return -1;
    return inflate_chunk(s, current, s->in, len, err);
}

/* Waits for more of a file that is being written. False: it is whole. */
static bool await_growth(struct source *s)
{
    char news[64];
    ssize_t n;

    if (s->spec.growing <= 0)
        return false;
    do
        n = read(s->spec.growing, news, sizeof(news));
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        s->spec.growing = 0; /* what came before the end is read yet */
    return true;
}

/* Reads what is there, but `want` at least, unless it ends before. */
static ssize_t read_chunk(struct source *s, uint8_t *to, size_t size, size_t want, struct err *err)
{
    size_t have = 0;

    while (have < want) {
        ssize_t n = read(s->spec.input, to + have, size - have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot read the archive");
        if (n == 0 && !await_growth(s))
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

/* The rest of a plain tar. The number of bytes of the last piece, which is 0, or -1. */
static ssize_t pass_plain(struct source *s, struct block **current, struct err *err)
{
    ssize_t n;

    while ((n = read_chunk(s, (*current)->data + (*current)->len, BLOCK_SIZE - (*current)->len, 1, err)) >
           0) {
        struct block *b = *current;

        count_input(s, (size_t)n);
        s->result.tar_size += n;
        atomic_store_explicit(&s->spec.shared->unpacked, s->result.tar_size, memory_order_relaxed);
        if (store(s, b->data + b->len, (size_t)n, err) < 0 || check_limits(s, err) < 0)
            return -1;
        b->len += (size_t)n;
        if (b->len == BLOCK_SIZE) {
            ring_publish(s);
            *current = ring_claim(s);
        }
    }
    return n;
}

static int produce(struct source *s, struct err *err)
{
    struct block *current = ring_claim(s);
    ssize_t n;

    while ((n = read_chunk(s, s->in, sizeof(s->in), s->inflate ? 1 : INFLATE_MAGIC_SIZE, err)) > 0) {
        if (take_chunk(s, &current, (size_t)n, err) < 0)
            return -1;
        if (inflate_is_plain(s->inflate)) {
            n = pass_plain(s, &current, err);
            break;
        }
    }
    if (n < 0 || (s->inflate && inflate_end(s->inflate, err) < 0))
        return -1;
    if (current->len > 0)
        ring_publish(s);
    if (s->in_hash)
        sha256_hex(s->in_hash, s->result.blob_hex);
    return 0;
}

static void *producer_main(void *arg)
{
    struct source *s = arg;
    struct err err = {};

    await_start(s);
    if (produce(s, &err) < 0) {
        fail(s, &err);
        return NULL;
    }
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- Second thread: hash of the tar ---- */

static void *hasher_main(void *arg)
{
    struct source *s = arg;
    struct sha256 *h = sha256_new();
    struct block *b;

    await_start(s);
    while ((b = ring_wait(s, HASH))) {
        if (s->hash_tar)
            sha256_update(h, b->data, b->len);
        ring_release(s, HASH);
    }
    if (s->hash_tar || (!s->inflate && s->spec.growing <= 0)) /* an empty stream has a digest, too */
        sha256_hex(h, s->result.diff_hex);
    sha256_free(h);
    pthread_mutex_lock(&s->lock);
    s->hashed = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- The caller's side ---- */

static ssize_t source_span(void *arg, const uint8_t **data, struct err *err)
{
    struct source *s = arg;
    struct block *b = ring_wait(s, CALLER);

    if (!b) {
        if (s->err.kind == ERR_NONE)
            return 0;
        return err_pass(err, &s->err);
    }
    *data = b->data + s->caller_at;
    return (ssize_t)(b->len - s->caller_at);
}

static void source_consume(void *arg, size_t n)
{
    struct source *s = arg;

    s->caller_at += n;
    if (s->caller_at < s->blocks[s->taken[CALLER] % N_BLOCKS].len)
        return;
    s->caller_at = 0;
    ring_release(s, CALLER);
}

struct tar_input source_input(struct source *s)
{
    return (struct tar_input){.span = source_span, .consume = source_consume, .arg = s};
}

struct source *source_new(const struct source_spec *spec, struct err *err)
{
    struct source *s = xcalloc(1, sizeof(*s));
    void *(*const mains[])(void *) = {producer_main, hasher_main};

    s->spec = *spec;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->moved, NULL);
    for (size_t i = 0; i < N_BLOCKS; i++)
        s->blocks[i].data = xmalloc(BLOCK_SIZE);
    for (size_t i = 0; i < ARRAY_SIZE(mains); i++) {
        pthread_t thread;
        int r = pthread_create(&thread, NULL, mains[i], s);

        if (r != 0) { /* the process ends with this: nothing to take back */
            err_errno(err, r, "cannot make a thread");
            return NULL;
        }
        pthread_detach(thread);
    }
    return s;
}

void source_start(struct source *s)
{
    pthread_mutex_lock(&s->lock);
    s->started = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

void source_finish(struct source *s, struct source_result *ret)
{
    pthread_mutex_lock(&s->lock);
    while (!s->hashed)
        pthread_cond_wait(&s->moved, &s->lock);
    pthread_mutex_unlock(&s->lock);
    *ret = s->result;
    if (s->store_tar)
        ret->blob_size = ret->tar_size;
    if (!ret->compressed) /* also the empty stream */
        memcpy(ret->blob_hex, ret->diff_hex, sizeof(ret->blob_hex));
}
