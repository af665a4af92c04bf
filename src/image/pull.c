/* Pulling: from a reference to the manifest of the right platform, its configuration, its layers, the image.
 */
#include "image/pull.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "image/layers.h"
#include "image/registry.h"
#include "image/store_internal.h"

struct pull {
    struct image_store *store;
    struct image_lease *lease;
    const struct image_pull_options *options;
    struct platform platform;
    char *display; /* busybox:latest */
    struct registry *registry;
    struct registry_manifest documents[MANIFEST_DEPTH_MAX]; /* indexes from the top, then the manifest */
    size_t n_documents;
    struct manifest manifest;
    struct buf config_text;
    struct image_config config;
};

static void pull_finish(struct pull *p)
{
    registry_close(p->registry);
    for (size_t i = 0; i < p->n_documents; i++)
        registry_manifest_finish(&p->documents[i]);
    manifest_finish(&p->manifest);
    image_config_finish(&p->config);
    buf_finish(&p->config_text);
    free(p->display);
}

static int on_wait(void *arg, int64_t bytes _unused_)
{
    const struct pull *p = arg;

    return image_listener_gone(p->options->listener) ? -1 : 0;
}

static int fetch_document(struct pull *p, const char *reference, const struct descriptor *expected,
                          struct err *err)
{
    struct registry_manifest *document = &p->documents[p->n_documents++];
    struct registry_watch watch = {on_wait, p};

    if (registry_get_manifest(p->registry, reference, p->display, &watch, document, err) < 0)
        return -1;
    if (expected && expected->size != (int64_t)document->body.len)
        return err_set(err, ERR_INVALID, "manifest %s has %zu bytes instead of %lld", reference,
                       document->body.len, (long long)expected->size);
    return manifest_parse(buf_str(&document->body), document->body.len,
                          expected ? expected->media_type : document->media_type, &p->manifest, err);
}

/* Follows indexes down to an image's manifest. Their number is bounded, so a chain of them that names itself
 * ends. */
static int resolve(struct pull *p, struct err *err)
{
    const struct reference *ref = p->options->reference;

    if (fetch_document(p, ref->digest ? ref->digest : ref->tag, NULL, err) < 0)
        return -1;
    while (p->manifest.kind == MANIFEST_INDEX) {
        _cleanup_manifest_ struct manifest index = p->manifest;
        size_t chosen;

        p->manifest = (struct manifest){0};
        if (p->n_documents == MANIFEST_DEPTH_MAX)
            return err_set(err, ERR_INVALID, "%s: more than %d manifest lists inside each other", p->display,
                           MANIFEST_DEPTH_MAX);
        if (manifest_choose(&index, &p->platform, &chosen, err) < 0 ||
            fetch_document(p, index.children[chosen].descriptor.digest, &index.children[chosen].descriptor,
                           err) < 0)
            return -1;
    }
    return 0;
}

static int fetch_config(struct pull *p, struct err *err)
{
    const struct descriptor *config = &p->manifest.config;
    struct registry_watch watch = {on_wait, p};
    _cleanup_close_ int memory = -EBADF;
    char digest[DIGEST_SIZE];
    int out, r;

    if (blobs_has(p->store->blobs, config->digest))
        return blobs_read(p->store->blobs, config->digest, &p->config_text, err);
    memory = memfd_create("image configuration", MFD_CLOEXEC);
    out = memory < 0 ? -EBADF : dup(memory);
    if (out < 0)
        return err_errno(err, errno, "make room for the image configuration");
    if (registry_get_blob(p->registry, config->digest, config->size, &out, &watch, err) < 0)
        return -1;
    lseek(memory, 0, SEEK_SET);
    r = fd_read_all(memory, &p->config_text);
    if (r < 0)
        return err_errno(err, r, "read the image configuration");
    digest_of(buf_str(&p->config_text), p->config_text.len, digest);
    if (!str_eq(digest, config->digest))
        return err_set(err, ERR_INVALID, "image config verification failed for digest %s", config->digest);
    return 0;
}

static int check_system(const struct pull *p, struct err *err)
{
    if (!str_eq(p->config.platform.os, "linux"))
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "image operating system \"%s\" cannot be used on this platform",
                       p->config.platform.os);
    return 0;
}

/* Of an index what fits is chosen; who asks for a platform and names an image of another alone gets that, and is told. */
static int report_platform(const struct pull *p, struct err *err)
{
    char wanted[PLATFORM_TEXT_SIZE], found[PLATFORM_TEXT_SIZE];
    _cleanup_free_ char *warning = NULL;

    if (!p->options->platform || p->manifest.artifact ||
        platform_match(&p->platform, &p->config.platform) > 0)
        return 0;
    platform_format(&p->platform, wanted);
    platform_format(&p->config.platform, found);
    warning = xasprintf("WARNING: image with reference %s was found but its platform (%s) does not match the "
                        "specified platform (%s)",
                        p->display, found, wanted);
    return image_report(p->options->listener, NULL, warning, 0, 0, err);
}

/* Before anything is looked for: from here on a sweep leaves alone what this image needs. */
static void lease_everything(struct pull *p)
{
    for (size_t i = 0; i < p->n_documents; i++)
        image_lease_add(p->lease, p->documents[i].digest);
    image_lease_add(p->lease, p->manifest.config.digest);
    for (size_t i = 0; i < p->manifest.n_layers; i++)
        image_lease_add(p->lease, p->manifest.layers[i].digest);
}

static void lease_layers(struct pull *p)
{
    for (size_t i = 0; i < p->config.n_layers; i++)
        image_lease_add(p->lease, p->config.chain_ids[i]);
}

/* The whole image is here already: docker has nothing to say about its layers then. */
static bool is_complete(const struct pull *p)
{
    if (p->manifest.artifact || !blobs_has(p->store->blobs, p->manifest.config.digest))
        return false;
    for (size_t i = 0; i < p->manifest.n_layers; i++)
        if (!storage_layer_exists(p->store->layers, p->config.chain_ids[i]) ||
            !blobs_has(p->store->blobs, p->manifest.layers[i].digest))
            return false;
    return true;
}

static int store_documents(struct pull *p, struct err *err)
{
    if (!p->manifest.artifact &&
        blobs_put(p->store->blobs, buf_str(&p->config_text), p->config_text.len, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < p->n_documents; i++)
        if (blobs_put(p->store->blobs, buf_str(&p->documents[i].body), p->documents[i].body.len, NULL, err) <
            0)
            return -1;
    return 0;
}

static int describe(struct pull *p, struct image *ret, struct err *err)
{
    const struct reference *ref = p->options->reference;
    const char *top = p->documents[0].digest, *own = p->documents[p->n_documents - 1].digest;
    _cleanup_free_ char *name = reference_name(ref);

    if (image_describe(p->store, own, &p->manifest, &p->config, ret, err) < 0)
        return -1;
    for (size_t i = 0; i + 1 < p->n_documents; i++)
        strv_push(&ret->blobs, p->documents[i].digest);
    if (p->n_documents > 1)
        snprintf(ret->index, sizeof(ret->index), "%s", top);
    if (!ref->digest)
        strv_push_take(&ret->tags, xasprintf("%s:%s", name, ref->tag));
    strv_push_take(&ret->repo_digests, xasprintf("%s@%s", name, top));
    ret->was_there = str_eq(p->options->current_id, ret->id);
    return 0;
}

static int report_begin(const struct pull *p, struct err *err)
{
    const struct reference *ref = p->options->reference;
    _cleanup_free_ char *status = xasprintf("Pulling from %s", ref->path);

    return image_tell(p->options->listener, ref->digest ? p->display : ref->tag, status, err);
}

static int report_end(const struct pull *p, const struct image *image, struct err *err)
{
    _cleanup_free_ char *digest = xasprintf("Digest: %s", p->documents[0].digest);
    _cleanup_free_ char *status = xasprintf(
        "Status: %s for %s", image->was_there ? "Image is up to date" : "Downloaded newer image", p->display);

    if (image_report(p->options->listener, NULL, digest, 0, 0, err) < 0)
        return -1;
    if (image_report(p->options->listener, NULL, status, 0, 0, err) < 0)
        return -1;
    return report_platform(p, err);
}

/* An artifact has none that means anything here. */
static int read_config(struct pull *p, struct err *err)
{
    if (p->manifest.artifact) {
        p->config.json = json_object();
        return 0;
    }
    if (fetch_config(p, err) < 0 ||
        image_config_parse(buf_str(&p->config_text), p->config_text.len, &p->config, err) < 0 ||
        image_config_check(&p->config, &p->manifest, err) < 0)
        return -1;
    return check_system(p, err);
}

static int pull_run(struct pull *p, struct image *ret, struct err *err)
{
    struct layers_job job = {
        .store = p->store, .manifest = &p->manifest, .config = &p->config, .listener = p->options->listener};

    if (resolve(p, err) < 0)
        return -1;
    lease_everything(p);
    if (report_begin(p, err) < 0 || read_config(p, err) < 0)
        return -1;
    lease_layers(p);
    job.registry = p->registry;
    if ((!is_complete(p) && layers_make(&job, err) < 0) || store_documents(p, err) < 0 ||
        describe(p, ret, err) < 0)
        return -1;
    return report_end(p, ret, err);
}

int image_pull(struct image_store *store, struct image_lease *lease, const struct image_pull_options *options,
               struct image *ret, struct err *err)
{
    const struct reference *ref = options->reference;
    struct pull p = {
        .store = store, .lease = lease, .options = options, .config_text = BUF_INIT(IMAGE_CONFIG_SIZE_MAX)};
    _cleanup_free_ char *name = reference_familiar_name(ref);
    int r = -1;

    if (!ref->tag && !ref->digest)
        return err_set(err, ERR_INVALID, "cannot pull %s: it has neither tag nor digest", name);
    if (options->platform)
        p.platform = *options->platform;
    else
        platform_host(&p.platform);
    p.display = reference_familiar(ref);
    p.registry = registry_open(store,
                               &(struct registry_options){.domain = ref->domain,
                                                          .path = ref->path,
                                                          .name = name,
                                                          .auth = options->auth,
                                                          .others = options->others},
                               err);
    if (p.registry)
        r = pull_run(&p, ret, err);
    pull_finish(&p);
    return r;
}

/* What docker login may be given: a URL of Docker Hub's, or a host with or without scheme and path. */
static char *login_domain(const char *server)
{
    const char *rest;

    if (str_empty(server))
        return xstrdup(REFERENCE_DEFAULT_DOMAIN);
    rest = str_after(server, "https://");
    if (!rest)
        rest = str_after(server, "http://");
    if (!rest)
        rest = server;
    if (str_starts(rest, "index.docker.io") || str_starts(rest, "docker.io") ||
        str_starts(rest, "registry-1.docker.io"))
        return xstrdup(REFERENCE_DEFAULT_DOMAIN);
    return xstrndup(rest, strcspn(rest, "/"));
}

int image_login(struct image_store *store, const char *server, const struct registry_auth *auth,
                char **ret_token, struct err *err)
{
    _cleanup_free_ char *domain = login_domain(server);
    struct registry *registry =
        registry_open(store, &(struct registry_options){.domain = domain, .name = domain, .auth = auth}, err);
    int r = registry ? registry_login(registry, ret_token, err) : -1;

    registry_close(registry);
    return r;
}
