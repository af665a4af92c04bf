/* Staged layers → layers.
 *
 * In this order: what a stage still needs from the layers below it is settled; each gets the form in which the driver
 * keeps layers, and is described; one syncfs brings everything to the disk, for all of them (thousands of fsyncs would
 * write the journal thousands of times; that other files of the file system are written as well is the price); and only
 * then are they given their names. A write error is told once to each open file: a commit asks by one of its own. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "storage/internal.h"
#include "storage/layer_json.h"
#include "storage/tree_remove.h"

static const char *stage_file(const struct storage_stage *stage, const char *name, char ret[NAME_SIZE + 16])
{
    snprintf(ret, NAME_SIZE + 16, "%s/%s", stage->name, name);
    return ret;
}

/* The trees below row i, topmost first: of earlier rows, then of layers. */
static int paths_below(struct storage *s, const struct storage_commit *rows, size_t i, char ***paths,
                       struct err *err)
{
    const char *parent = rows[i].parent;

    while (i-- > 0) {
        if (!str_eq(rows[i].chain_id, parent))
            continue;
        if (!rows[i].stage) /* became a layer by other hands */
            break;
        strv_push_take(paths, xasprintf("%s/%s/diff", s->layers, rows[i].stage->name));
        parent = rows[i].parent;
    }
    return layer_stack_paths(s, parent, paths, err);
}

/* A layer whose archive says nothing of its root directory has it as the layer below does. */
static int settle_root(const struct storage_stage *stage, int tree, char *const *below, struct err *err)
{
    struct stat st;

    if (stage->root_described || !below || !*below)
        return 0;
    if (stat(*below, &st) < 0 || fchown(tree, st.st_uid, st.st_gid) < 0 ||
        fchmod(tree, st.st_mode & 07777) < 0)
        return err_errno(err, errno, "cannot take over the attributes of %s", *below);
    return 0;
}

static int settle_with(struct storage *s, struct storage_stage *stage, int tree, char *const *below,
                       struct err *err)
{
    struct worker_spec worker = WORKER_SPEC_INIT("settle");
    char name[NAME_SIZE + 16];
    _cleanup_close_ int pending = -EBADF, work = -EBADF;
    struct worker_report report;
    int *lower = NULL, r = -1;

    if (mkdirat(s->layers_fd, stage_file(stage, "work", name), 0700) < 0)
        return err_errno(err, errno, "cannot make %s", name);
    work = openat(s->layers_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pending = openat(s->layers_fd, stage_file(stage, "pending", name), O_RDONLY | O_CLOEXEC);
    if (work < 0 || pending < 0)
        return err_errno(err, errno, "cannot open %s", name);
    if (open_dirs(below, &lower, &worker.n_lower, err) == 0) {
        worker.tree = tree;
        worker.pending = pending;
        worker.work = work;
        worker.lower = lower;
        r = worker_run(s, &worker, &report, err);
        close_dirs(lower, worker.n_lower);
    }
    tree_remove(s->layers_fd, stage_file(stage, "work", name));
    return r;
}

static int settle(struct storage *s, struct storage_commit *rows, size_t i, struct err *err)
{
    struct storage_stage *stage = rows[i].stage;
    _cleanup_strv_ char **below = NULL;
    _cleanup_close_ int tree = -EBADF;
    char name[NAME_SIZE + 16];

    if (paths_below(s, rows, i, &below, err) < 0)
        return -1;
    tree = openat(s->layers_fd, stage_file(stage, "diff", name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tree < 0)
        return err_errno(err, errno, "cannot open %s", name);
    if (settle_root(stage, tree, below, err) < 0)
        return -1;
    /* A lowest layer can only have links to nothing, which the worker will say. */
    if (stage->pending_links > 0 || (stage->pending > 0 && below)) {
        layer_add_empty(s, &below);
        if (settle_with(s, stage, tree, below, err) < 0)
            return -1;
    }
    return unlinkat(s->layers_fd, stage_file(stage, "pending", name), 0) < 0
               ? err_errno(err, errno, "cannot remove %s", name)
               : 0;
}

int stage_settle(struct storage *s, struct storage_stage *stage, const char *parent, struct err *err)
{
    struct storage_commit row = {.stage = stage, .parent = parent};

    return settle(s, &row, 0, err);
}

static void describe(const struct storage_commit *row, struct storage_layer *ret)
{
    const struct storage_unpack_result *result = &row->stage->result;

    *ret = (struct storage_layer){
        .blob_size = result->blob_size,
        .size = result->unpacked_size,
        .entries = result->entries,
        .created = clock_now(),
    };
    snprintf(ret->chain_id, sizeof(ret->chain_id), "%s", row->chain_id);
    snprintf(ret->diff_id, sizeof(ret->diff_id), "%s", result->diff_id);
    snprintf(ret->blob_digest, sizeof(ret->blob_digest), "%s", result->blob_digest);
    snprintf(ret->parent, sizeof(ret->parent), "%s", row->parent ? row->parent : "");
    snprintf(ret->media_type, sizeof(ret->media_type), "%s", row->media_type ? row->media_type : "");
}

/* Settles and describes a row; one whose layer exists by now loses its stage. */
static int prepare(struct storage *s, struct storage_commit *rows, size_t i, struct storage_layer *ret,
                   struct err *err)
{
    struct storage_commit *row = &rows[i];

    if (storage_chain_id(row->parent, row->stage->result.diff_id, row->chain_id, err) < 0)
        return -1;
    if (storage_layer_exists(s, row->chain_id)) {
        storage_stage_discard(take_ptr(&row->stage));
        return 0;
    }
    if (settle(s, rows, i, err) < 0)
        return err_wrap(err, "layer %s", row->chain_id);
    describe(row, ret);
    return 0;
}

/* Gives a settled stage the driver's form and its description: ready for the sync. */
static int seal(struct storage *s, const struct storage_stage *stage, struct storage_layer *layer,
                struct err *err)
{
    _cleanup_close_ int dir = -EBADF;
    int r;

    if (s->driver->layer_seal && s->driver->layer_seal(s, stage->name, layer, err) < 0)
        return err_wrap(err, "layer %s", layer->chain_id);
    dir = openat(s->layers_fd, stage->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = dir < 0 ? -errno : layer_json_write(dir, layer);
    return r < 0 ? err_errno(err, r, "cannot describe layer %s", layer->chain_id) : 0;
}

static int sync_stage(struct storage *s, const struct storage_stage *stage, struct err *err)
{
    return syncfs(stage->sync) < 0 ? err_errno(err, errno, "cannot sync %s", s->layers) : 0;
}

int stage_finish(struct storage *s, struct storage_stage *stage, struct storage_layer *layer, struct err *err)
{
    return seal(s, stage, layer, err) < 0 ? -1 : sync_stage(s, stage, err);
}

/* The one that was begun first: what its descriptor hears of covers the others. */
static const struct storage_stage *oldest(const struct storage_commit *rows, size_t n)
{
    const struct storage_stage *found = NULL;

    for (size_t i = 0; i < n; i++)
        if (rows[i].stage && (!found || rows[i].stage->born < found->born))
            found = rows[i].stage;
    return found;
}

/* Gives a stage its name; the lock is held. */
static int name_layer(struct storage *s, struct storage_commit *row, const struct storage_layer *layer,
                      struct err *err)
{
    const char *hex = storage_digest_hex(row->chain_id, NULL);

    if (layer_find(s, row->chain_id)) /* somebody was faster; the stage goes */
        return 0;
    if (layer->parent[0] && !layer_find(s, layer->parent))
        return err_set(err, ERR_CONFLICT, "layer %s was removed while %s was made", layer->parent,
                       layer->chain_id);
    /* What has the name without being in the index is damaged: it changes places with the stage, and goes. */
    if (renameat2(s->layers_fd, row->stage->name, s->layers_fd, hex, RENAME_NOREPLACE) < 0 &&
        (errno != EEXIST ||
         renameat2(s->layers_fd, row->stage->name, s->layers_fd, hex, RENAME_EXCHANGE) < 0))
        return err_errno(err, errno, "cannot name layer %s", row->chain_id);
    layer_index_add(s, layer);
    return 0;
}

static int commit_prepared(struct storage *s, struct storage_commit *rows, struct storage_layer *layers,
                           size_t n, struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = rows[i].stage ? seal(s, rows[i].stage, &layers[i], err) : 0;
    if (r == 0)
        r = sync_stage(s, oldest(rows, n), err);
    for (size_t i = 0; i < n && r == 0; i++) {
        if (!rows[i].stage)
            continue;
        pthread_mutex_lock(&s->lock);
        r = name_layer(s, &rows[i], &layers[i], err);
        pthread_mutex_unlock(&s->lock);
    }
    /* The names have to last as well: a database may speak of them a moment later. */
    if (r == 0 && fsync(s->layers_fd) < 0)
        r = err_errno(err, errno, "cannot sync %s", s->layers);
    return r;
}

void storage_sync_ahead(struct storage *s)
{
    /* Its own open file: an error is told to each once, and the commit's has to hear of it. */
    _cleanup_close_ int dir = openat(s->layers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir >= 0)
        syncfs(dir);
}

static int commit_batch(struct storage *s, struct storage_commit *rows, size_t n, struct err *err)
{
    _cleanup_free_ struct storage_layer *layers = xcalloc(n + 1, sizeof(*layers));
    size_t staged = 0;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        r = prepare(s, rows, i, &layers[i], err);
        staged += rows[i].stage != NULL;
    }
    return r == 0 && staged > 0 ? commit_prepared(s, rows, layers, n, err) : r;
}

int storage_commit(struct storage *s, struct storage_commit *rows, size_t n, struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i += COMMIT_MAX)
        r = commit_batch(s, rows + i, MIN_OF(n - i, (size_t)COMMIT_MAX), err);
    for (size_t i = 0; i < n; i++)
        storage_stage_discard(
            take_ptr(&rows[i].stage)); /* a named one's directory isn't under that name any more */
    return r;
}
