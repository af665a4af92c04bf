/* docker import: an archive, sent along or found at a URL, becomes an image. */
#include "base/json.h"
#include "base/str.h"
#include "engine/images_internal.h"
#include "engine/pipe_fill.h"
#include "engine/transfer.h"
#include "image/archive.h"
#include "image/reference.h"
#include "image/remote.h"

/* A download beside the import that reads it. */
struct download {
    struct image_remote remote;
    const char *url;
};

static int download(void *arg, int *out, struct err *err)
{
    struct download *d = arg;

    return image_remote_download(&d->remote, d->url, out, err);
}

/* From the descriptor, or from the URL when there is one. */
static int import_read(struct engine *e, struct image_lease *lease, int fd,
                       const struct image_import_options *o, struct transfer *t, struct image *image,
                       struct err *err)
{
    const struct image_listener listener = {.gone = transfer_gone, .arg = t};
    struct download d = {.remote = {.store = e->image_store, .listener = &listener}, .url = o->source};
    _cleanup_free_ char *status = o->source ? xasprintf("Downloading from %s", o->source) : NULL;
    struct pipe_fill p;

    if (!o->source)
        return image_import(e->image_store, lease, fd, o, image, err);
    transfer_say(t, "status", status);
    if (pipe_fill_start(&p, download, &d, err) < 0)
        return -1;
    return pipe_fill_end(&p, image_import(e->image_store, lease, p.in, o, image, err), err);
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
        if (reference_check_tag(&ref, err) < 0)
            return -1;
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
    if (familiar)
        images_event(e, "tag", image.id, familiar);
    images_event(e, "import", image.id, image.id);
    transfer_say(&t, "status", image.id);
    return 0;
}
