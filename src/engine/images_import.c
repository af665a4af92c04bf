/* docker import: an archive, sent along or found at a URL, becomes an image. */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/images_internal.h"
#include "engine/transfer.h"
#include "image/archive.h"
#include "image/reference.h"
#include "image/remote.h"

/* A download beside the import that reads it. */
struct download {
    struct image_remote remote;
    const char *url;
    int out;
    pthread_t thread;
    int result;
    struct err err;
};

static void *download_thread(void *arg)
{
    struct download *d = arg;

    d->result = image_remote_download(&d->remote, d->url, &d->out, &d->err);
    return NULL;
}

/* Returns the end to read from. */
static int download_start(struct download *d, const char *url, const struct image_remote *remote,
                          struct err *err)
{
    int ends[2], r;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    *d = (struct download){.remote = *remote, .url = url, .out = ends[1]};
    r = pthread_create(&d->thread, NULL, download_thread, d);
    if (r == 0)
        return ends[0];
    close_fd(&ends[0]);
    close_fd(&ends[1]);
    return err_errno(err, r, "start a thread");
}

/* Its failure counts for more than the reader's, which only saw the stream end early. */
static int download_end(struct download *d, int *fd, int reader_result, struct err *err)
{
    close_fd(fd);
    pthread_join(d->thread, NULL);
    if (d->result < 0 && (reader_result == 0 || d->err.kind != ERR_CANCELLED))
        return err_pass(err, &d->err);
    return reader_result;
}

/* From the descriptor, or from the URL when there is one. */
static int import_read(struct engine *e, struct image_lease *lease, int fd,
                       const struct image_import_options *o, struct transfer *t, struct image *image,
                       struct err *err)
{
    const struct image_listener listener = {.gone = transfer_gone, .arg = t};
    const struct image_remote remote = {.store = e->image_store, .listener = &listener};
    _cleanup_free_ char *status = o->source ? xasprintf("Downloading from %s", o->source) : NULL;
    struct download d;
    int input;

    if (!o->source)
        return image_import(e->image_store, lease, fd, o, image, err);
    transfer_say(t, "status", status);
    input = download_start(&d, o->source, &remote, err);
    if (input < 0)
        return -1;
    return download_end(&d, &input, image_import(e->image_store, lease, input, o, image, err), err);
}

static int import_run(struct engine *e, int fd, const struct image_import_options *o, struct transfer *t,
                      struct image *image, struct err *err)
{
    struct image_lease *lease = image_lease_new(e->image_store);
    int r = import_read(e, lease, fd, o, t, image, err);

    if (r == 0 && transfer_is_abandoned(t->sink))
        r = err_set(err, ERR_CANCELLED, "the client went away");
    if (r == 0)
        r = images_record(e, image, 1, err);
    image_lease_free(lease);
    if (r < 0)
        images_sweep(e, NULL, NULL, NULL); /* parts of what couldn't be imported */
    return r;
}

int engine_image_import(struct engine *e, int fd, const struct engine_import_options *o,
                        const struct engine_sink *sink, struct err *err)
{
    struct transfer t = {.sink = sink};
    _cleanup_reference_ struct reference ref = {0};
    _cleanup_image_ struct image image = {0};
    _cleanup_free_ char *familiar = NULL;
    struct image_import_options import = {
        .message = str_empty(o->message) ? NULL : o->message, .changes = o->changes, .source = o->source};
    struct platform platform;

    if (!str_empty(o->repo)) {
        if (reference_parse_parts(o->repo, str_empty(o->tag) ? NULL : o->tag, &ref, err) < 0)
            return -1;
        if (ref.digest)
            return err_set(err, ERR_INVALID, "cannot import digest reference");
        if (!ref.tag)
            ref.tag = xstrdup(REFERENCE_DEFAULT_TAG);
        import.reference = &ref;
        familiar = reference_familiar(&ref);
    }
    if (o->platform && platform_parse(o->platform, &platform, err) < 0)
        return -1;
    import.platform = o->platform ? &platform : NULL;
    if (import_run(e, fd, &import, &t, &image, err) < 0)
        return transfer_fail(e, &t, err);
    images_event(e, "import", image.id, familiar ? familiar : image.id);
    transfer_say(&t, "status", image.id);
    return 0;
}
