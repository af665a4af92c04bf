/* The list of referrers that clients keep where a registry doesn't: an index under a tag. */
#include "image/referrers.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "image/manifest.h"

void referrers_subject(const struct buf *manifest, char ret[DIGEST_SIZE])
{
    _cleanup_json_ json_t *json = json_parse(buf_str(manifest), manifest->len, "manifest", NULL);
    const char *subject = json_str(json_object_get(json, "subject"), "digest");

    snprintf(ret, DIGEST_SIZE, "%s", digest_valid(subject) ? subject : "");
}

/* The list as it is there; an empty one when there is none. NULL on failure. */
static json_t *fetch_list(struct registry *r, const char *tag, const struct registry_watch *watch,
                          struct err *err)
{
    struct registry_manifest m;
    struct err own = {0};
    json_t *list = NULL;

    if (registry_get_manifest(r, tag, tag, watch, &m, &own) == 0)
        list = json_parse(buf_str(&m.body), m.body.len, "the registry's list of referrers", &own);
    else if (own.kind == ERR_NOT_FOUND)
        list = json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX, "manifests");
    if (list && !json_is_array(json_object_get(list, "manifests"))) {
        err_set(&own, ERR_INVALID, "the tag %s is no list of referrers", tag);
        json_decref(list);
        list = NULL;
    }
    if (!list)
        err_pass(err, &own);
    registry_manifest_finish(&m);
    return list;
}

/* What the list says of a manifest: its descriptor, what kind of artifact it is, its annotations. */
static json_t *describe(const struct buf *manifest, const char *digest)
{
    _cleanup_json_ json_t *json = json_parse(buf_str(manifest), manifest->len, "manifest", NULL);
    const char *type = json_str(json, "artifactType");
    json_t *entry = json_object(), *annotations = json_object_get(json, "annotations");

    json_set_str(entry, "mediaType", json_str_or(json, "mediaType", MEDIA_OCI_MANIFEST));
    json_set_str(entry, "digest", digest);
    json_set_int(entry, "size", (int64_t)manifest->len);
    if (str_empty(type))
        type = json_str(json_object_get(json, "config"), "mediaType");
    if (!str_empty(type))
        json_set_str(entry, "artifactType", type);
    if (json_is_object(annotations))
        json_object_set(entry, "annotations", annotations);
    return entry;
}

static int push_list(struct registry *r, const char *tag, const json_t *list,
                     const struct registry_watch *watch, struct err *err)
{
    _cleanup_close_ int fd = memfd_create("referrers", MFD_CLOEXEC);
    _cleanup_free_ char *text = json_text(list);
    char digest[DIGEST_SIZE];
    int n;

    if (fd < 0)
        return err_errno(err, errno, "make room for the list of referrers");
    n = fd_write_full(fd, text, strlen(text));
    if (n < 0)
        return err_errno(err, n, "write the list of referrers");
    digest_of(text, strlen(text), digest);
    return registry_push_manifest(r, tag, digest, MEDIA_OCI_INDEX, &fd, watch, NULL, err);
}

int referrers_note(struct registry *r, const char *subject, const struct buf *manifest, const char *digest,
                   const struct registry_watch *watch, struct err *err)
{
    _cleanup_free_ char *tag = xasprintf("sha256-%s", digest_hex(subject));
    _cleanup_json_ json_t *list = fetch_list(r, tag, watch, err);
    const json_t *entry;
    size_t i;

    if (!list)
        return -1;
    json_array_foreach (json_object_get(list, "manifests"), i, entry)
        if (str_eq(json_str(entry, "digest"), digest))
            return 0;
    json_array_append_new(json_object_get(list, "manifests"), describe(manifest, digest));
    return push_list(r, tag, list, watch, err);
}
