/* What a registry has, without taking it. */
#ifndef KEG_IMAGE_REMOTE_H
#define KEG_IMAGE_REMOTE_H

#include <jansson.h>

#include "image/progress.h"
#include "image/pull.h"
#include "image/reference.h"
#include "image/store.h"

enum { REMOTE_TAGS_MAX = 100000 };

struct image_remote {
    struct image_store *store;
    const struct registry_auth *auth;      /* NULL: none */
    const struct image_listener *listener; /* only asked whether it has gone; NULL: nobody waits */
};

/* Every tag of the reference's repository, in the registry's order; strv_free() it. */
int image_remote_tags(const struct image_remote *o, const struct reference *ref, char ***ret,
                      struct err *err);
/* {"Descriptor": {"mediaType","digest","size"}, "Platforms": [{"architecture","os","variant"}]} of what a tag
 * or digest names, as GET /distribution/{name}/json answers. */
int image_remote_inspect(const struct image_remote *o, const struct reference *ref, json_t **ret,
                         struct err *err);
/* What a URL holds (http or https, any server) goes to *out, which is closed here. */
int image_remote_download(const struct image_remote *o, const char *url, int *out, struct err *err);
/* What the registry's index finds for "term" (Docker Hub) or "host/term": its "results", an array of objects
 * with name, description, star_count, is_official. limit: 1 … 100. */
int image_remote_search(const struct image_remote *o, const char *term, int limit, json_t **ret,
                        struct err *err);

#endif
