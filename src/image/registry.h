/* kegd's side of keg-registry: one worker for one repository. Thread-safe. */
#ifndef KEG_IMAGE_REGISTRY_H
#define KEG_IMAGE_REGISTRY_H

#include "base/buf.h"
#include "base/err.h"
#include "image/digest.h"
#include "image/pull.h"

struct registry;

struct registry_options {
    const char *domain;
    const char *path; /* NULL: for login only */
    const char *name; /* the repository's familiar name, for messages */
    const struct registry_auth *auth;
    const json_t *others; /* further credentials by server, as X-Registry-Config has them; NULL: none */
    bool push;            /* at the registry itself, with the right to write */
    char *const *sources; /* with push: paths that blobs may be mounted from; NULL: none */
};
struct registry *registry_open(struct image_store *store, const struct registry_options *options,
                               struct err *err);
/* Ends the worker and whatever it still does. */
void registry_close(struct registry *r);
DEFINE_CLEANUP_PTR(struct registry, registry_close)

struct registry_manifest {
    struct buf body;
    char *media_type; /* as the registry says; "" when it doesn't */
    char digest[DIGEST_SIZE];
};
void registry_manifest_finish(struct registry_manifest *m);

/* What a request tells meanwhile. progress is called at least every 200 ms; -1 cancels (ERR_CANCELLED). May
 * be NULL. */
struct registry_watch {
    int (*progress)(void *arg, int64_t bytes);
    void *arg;
};

/* By tag or digest; verified against a digest. `display`: the reference, for messages. */
int registry_get_manifest(struct registry *r, const char *reference, const char *display,
                          const struct registry_watch *watch, struct registry_manifest *ret, struct err *err);
/* Writes exactly `size` bytes to `out`, whose every copy on our side is closed by then (*out is closed here,
 * so that the reader of a pipe sees its end). The bytes aren't verified. */
int registry_get_blob(struct registry *r, const char *digest, int64_t size, int *out,
                      const struct registry_watch *watch, struct err *err);
/* A document at a path of the registry. *ret_next: the path of its next page, or NULL; the caller frees. */
int registry_get_document(struct registry *r, const char *path, const struct registry_watch *watch,
                          struct buf *ret, char **ret_next, struct err *err);
/* What a URL holds goes to *out, which is closed here. */
int registry_get_url(struct registry *r, const char *url, int *out, const struct registry_watch *watch,
                     struct err *err);

struct registry_pushed {
    bool existed; /* it was there */
    char *from;   /* it was mounted from that path; NULL: no. The caller frees */
};
/* Sends the file's whole content as the blob `digest`, unless the repository has it or gets it from one of
 * `sources`. *fd is closed here. */
int registry_push_blob(struct registry *r, const char *digest, int *fd, char *const *sources,
                       const struct registry_watch *watch, struct registry_pushed *ret, struct err *err);
/* Sends the file's content as the manifest of that tag or digest. ERR_INVALID when the registry has stored
 * something else than `digest`. *fd is closed here. *ret_noticed (NULL: nobody asks): the registry has noticed
 * the manifest's subject. */
int registry_push_manifest(struct registry *r, const char *reference, const char *digest,
                           const char *media_type, int *fd, const struct registry_watch *watch,
                           bool *ret_noticed, struct err *err);
int registry_login(struct registry *r, char **ret_token, struct err *err);

#endif
