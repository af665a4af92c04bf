/* What keg-registry does for kegd: manifests and blobs of one repository, over its endpoints (mirrors first),
 * with retries, resumed downloads and uploads; errors in Docker's words. Thread-safe. */
#ifndef KEG_IMAGE_WORKER_CLIENT_H
#define KEG_IMAGE_WORKER_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct client;

/* What a running request tells and is told. */
struct client_watch {
    bool (*cancelled)(void *arg);
    void (*progress)(void *arg, int64_t bytes);
    void *arg;
};

/* From an "open" packet (image/registry_protocol.h). Reads certificates. */
struct client *client_new(const json_t *open, struct err *err);
void client_free(struct client *c);
DEFINE_CLEANUP_PTR(struct client, client_free)

/* The requests of the protocol; the result is the "ok" object. */
json_t *client_manifest(struct client *c, const char *reference, const char *display, int out,
                        const struct client_watch *watch, struct err *err);
json_t *client_blob(struct client *c, const char *digest, int64_t size, int out,
                    const struct client_watch *watch, struct err *err);
/* Any document below the registry: `path` begins with a slash. */
json_t *client_document(struct client *c, const char *path, int out, const struct client_watch *watch,
                        struct err *err);
/* What a URL of any server holds, without credentials, with resumed downloads. */
json_t *client_url(struct client *c, const char *url, int out, const struct client_watch *watch,
                   struct err *err);
/* fd: a file, whole. sources: repositories of the same registry that may have the blob. */
json_t *client_push_blob(struct client *c, const char *digest, char **sources, int fd,
                         const struct client_watch *watch, struct err *err);
json_t *client_push_manifest(struct client *c, const char *reference, const char *media_type, int fd,
                             const struct client_watch *watch, struct err *err);
json_t *client_login(struct client *c, struct err *err);

#endif
