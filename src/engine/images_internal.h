/* What the files of images share: the table in memory, which is the database's two tables as they are on
 * disk.
 *
 * rows:  {"sha256:…":
 * {"Manifest","Index","Parent","Artifact","MediaType","Blobs":[…],"Layers":[…],"Size","Created","Platform","Labels",
 *        "LastTagTime","LastUsed","Orphan"}}       Orphan: removed by force while a container stands on it; kept out of
 * sight until no container does names: {"docker.io/library/busybox:latest": {"Image":"sha256:…"},
 * "…@sha256:…": …}
 *
 * All are read and changed with the lock held; rows are replaced, never edited. Lock order: this lock, then
 * the database's and the containers'. The image store's own mutex is taken before it (by sweeps), so nothing
 * here calls the store with the lock held, but for reading blobs, which takes none. */
#ifndef KEG_ENGINE_IMAGES_INTERNAL_H
#define KEG_ENGINE_IMAGES_INTERNAL_H

#include "engine/images.h"
#include "engine/internal.h"
#include "image/store.h"

struct images_collect;
struct image_listener; /* image/progress.h */

struct engine_images {
    pthread_mutex_t lock; /* recursive */
    json_t *rows, *names;
    uint64_t generation;            /* counts changes */
    struct images_collect *collect; /* NULL: off */
    json_t *texts;                  /* images_text.c */
};

/* Applies {"rows":{id: row or null},"names":{name: value or null}} to database and table in one transaction.
 * With the lock held. Takes the reference to change. */
int images_apply(struct engine *e, json_t *change, struct err *err);
json_t *images_change_new(void);
void images_change_row(json_t *change, const char *id, json_t *row); /* row: reference taken; NULL removes */
void images_change_name(json_t *change, const char *name, const char *id); /* id NULL removes */

/* What the plain list says of an image, NULL for one out of sight; names: sorted. With the lock held. */
json_t *images_plain_item(struct engine *e, const char *id, const json_t *row, char *const *names);
/* {image id: how many containers stand on it}. Without the lock. */
json_t *images_uses(struct engine *e);
/* What is kept of images that a change, which is about to be made, shows otherwise goes. With the lock held. */
void images_text_forget(struct engine *e, const json_t *change);
/* Composes what isn't kept. With the lock held. */
void images_text_compose(struct engine *e);

/* One image as a reference named it. */
struct images_match {
    char id[DIGEST_SIZE];
    const json_t *row; /* borrowed: with the lock held */
    char *name;        /* the normalised name that matched; NULL: found by id */
};
void images_match_finish(struct images_match *m);
#define _cleanup_images_match_ _cleanup_(images_match_finish)
/* With the lock held. ERR_NOT_FOUND, ERR_INVALID (an ambiguous prefix). */
int images_match(struct engine *e, const char *ref, struct images_match *ret, struct err *err);

/* An image has one platform here: ERR_NOT_FOUND in Docker's words, naming `ref`, where it doesn't serve
 * `wanted`; NULL or "" is served by every image. With the lock held. */
int images_check_platform(const char *ref, const char *wanted, const json_t *row, struct err *err);

/* The names of an image, normalised; with the lock held. strv_free() them. */
char **images_names(struct engine *e, const char *id);
void images_sort_names(char **names);
/* Those with (digests) or without a digest, in the form that people write. */
char **images_familiar_of(char *const *names, bool digests);
char **images_familiar_names(struct engine *e, const char *id, bool digests);
/* "docker.io/library/busybox:latest" → "busybox:latest"; the caller frees. */
char *images_familiar(const char *name);

/* Records images that a pull, a load or an import made, with their tags and digests, in one transaction. */
int images_record(struct engine *e, const struct image *images, size_t n, struct err *err);
/* Reads image and configuration back; without the lock. platform as above. */
int images_read(struct engine *e, const char *ref, const char *platform, char ret_id[DIGEST_SIZE],
                struct image *ret, struct image_config *ret_config, struct err *err);

/* Before a push: an image with plain layers that no registry knows by a digest gets compressed ones; manifest then names the new
 * one, and 1 is returned: a sweep has something to do. 0, -1. Without the lock. */
int images_compress(struct engine *e, struct image_lease *lease, const char *id, char manifest[DIGEST_SIZE],
                    const struct image_listener *listener, struct err *err);

/* Whether a container stands on it. */
bool images_in_use(struct engine *e, const char *id);
/* Whether an image that stays was made from this one. `change` (NULL: none) may say of some that they go. With the lock held. */
bool images_has_children(struct engine *e, const char *id, const json_t *change);

/* Removes blobs and layers that nothing refers to; without the lock. removed may be NULL. */
int images_sweep(struct engine *e,
                 void (*removed)(void *arg, enum image_object kind, const char *digest, int64_t size),
                 void *arg, struct err *err);

/* Tells what that would remove. */
int images_sweep_look(struct engine *e,
                      void (*found)(void *arg, enum image_object kind, const char *digest, int64_t size),
                      void *arg, struct err *err);

/* An event of an image: name goes into its attributes. */
void images_event(struct engine *e, const char *action, const char *id, const char *name);

#endif
