/* Whether the store holds what it should: layers against their archives, directories that belong to nothing.
 *
 * A layer has no digest of its own tree: to make one while it is unpacked would cost every pull, and it would only be as
 * old as the tree. Its archive is kept, and that has one; so the archive is unpacked a second time, and both trees are
 * written as one sequence of bytes each (keg-layer digest), which have to be the same. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/init_layer.h"
#include "storage/internal.h"
#include "storage/layer_json.h"

enum { SECOND_LOOK_US = 20000 };

/* ---- Presence ---- */

static int probe_dir(int parent, const char *path, struct err *err)
{
    struct stat st;

    if (fstatat(parent, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, errno, "%s", path);
    return S_ISDIR(st.st_mode) ? 0 : err_set(err, ERR_SYSTEM, "%s is no directory", path);
}

int storage_layer_probe(struct storage *s, const char *chain_id, struct err *err)
{
    _cleanup_free_ char *tree = NULL;
    struct storage_layer layer;

    if (storage_layer_get(s, chain_id, &layer, err) < 0)
        return -1;
    tree = xasprintf("%s/diff", storage_digest_hex(chain_id, NULL));
    if (probe_dir(s->layers_fd, tree, err) < 0)
        return -1;
    if (s->driver->layer_file) {
        _cleanup_free_ char *file =
            xasprintf("%s/%s", storage_digest_hex(chain_id, NULL), s->driver->layer_file);

        if (faccessat(s->layers_fd, file, R_OK, AT_SYMLINK_NOFOLLOW) < 0)
            return err_errno(err, errno, "%s", file);
    }
    return layer_json_load(s->layers_fd, chain_id, &layer) < 0
               ? err_set(err, ERR_SYSTEM, "%s: layer.json is damaged or missing", tree)
               : 0;
}

int storage_container_probe(struct storage *s, const char *id, struct err *err)
{
    static const char *const parts[] = {"upper", "work"};
    _cleanup_(storage_rootfs_finish) struct storage_rootfs r = {};

    if (storage_container_rootfs(s, id, &r, err) < 0)
        return -1;
    if (r.root)
        return probe_dir(AT_FDCWD, r.root, err);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", id, parts[i]);

        if (probe_dir(s->containers_fd, path, err) < 0)
            return -1;
    }
    return probe_dir(AT_FDCWD, r.lower[0], err);
}

/* ---- Layers against their archives ---- */

static int tree_digest(struct storage *s, const char *path, char ret[SHA256_HEX_SIZE], struct err *err)
{
    _cleanup_close_ int tree = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct worker_spec worker = WORKER_SPEC_INIT("digest");
    struct worker_report report;

    if (tree < 0 || nowhere < 0)
        return err_errno(err, errno, "cannot open %s", path);
    worker.tree = tree;
    worker.output = nowhere;
    if (worker_run(s, &worker, &report, err) < 0)
        return -1;
    snprintf(ret, SHA256_HEX_SIZE, "%.64s", report.diff_hex);
    return 0;
}

static int layer_digest(struct storage *s, const struct storage_layer *layer, char ret[SHA256_HEX_SIZE],
                        struct err *err)
{
    _cleanup_free_ char *path = layer_path(s, layer, err);

    return path ? tree_digest(s, path, ret, err) : -1;
}

static int stage_digest(struct storage *s, const struct storage_stage *stage, char ret[SHA256_HEX_SIZE],
                        struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/%s/diff", s->layers, stage->name);

    return tree_digest(s, path, ret, err);
}

static int unpack_again(struct storage *s, const struct storage_layer *layer, int archive,
                        struct storage_stage **ret, struct err *err)
{
    const struct storage_unpack_spec spec = {
        .input = archive, .blob_out = -EBADF, .blob_size = -1, .diff_id = layer->diff_id};
    struct storage_job *job = storage_unpack_start(s, &spec, err);

    if (!job || storage_unpack_wait(job, ret, NULL, err) < 0)
        return -1;
    return stage_settle(s, *ret, layer->parent, err);
}

int storage_layer_verify(struct storage *s, const char *chain_id, int archive, struct storage_verdict *ret,
                         struct err *err)
{
    _cleanup_(storage_stage_discard_p) struct storage_stage *stage = NULL;
    char expected[SHA256_HEX_SIZE], found[SHA256_HEX_SIZE];
    struct storage_layer layer;

    *ret = (struct storage_verdict){};
    if (storage_layer_get(s, chain_id, &layer, err) < 0 ||
        unpack_again(s, &layer, archive, &stage, err) < 0 || stage_digest(s, stage, expected, err) < 0)
        return -1;
    if ((s->driver->layer_verify && s->driver->layer_verify(s, &layer, &ret->why) < 0) ||
        layer_digest(s, &layer, found, &ret->why) < 0)
        ; /* what can't be read is as good as wrong */
    else if (!str_eq(expected, found))
        err_set(&ret->why, ERR_SYSTEM, "its tree isn't what its archive holds");
    else
        ret->same = true;
    if (!ret->same)
        ret->stage = take_ptr(&stage);
    return 0;
}

/* ---- Replacing ---- */

/* Containers find their init layer beside the tree of the topmost layer: the new one needs it too. */
static int make_init(struct storage *s, const struct storage_stage *stage, const struct storage_layer *layer,
                     struct err *err)
{
    const char *name = storage_digest_hex(layer->chain_id, NULL);
    _cleanup_free_ char *init = xasprintf("%s/init", name);
    _cleanup_(storage_rootfs_finish) struct storage_rootfs image = {};
    _cleanup_close_ int dir = -EBADF;

    if (faccessat(s->layers_fd, init, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
        faccessat(s->layers_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0; /* no container needed it yet; of a layer that is gone nobody knows */
    strv_push_take(&image.lower, xasprintf("%s/%s/diff", s->layers, stage->name));
    if (layer_stack_paths(s, layer->parent, &image.lower, err) < 0)
        return -1;
    dir = openat(s->layers_fd, stage->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? err_errno(err, errno, "cannot open %s", stage->name)
                   : init_layer_make(s, dir, &image, err);
}

/* The old tree gets the stage's name, if there is one. 0 or -errno. */
static int exchange(struct storage *s, const char *stage, const char *name)
{
    if (renameat2(s->layers_fd, stage, s->layers_fd, name, RENAME_EXCHANGE) == 0)
        return 0;
    return errno == ENOENT && renameat(s->layers_fd, stage, s->layers_fd, name) == 0 ? 0 : -errno;
}

int storage_layer_replace(struct storage *s, const char *chain_id, struct storage_stage **stage,
                          struct err *err)
{
    _cleanup_(storage_stage_discard_p) struct storage_stage *own = take_ptr(stage);
    struct storage_layer layer, *known;
    int r = 0;

    if (storage_layer_get(s, chain_id, &layer, err) < 0 || make_init(s, own, &layer, err) < 0 ||
        stage_finish(s, own, &layer, err) < 0)
        return -1;
    pthread_mutex_lock(&s->lock);
    known = layer_find(s, chain_id);
    if (!known)
        r = err_set(err, ERR_NOT_FOUND, "layer %s was removed meanwhile", chain_id);
    else if ((r = exchange(s, own->name, storage_digest_hex(chain_id, NULL))) < 0)
        r = err_errno(err, r, "cannot replace layer %s", chain_id);
    else
        *known = layer;
    pthread_mutex_unlock(&s->lock);
    if (r == 0)
        layer_forget_derived(s, chain_id);
    if (r == 0 && fsync(s->layers_fd) < 0)
        r = err_errno(err, errno, "cannot sync %s", s->layers);
    return r; /* what has the stage's name now goes */
}

/* ---- What belongs to nothing ---- */

/* Of DATA/layers. The lock is held. */
static bool is_stray_layer(struct storage *s, const char *name)
{
    char chain_id[STORAGE_DIGEST_SIZE];

    if (str_starts(name, STAGING_PREFIX))
        return !stage_is_live(s, name);
    if (str_starts(name, TRASH_PREFIX))
        return true;
    if (strlen(name) != 64)
        return false; /* nothing that was made here */
    snprintf(chain_id, sizeof(chain_id), "sha256:%.64s", name);
    return storage_digest_hex(chain_id, NULL) && !layer_find(s, chain_id);
}

static int list_strays(struct storage *s, char ***ret, struct err *err)
{
    DIR *dir = layers_list(s, err);
    struct dirent *entry;

    if (!dir)
        return -1;
    while ((entry = readdir(dir))) {
        bool stray;

        pthread_mutex_lock(&s->lock); /* under which names appear and vanish */
        stray = is_stray_layer(s, entry->d_name) &&
                faccessat(s->layers_fd, entry->d_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        pthread_mutex_unlock(&s->lock);
        if (stray)
            strv_push_take(ret, xasprintf("layers/%s", entry->d_name));
    }
    closedir(dir);
    return 0;
}

int storage_strays(struct storage *s, char ***ret, struct err *err)
{
    _cleanup_strv_ char **first = NULL, **second = NULL;

    *ret = NULL;
    trash_wait(s->trash);
    if (list_strays(s, &first, err) < 0)
        return -1;
    if (!first)
        return 0;
    usleep(SECOND_LOOK_US); /* what was just named trash is known to be by now */
    trash_wait(s->trash);
    if (list_strays(s, &second, err) < 0)
        return -1;
    for (char **name = second; name && *name; name++)
        if (strv_contains(first, *name))
            strv_push(ret, *name);
    return 0;
}

int storage_stray_remove(struct storage *s, const char *name, struct err *err)
{
    const char *entry = str_after(name, "layers/");
    int r;

    if (str_empty(entry) || strchr(entry, '/') || str_starts(entry, ".."))
        return err_set(err, ERR_INVALID, "%s is nothing of the layer store's", name);
    r = driver_remove(s->driver, s->layers_fd, entry, NULL);
    return r < 0 ? err_errno(err, r, "cannot remove %s", name) : 0;
}
