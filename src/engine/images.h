/* Images as the API sees them: names, listing, pull, load, save, import, tag, removal.
 *
 * An image is its configuration's digest (Id). The database has a row per image (what it consists of) and a
 * row per name. Changes are one transaction each; blobs and layers that no row needs any more are swept after
 * it. */
#ifndef KEG_ENGINE_IMAGES_H
#define KEG_ENGINE_IMAGES_H

#include <jansson.h>
#include <stdbool.h>

#include "engine/engine.h"

/* ---- for the rest of the engine ---- */

/* What a container is made of. */
struct engine_image {
    char *id;        /* "sha256:…", of the configuration */
    char *top_layer; /* chain id of the topmost layer, "" for an image without layers:
                        storage_container_create()'s */
    json_t *config; /* the whole configuration document: {"architecture","config":{"Cmd",…},"rootfs",…} */
};
void engine_image_finish(struct engine_image *image);
#define _cleanup_engine_image_ _cleanup_(engine_image_finish)

/* Called by engine_open() once database, storage and the image store are open; sweeps what a crash left. */
int engine_images_open(struct engine *e, struct err *err);
void engine_images_close(struct engine *e);

/* Finds an image by name, id, or id prefix. platform ("linux/arm64") NULL: any. ERR_NOT_FOUND: "No such
 * image: x:y". The image isn't protected from removal by this; a container's row is what does that: hold
 * engine_images_lock() from the find to the insertion of the row. */
int engine_image_find(struct engine *e, const char *ref, const char *platform, struct engine_image *ret,
                      struct err *err);
/* Keeps every image where it is: removal and sweeps wait. Short spans only. */
void engine_images_lock(struct engine *e);
void engine_images_unlock(struct engine *e);
/* Whether `ref`, as a user gave it, still means the image `id`: else a container shows the id instead. */
bool engine_image_is_named(struct engine *e, const char *ref, const char *id);
/* A container of that image is gone: what only it kept (an image removed by force) is removed as well. */
void engine_image_released(struct engine *e, const char *id);
/* How many images there are, for info. */
int engine_image_count(struct engine *e);

/* ---- for the API ---- */

struct engine_image_list_options {
    bool all, digests, shared_size, manifests;
    const json_t *filters; /* dangling, reference, label, before, since, until */
};
int engine_image_list(struct engine *e, const struct engine_image_list_options *o, json_t **ret,
                      struct err *err);
/* platform, here and below: NULL is the image's own, whatever it is; another than its own is ERR_NOT_FOUND. */
struct engine_image_inspect_options {
    const char *platform;
    bool manifests; /* "Manifests": what the index it came with has, and what of it is here */
};
/* The plain list, as JSON text, of pieces that are kept for each image: images_text.c. The caller frees. NULL on failure. */
char *engine_image_list_text(struct engine *e, struct err *err);
int engine_image_inspect(struct engine *e, const char *ref, const struct engine_image_inspect_options *o,
                         json_t **ret, struct err *err);
int engine_image_history(struct engine *e, const char *ref, const char *platform, json_t **ret,
                         struct err *err);

struct engine_pull_options {
    const char *name;     /* fromImage */
    const char *tag;      /* tag or digest, NULL: the one in name, else every tag there is */
    const char *platform; /* NULL: the host's */
    const json_t *others; /* X-Registry-Config decoded, {server: as below}: for mirrors; NULL: none */
    const json_t *auth; /* X-Registry-Auth decoded: {"username","password","identitytoken",…}; NULL: none */
};
/* Writes Docker's progress, a JSON object a line. An error after the first line is in the stream as well
 * ({"errorDetail":{"message"},"error"}), and returned. */
int engine_image_pull(struct engine *e, const struct engine_pull_options *o, const struct engine_sink *sink,
                      struct err *err);

/* name: a repository, with or without a tag; tag NULL: the one in name, else every tag. platform NULL: the image's,
 * whatever it is. Writes progress and errors as engine_image_pull() does. */
int engine_image_push(struct engine *e, const char *name, const char *tag, const char *platform,
                      const json_t *auth, const struct engine_sink *sink, struct err *err);

/* ret: {"Descriptor","Platforms"} of what the registry has under that name. client_fd: whose hang-up ends it; -1. */
int engine_distribution_inspect(struct engine *e, const char *name, const json_t *auth, int client_fd,
                                json_t **ret, struct err *err);

struct engine_search_options {
    const char *term;
    int64_t limit;         /* 0: 25 */
    const json_t *filters; /* is-automated, is-official, stars */
    const json_t *auth;
    int client_fd;
};
/* ret: [{"name","description","star_count","is_official","is_automated"}]. */
int engine_image_search(struct engine *e, const struct engine_search_options *o, json_t **ret,
                        struct err *err);

struct engine_import_options {
    const char *repo, *tag; /* NULL: no name */
    const char *platform, *message;
    char *const *changes; /* Dockerfile instructions */
    const char *source;   /* URL of the tar; NULL: fd is the tar */
};
/* fd: the tar. The last line written is {"status":"sha256:…"}. An upload whose client left is thrown away. */
int engine_image_import(struct engine *e, int fd, const struct engine_import_options *o,
                        const struct engine_sink *sink, struct err *err);
/* fd: docker save's archive. quiet: no progress. */
int engine_image_load(struct engine *e, int fd, const char *platform, bool quiet,
                      const struct engine_sink *sink, struct err *err);
/* names: a NULL-terminated vector of references or ids. A name without a tag means all its tags. */
int engine_image_save(struct engine *e, char *const *names, const char *platform,
                      const struct engine_sink *sink, struct err *err);
int engine_image_tag(struct engine *e, const char *ref, const char *repo, const char *tag, struct err *err);

struct engine_image_remove_options {
    bool force, no_prune;
    const char *platform; /* NULL: any */
};
/* ret: [{"Untagged":…},{"Deleted":…}]. ERR_CONFLICT with Docker's words while a container uses it. */
int engine_image_remove(struct engine *e, const char *ref, const struct engine_image_remove_options *o,
                        json_t **ret, struct err *err);
/* ret: {"ImagesDeleted","SpaceReclaimed"}. filters: dangling (default true), label, label!, until. */
int engine_image_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err);

#endif
