/* The layers there are: an index in memory of what the layer.json files say. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/internal.h"
#include "storage/layer_json.h"
#include "storage/whole.h"

int storage_chain_id(const char *parent, const char *diff_id, char ret[STORAGE_DIGEST_SIZE], struct err *err)
{
    char text[2 * STORAGE_DIGEST_SIZE], hex[SHA256_HEX_SIZE];
    int n;

    if (!storage_digest_hex(diff_id, err) || (!str_empty(parent) && !storage_digest_hex(parent, err)))
        return -1;
    if (str_empty(parent)) {
        memmove(ret, diff_id, strlen(diff_id) + 1);
        return 0;
    }
    n = snprintf(text, sizeof(text), "%s %s", parent, diff_id);
    sha256_of(text, (size_t)n, hex);
    snprintf(ret, STORAGE_DIGEST_SIZE, "sha256:%s", hex);
    return 0;
}

/* ---- The index ---- */

struct storage_layer *layer_find(struct storage *s, const char *chain_id)
{
    for (size_t i = 0; i < s->n_layers; i++)
        if (str_eq(s->index[i].chain_id, chain_id))
            return &s->index[i];
    return NULL;
}

void layer_index_add(struct storage *s, const struct storage_layer *layer)
{
    s->index = xreallocarray(s->index, s->n_layers + 1, sizeof(*s->index));
    s->index[s->n_layers++] = *layer;
}

static void layer_index_remove(struct storage *s, struct storage_layer *layer)
{
    *layer = s->index[--s->n_layers];
}

DIR *layers_list(struct storage *s, struct err *err)
{
    _cleanup_close_ int copy = openat(s->layers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);

    if (dir)
        take_fd(&copy);
    else
        err_errno(err, errno, "cannot list %s", s->layers);
    return dir;
}

int layer_load_all(struct storage *s, struct err *err)
{
    DIR *dir = layers_list(s, err);
    struct dirent *entry;

    if (!dir)
        return -1;
    while ((entry = readdir(dir))) {
        char chain_id[STORAGE_DIGEST_SIZE];
        struct storage_layer layer;

        if (strlen(entry->d_name) != 64)
            continue;
        snprintf(chain_id, sizeof(chain_id), "sha256:%.64s", entry->d_name);
        /* A layer whose description is damaged isn't one: the next pull puts a whole one in its place. */
        if (storage_digest_hex(chain_id, NULL) && layer_json_load(s->layers_fd, chain_id, &layer) == 0)
            layer_index_add(s, &layer);
    }
    closedir(dir);
    return 0;
}

static int no_such_layer(const char *chain_id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "layer %s does not exist", chain_id);
}

bool storage_layer_exists(struct storage *s, const char *chain_id)
{
    return storage_layer_get(s, chain_id, NULL, NULL) == 0;
}

int storage_layer_get(struct storage *s, const char *chain_id, struct storage_layer *ret, struct err *err)
{
    const struct storage_layer *layer;

    pthread_mutex_lock(&s->lock);
    layer = layer_find(s, chain_id);
    if (layer && ret)
        *ret = *layer;
    pthread_mutex_unlock(&s->lock);
    return layer ? 0 : no_such_layer(chain_id, err);
}

int storage_layer_list(struct storage *s, struct storage_layer **ret, size_t *ret_n, struct err *err _unused_)
{
    pthread_mutex_lock(&s->lock);
    *ret = xcalloc(s->n_layers + 1, sizeof(**ret));
    if (s->n_layers > 0)
        memcpy(*ret, s->index, s->n_layers * sizeof(**ret));
    *ret_n = s->n_layers;
    pthread_mutex_unlock(&s->lock);
    return 0;
}

int storage_layer_stack_size(struct storage *s, const char *chain_id, int64_t *ret, struct err *err)
{
    int64_t size = 0;
    int r = 0;

    pthread_mutex_lock(&s->lock);
    while (r == 0 && !str_empty(chain_id)) {
        const struct storage_layer *layer = layer_find(s, chain_id);

        if (!layer) {
            r = no_such_layer(chain_id, err);
        } else {
            size += layer->size;
            chain_id = layer->parent;
        }
    }
    if (r == 0)
        *ret = size;
    pthread_mutex_unlock(&s->lock);
    return r;
}

void layer_add_empty(struct storage *s, char ***paths)
{
    strv_push_take(paths, xasprintf("%s/%s/1", s->layers, EMPTY_DIRS));
    strv_push_take(paths, xasprintf("%s/%s/2", s->layers, EMPTY_DIRS));
}

int layer_stack(struct storage *s, const char *chain_id, struct storage_layer **ret, size_t *ret_n,
                struct err *err)
{
    _cleanup_free_ struct storage_layer *layers = NULL;
    size_t n = 0;

    pthread_mutex_lock(&s->lock);
    while (!str_empty(chain_id)) {
        const struct storage_layer *layer = layer_find(s, chain_id);

        if (!layer) {
            pthread_mutex_unlock(&s->lock);
            return no_such_layer(chain_id, err);
        }
        layers = xreallocarray(layers, n + 1, sizeof(*layers));
        layers[n++] = *layer;
        chain_id = layer->parent;
    }
    pthread_mutex_unlock(&s->lock);
    *ret = take_ptr(&layers);
    *ret_n = n;
    return 0;
}

char *layer_path(struct storage *s, const struct storage_layer *layer, struct err *err)
{
    if (s->driver->layer_show && s->driver->layer_show(s, layer, err) < 0)
        return NULL;
    return xasprintf("%s/%s/diff", s->layers, storage_digest_hex(layer->chain_id, NULL));
}

const char *storage_base_name(const char *top)
{
    return str_empty(top) ? SCRATCH_DIR : storage_digest_hex(top, NULL);
}

/* Appends the merged tree of the layer and all below it, made if it isn't there. */
static int add_flat(struct storage *s, const struct storage_layer *layer, char ***paths, struct err *err)
{
    _cleanup_free_ char *dir = xasprintf("%s/%s", s->layers, storage_digest_hex(layer->chain_id, NULL));
    _cleanup_strv_ char **below = NULL;
    _cleanup_free_ char *flat = xasprintf("%s/" FLAT_TREE, dir);

    if (access(flat, F_OK) < 0 && (layer_stack_paths(s, layer->chain_id, &below, err) < 0 ||
                                   whole_make(s, dir, FLAT_TREE, &below, err) < 0))
        return err_wrap(err, "cannot merge the lower layers of an image with more than %d", STACK_MAX);
    strv_push_take(paths, take_ptr(&flat));
    return 0;
}

int layer_stack_paths(struct storage *s, const char *chain_id, char ***paths, struct err *err)
{
    _cleanup_free_ struct storage_layer *layers = NULL;
    size_t n = 0, above;

    if (layer_stack(s, chain_id, &layers, &n, err) < 0)
        return -1;
    above = n > 0 ? (n - 1) % STACK_MAX + 1
                  : 0; /* so that images with the same lower layers share the merged tree */
    for (size_t i = 0; i < above; i++) {
        char *path = layer_path(s, &layers[i], err);

        if (!path)
            return -1;
        strv_push_take(paths, path);
    }
    return n > above ? add_flat(s, &layers[above], paths, err) : 0;
}

int storage_layer_rootfs(struct storage *s, const char *chain_id, struct storage_rootfs *ret, struct err *err)
{
    _cleanup_strv_ char **lower = NULL;

    if (layer_stack_paths(s, chain_id, &lower, err) < 0)
        return -1;
    *ret = (struct storage_rootfs){.lower = take_ptr(&lower)};
    return 0;
}

/* ---- Removal ---- */

static const struct storage_layer *find_child(const struct storage *s, const char *chain_id)
{
    for (size_t i = 0; i < s->n_layers; i++)
        if (str_eq(s->index[i].parent, chain_id))
            return &s->index[i];
    return NULL;
}

/* Takes the layer's name away; the tree is under the name `trash` after. */
static int unname(struct storage *s, const char *chain_id, const char *trash, struct err *err)
{
    struct storage_layer *layer = layer_find(s, chain_id);
    const struct storage_layer *child;

    if (!layer)
        return no_such_layer(chain_id, err);
    child = find_child(s, chain_id);
    if (child)
        return err_set(err, ERR_CONFLICT, "layer %s is in use: %s stands on it", chain_id, child->chain_id);
    if (renameat(s->layers_fd, storage_digest_hex(chain_id, NULL), s->layers_fd, trash) < 0 &&
        errno != ENOENT) /* somebody was faster, by hand: it is gone all the same */
        return err_errno(err, errno, "cannot remove layer %s", chain_id);
    layer_index_remove(s, layer);
    return 0;
}

/* Whether `below` is in the stack of the layer. The lock is held. */
static bool stands_on(struct storage *s, const struct storage_layer *layer, const char *below)
{
    while (layer && !str_eq(layer->chain_id, below))
        layer = layer_find(s, layer->parent);
    return layer != NULL;
}

void layer_forget_derived(struct storage *s, const char *chain_id)
{
    static const char *const names[] = {FLAT_TREE, "tree", "base"};

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_layers; i++)
        for (size_t k = 0; k < ARRAY_SIZE(names) && stands_on(s, &s->index[i], chain_id); k++) {
            _cleanup_free_ char *name =
                xasprintf("%s/%s", storage_digest_hex(s->index[i].chain_id, NULL), names[k]);
            char trash[NAME_SIZE];

            storage_random_name(trash, TRASH_PREFIX);
            if (renameat(s->layers_fd, name, s->layers_fd, trash) == 0)
                storage_trash_add(s, trash);
        }
    pthread_mutex_unlock(&s->lock);
}

int storage_layer_remove(struct storage *s, const char *chain_id, struct err *err)
{
    char trash[NAME_SIZE];
    int r;

    storage_random_name(trash, TRASH_PREFIX);
    pthread_mutex_lock(&s->lock);
    r = unname(s, chain_id, trash, err);
    pthread_mutex_unlock(&s->lock);
    if (r < 0)
        return -1;
    storage_trash_add(s, trash);
    return 0;
}
