/* kegd's side of keg-archive. */
#include "image/unpacked.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "image/archive_protocol.h"
#include "image/store_internal.h"
#include "image/worker_process.h"

enum {
    FILES_MAX = 16384,
    LINKS_MAX = 8,
    FOLLOW_FROM = 1024 * 1024,
    KEEPING_MAX = 4,
    SMALL_MAX = 64,
    GONE_POLL_MS = 500
};

/* A large blob on its way to the disk, while the next ones are read. */
struct keeping {
    struct image_store *store;
    int fd; /* -EBADF: none is */
    char digest[DIGEST_SIZE];
    int64_t size;
    pthread_t thread;
    int result;
    struct err err;
};

/* A small one that waits for the others: the disk is asked once for all of them. */
struct small {
    int fd;
    char digest[DIGEST_SIZE];
    int64_t size;
};

struct reading {
    const struct unpacked_job *job;
    struct unpacked *to;
    int sock;
    struct keeping keeping[KEEPING_MAX];
    size_t next; /* of them, to be used */
    struct small small[SMALL_MAX];
    size_t n_small;
};

void unpacked_finish(struct unpacked *u)
{
    for (size_t i = 0; i < u->n; i++) {
        free(u->files[i].name);
        free(u->files[i].target);
    }
    free(u->files);
    *u = (struct unpacked){0};
}

const struct unpacked_file *unpacked_find(const struct unpacked *u, const char *name)
{
    for (int hops = 0; name && hops < LINKS_MAX; hops++) {
        const struct unpacked_file *found = NULL;

        for (size_t i = 0; i < u->n; i++)
            if (str_eq(u->files[i].name, name))
                found = &u->files[i]; /* the last one counts, as when unpacking */
        if (!found || !found->target)
            return found;
        name = found->target;
    }
    return NULL;
}

/* Files that an image may consist of. */
static bool wanted(const char *name)
{
    static const char *const ends[] = {".json", "/json",    ".tar",    ".tar.gz",
                                       ".tgz",  ".tar.zst", ".tar.xz", ".tar.bz2"};

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (str_ends(name, ends[i]))
            return true;
    return str_starts(name, "blobs/sha256/") || str_eq(name, "repositories");
}

/* Until there is a packet; -1: nobody wants it any more. Who hands over a file may go without its ending. */
static int await_packet(struct reading *r, struct err *err)
{
    struct pollfd p = {.fd = r->sock, .events = POLLIN};

    while (poll(&p, 1, GONE_POLL_MS) == 0)
        if (image_listener_gone(r->job->listener))
            return err_set(err, ERR_CANCELLED, "the client has gone");
    return 0;
}

static json_t *receive(struct reading *r, struct err *err)
{
    char data[ARCHIVE_PACKET_MAX];
    json_t *json;
    ssize_t n;

    if (await_packet(r, err) < 0)
        return NULL;
    n = fd_receive_message(r->sock, data, sizeof(data), NULL, 0, NULL);
    if (n <= 0) {
        err_set(err, ERR_SYSTEM, "keg-archive ended unexpectedly");
        return NULL;
    }
    json = json_parse(data, (size_t)n, "keg-archive's packet", err);
    if (json_take_err(json, err) < 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* Whether a file may be a layer that is worth beginning with before all of it is there: not if it is named by a digest, as
 * most are, and that is here. */
static bool may_follow(const struct reading *r, const char *name, int64_t size)
{
    const char *slash = strrchr(name, '/');
    _cleanup_free_ char *hex = xstrdup(slash ? slash + 1 : name);
    char digest[DIGEST_SIZE];

    hex[strcspn(hex, ".")] = '\0';
    if (size < FOLLOW_FROM || !digest_hex_valid(hex))
        return size >= FOLLOW_FROM;
    digest_from_hex(hex, digest);
    return !blobs_has(r->job->store->blobs, digest);
}

/* Tells the worker where the bytes go: the blob, and where to tell of news, should somebody follow. */
static int send_place(struct reading *r, int fd, int *news, struct err *err)
{
    static const char yes[] = "{\"take\":true}";
    const int fds[] = {fd, *news};
    int sent = fd_send_message(r->sock, yes, strlen(yes), fds, *news >= 0 ? 2 : 1);

    close_fd(news);
    return sent < 0 ? err_errno(err, sent, "speak to keg-archive") : 0;
}

/* What is known of a file when it is whole goes to who unpacks ahead. */
static void unpack_ahead(struct reading *r, const struct unpacked_file *file, int fd, bool followed)
{
    bool fresh = !blobs_has(r->job->store->blobs, file->digest);

    if (followed)
        ahead_followed(r->job->ahead, fresh ? file->digest : NULL, file->size);
    else if (fresh)
        ahead_start(r->job->ahead, fd, file->digest, file->size);
}

/* ---- Keeping ---- */

static void *keep_main(void *arg)
{
    struct keeping *k = arg;

    k->result = blobs_adopt(k->store->blobs, k->fd, k->digest, k->size, /* sync= */ true, &k->err);
    storage_sync_ahead(k->store->layers); /* and what was unpacked so far */
    return NULL;
}

/* Until the one before is kept. */
static int keep_wait(struct keeping *k, struct err *err)
{
    if (k->fd < 0)
        return 0;
    pthread_join(k->thread, NULL);
    close_fd(&k->fd);
    return k->result < 0 ? err_pass(err, &k->err) : 0;
}

/* A large blob gets its name when it is on the disk, before keep_wait() returns. Takes the descriptor. */
static int keep_large(struct keeping *k, int *fd, const struct unpacked_file *file, struct err *err)
{
    if (keep_wait(k, err) < 0)
        return -1;
    k->size = file->size;
    memcpy(k->digest, file->digest, DIGEST_SIZE);
    k->fd = take_fd(fd);
    if (pthread_create(&k->thread, NULL, keep_main, k) == 0)
        return 0;
    *fd = take_fd(&k->fd);
    return blobs_adopt(k->store->blobs, *fd, file->digest, file->size, /* sync= */ true, err);
}

/* The small ones get their names, when all are on the disk; or they are dropped. */
static int keep_small(struct reading *r, bool wanted, struct err *err)
{
    struct blobs *blobs = r->job->store->blobs;
    int result = 0;

    for (size_t i = 0; wanted && i < r->n_small && result == 0; i++)
        if (fsync(r->small[i].fd) < 0)
            result = err_errno(err, errno, "write blob %s to disk", r->small[i].digest);
    for (size_t i = 0; i < r->n_small; i++) {
        struct small *s = &r->small[i];

        if (wanted && result == 0)
            result = blobs_adopt(blobs, s->fd, s->digest, s->size, /* sync= */ false, err);
        close_fd(&s->fd);
    }
    if (wanted && result == 0 && r->n_small > 0)
        result = blobs_sync(blobs, err);
    r->n_small = 0;
    return result;
}

static int keep(struct reading *r, int *fd, const struct unpacked_file *file, struct err *err)
{
    struct small *s;

    if (file->size >= FOLLOW_FROM)
        return keep_large(&r->keeping[r->next++ % KEEPING_MAX], fd, file, err);
    if (r->n_small == SMALL_MAX && keep_small(r, /* wanted= */ true, err) < 0)
        return -1;
    s = &r->small[r->n_small++];
    *s = (struct small){.fd = take_fd(fd), .size = file->size};
    memcpy(s->digest, file->digest, DIGEST_SIZE);
    return 0;
}

/* The bytes of one file: into the blob store, under the digest that the worker found. */
static int take_file(struct reading *r, struct unpacked_file *file, int64_t size, struct err *err)
{
    _cleanup_close_ int fd = blobs_scratch(r->job->store->blobs, err), news = -EBADF;
    _cleanup_json_ json_t *json = NULL;
    const json_t *done;
    const char *digest, *named = str_after(file->name, "blobs/sha256/");
    bool followed;

    if (fd < 0)
        return -1;
    followed = may_follow(r, file->name, size) && ahead_follow(r->job->ahead, fd, &news);
    if (send_place(r, fd, &news, err) < 0)
        return -1;
    json = receive(r, err);
    if (!json)
        return -1;
    done = json_object_get(json, "done");
    digest = json_str(done, "digest");
    if (!digest_valid(digest))
        return err_set(err, ERR_SYSTEM, "keg-archive sent nonsense");
    if (named && !str_eq(named, digest_hex(digest)))
        return err_set(err, ERR_INVALID, "invalid archive: the bytes of %s hash to %s", file->name, digest);
    snprintf(file->digest, sizeof(file->digest), "%s", digest);
    file->size = json_int_or(done, "size", -1);
    image_lease_add(r->job->lease, digest);
    unpack_ahead(r, file, fd, followed);
    return keep(r, &fd, file, err);
}

static int refuse_file(struct reading *r, struct err *err)
{
    static const char no[] = "{\"take\":false}";
    int sent = fd_send_message(r->sock, no, strlen(no), NULL, 0);

    return sent < 0 ? err_errno(err, sent, "speak to keg-archive") : 0;
}

static int take_entry(struct reading *r, const json_t *entry, struct err *err)
{
    const char *name = json_str_or(entry, "name", ""), *target = json_str(entry, "target");
    struct unpacked *u = r->to;
    struct unpacked_file *file;

    if (!target && !wanted(name))
        return refuse_file(r, err);
    if (u->n == FILES_MAX)
        return err_set(err, ERR_INVALID, "invalid archive: more than %d files", FILES_MAX);
    if (u->n % 64 == 0)
        u->files = xreallocarray(u->files, u->n + 64, sizeof(*u->files));
    file = &u->files[u->n++];
    *file = (struct unpacked_file){.name = xstrdup(name), .target = xstrdup(target)};
    return target ? 0 : take_file(r, file, json_int_or(entry, "size", 0), err);
}

static int read_entries(struct reading *r, struct err *err)
{
    for (;;) {
        _cleanup_json_ json_t *json = receive(r, err);
        const json_t *entry = json_object_get(json, "entry");

        if (!json)
            return -1;
        if (!entry)
            return 0;
        if (take_entry(r, entry, err) < 0)
            return -1;
    }
}

int unpacked_read(const struct unpacked_job *job, int fd, struct unpacked *ret, struct err *err)
{
    struct reading r = {.job = job, .to = ret, .sock = -EBADF};
    pid_t worker = worker_process_spawn(job->store->worker_dir, "keg-archive", fd, &r.sock, err);
    int result = -1;

    *ret = (struct unpacked){0};
    for (size_t i = 0; i < KEEPING_MAX; i++)
        r.keeping[i] = (struct keeping){.store = job->store, .fd = -EBADF};
    if (worker > 0)
        result = read_entries(&r, err);
    if (keep_small(&r, /* wanted= */ result == 0, err) < 0)
        result = -1;
    for (size_t i = 0; i < KEEPING_MAX; i++)
        if (keep_wait(&r.keeping[i], result < 0 ? NULL : err) < 0)
            result = -1;
    close_fd(&r.sock);
    worker_process_end(worker);
    if (result < 0)
        unpacked_finish(ret);
    return result;
}
