/* kegd's side of keg-archive. */
#include "image/unpacked.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "image/archive_protocol.h"
#include "image/store_internal.h"
#include "image/worker_process.h"

enum { FILES_MAX = 16384, LINKS_MAX = 8 };

struct reading {
    struct image_store *store;
    struct image_lease *lease;
    struct ahead *ahead;
    struct unpacked *to;
    int sock;
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

static json_t *receive(struct reading *r, struct err *err)
{
    char data[ARCHIVE_PACKET_MAX];
    ssize_t n = fd_receive_message(r->sock, data, sizeof(data), NULL, 0, NULL);
    json_t *json;

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

/* The bytes of one file: into the blob store, under the digest that the worker found. */
static int take_file(struct reading *r, struct unpacked_file *file, struct err *err)
{
    static const char yes[] = "{\"take\":true}";
    _cleanup_close_ int fd = blobs_scratch(r->store->blobs, err);
    _cleanup_json_ json_t *json = NULL;
    const json_t *done;
    const char *digest, *named = str_after(file->name, "blobs/sha256/");
    int sent;

    if (fd < 0)
        return -1;
    sent = fd_send_message(r->sock, yes, strlen(yes), &fd, 1);
    if (sent < 0)
        return err_errno(err, sent, "speak to keg-archive");
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
    image_lease_add(r->lease, digest);
    if (!blobs_has(r->store->blobs, digest)) /* while the disk is waited for */
        ahead_start(r->ahead, fd, digest, file->size);
    return blobs_adopt(r->store->blobs, fd, digest, file->size, /* sync= */ true, err);
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
    return target ? 0 : take_file(r, file, err);
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

int unpacked_read(struct image_store *store, struct image_lease *lease, int fd, struct ahead *ahead,
                  struct unpacked *ret, struct err *err)
{
    struct reading r = {.store = store, .lease = lease, .ahead = ahead, .to = ret, .sock = -EBADF};
    pid_t worker = worker_process_spawn(store->worker_dir, "keg-archive", fd, &r.sock, err);
    int result = -1;

    *ret = (struct unpacked){0};
    if (worker > 0)
        result = read_entries(&r, err);
    close_fd(&r.sock);
    worker_process_end(worker);
    if (result < 0)
        unpacked_finish(ret);
    return result;
}
