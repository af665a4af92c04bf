/* What a container has written, going out: export as one archive, commit as an image. Both read a tar that a
 * keg-layer packs; a thread waits for that while the caller reads. */
#include "engine/commit.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/images_internal.h"
#include "image/commit.h"
#include "image/reference.h"
#include "storage/storage.h"

enum { PIECE = 256 * 1024 };

typedef int (*pack_fn)(struct storage *s, const char *id, int out, struct storage_pack_result *ret,
                       struct err *err);

/* A tar in the making. */
struct packing {
    struct storage *storage;
    const char *id;
    pack_fn pack;
    int in, out; /* the pipe: ours to read, the packer's to write */
    pthread_t thread;
    int result;
    struct err err;
};

static void *pack_thread(void *arg)
{
    struct packing *p = arg;

    p->result = p->pack(p->storage, p->id, p->out, NULL, &p->err);
    close_fd(&p->out); /* the reader's end of file */
    return NULL;
}

static int packing_start(struct packing *p, struct engine *e, const char *id, pack_fn pack, struct err *err)
{
    int ends[2], r;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    *p = (struct packing){.storage = e->storage, .id = id, .pack = pack, .in = ends[0], .out = ends[1]};
    r = pthread_create(&p->thread, NULL, pack_thread, p);
    if (r != 0) {
        close_fd(&p->in);
        close_fd(&p->out);
        return err_errno(err, r, "start a thread");
    }
    return 0;
}

/* Its own failure counts for more than the reader's, which only saw the stream end early. */
static int packing_end(struct packing *p, int reader_result, struct err *err)
{
    close_fd(&p->in); /* a packer that still writes sees that nobody reads */
    pthread_join(p->thread, NULL);
    if (p->result < 0 && (reader_result == 0 || p->err.kind != ERR_CANCELLED))
        return err_pass(err, &p->err);
    return reader_result;
}

/* ---- export ---- */

static int pump(int fd, const struct engine_sink *sink, struct err *err)
{
    _cleanup_free_ char *piece = xmalloc(PIECE);
    ssize_t n;

    while ((n = read(fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && sink->write(sink->arg, piece, (size_t)n) < 0)
            return err_set(err, ERR_CANCELLED, "the client has gone");
    return n < 0 ? err_errno(err, errno, "read the archive") : 0;
}

int engine_container_export(struct engine *e, const char *ref, const struct engine_sink *sink,
                            struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    struct packing p;

    if (!c || packing_start(&p, e, c->id, storage_container_export, err) < 0)
        return -1;
    if (packing_end(&p, pump(p.in, sink, err), err) < 0)
        return -1;
    container_event(c, "export", NULL);
    return 0;
}

/* ---- commit ---- */

/* What the caller gives goes before what the container has. The caller frees. */
static json_t *merge_config(struct container *c, const json_t *given)
{
    _cleanup_snapshot_ struct container_snapshot s = {0};
    json_t *merged, *value;
    const char *key;

    container_snapshot(c, &s);
    merged = json_deep_copy(s.config);
    json_object_foreach ((json_t *)given, key, value)
        if (!json_is_null(value) && !(json_is_string(value) && !*json_string_value(value)))
            json_object_set(merged, key, value);
    return merged;
}

static char *command_text(const json_t *config)
{
    _cleanup_strv_ char **words = json_strv(config, "Cmd");

    return words ? strv_join(words, " ") : xstrdup("");
}

static int find_manifest(struct engine *e, const char *image_id, char ret[DIGEST_SIZE], struct err *err)
{
    const json_t *row;

    engine_images_lock(e);
    row = json_object_get(e->images->rows, image_id);
    snprintf(ret, DIGEST_SIZE, "%s", json_str_or(row, "Manifest", ""));
    engine_images_unlock(e);
    return *ret ? 0 : err_set(err, ERR_NOT_FOUND, "the container's image %s isn't here any more", image_id);
}

static int commit_run(struct engine *e, struct container *c, const struct image_commit_options *o,
                      struct image *image, struct err *err)
{
    struct image_lease *lease = image_lease_new(e->image_store);
    struct packing p;
    int r = packing_start(&p, e, c->id, storage_container_pack, err);

    if (r == 0)
        r = packing_end(&p, image_commit(e->image_store, lease, p.in, o, image, err), err);
    if (r == 0)
        r = images_record(e, image, 1, err);
    image_lease_free(lease); /* not before the record: it keeps sweeps away */
    if (r < 0)
        images_sweep(e, NULL, NULL, NULL); /* a layer that nothing refers to */
    return r;
}

/* A paused container gives one moment's state. */
static int commit_paused(struct engine *e, struct container *c, const struct image_commit_options *o,
                         bool pause, struct image *image, struct err *err)
{
    bool paused = pause && engine_container_pause(e, c->id, NULL) == 0;
    int r = commit_run(e, c, o, image, err);

    if (paused)
        (void)engine_container_unpause(e, c->id, NULL); /* it may have been killed meanwhile */
    return r;
}

static int commit_reference(const struct engine_commit_options *o, struct reference *ret, struct err *err)
{
    if (str_empty(o->repo))
        return 0;
    if (reference_parse_parts(o->repo, str_empty(o->tag) ? NULL : o->tag, ret, err) < 0)
        return -1;
    if (ret->digest)
        return err_set(err, ERR_INVALID, "cannot commit to digest reference");
    if (!ret->tag)
        ret->tag = xstrdup(REFERENCE_DEFAULT_TAG);
    return 0;
}

int engine_container_commit(struct engine *e, const char *ref, const struct engine_commit_options *o,
                            json_t **ret, struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    _cleanup_reference_ struct reference name = {0};
    _cleanup_json_ json_t *config = NULL;
    _cleanup_free_ char *created_by = NULL, *familiar = NULL;
    _cleanup_image_ struct image image = {0};
    struct image_commit_options options = {.changes = o->changes, .author = o->author, .comment = o->comment};
    char manifest[DIGEST_SIZE];

    if (!c || commit_reference(o, &name, err) < 0 || find_manifest(e, c->image_id, manifest, err) < 0)
        return -1;
    config = merge_config(c, o->config);
    options.config = config;
    options.manifest = manifest;
    options.created_by = created_by = command_text(config);
    options.reference = name.path ? &name : NULL;
    if (commit_paused(e, c, &options, o->pause, &image, err) < 0)
        return -1;
    familiar = name.path ? reference_familiar(&name) : xstrdup("");
    container_event(c, "commit", "comment", o->comment ? o->comment : "", "imageID", image.id, "imageRef",
                    familiar, NULL);
    if (name.path)
        images_event(e, "tag", image.id, familiar);
    *ret = json_pack("{s:s}", "Id", image.id);
    return 0;
}
