/* keg-layer unpack: a tar stream becomes a layer's tree. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/worker/sandbox.h"
#include "storage/worker/source.h"
#include "storage/worker/tree.h"
#include "storage/worker/worker.h"

static int unpack_entries(const struct worker_options *o, struct tree *tree, struct tar_reader *reader,
                          struct worker_report *ret, struct err *err)
{
    const struct tar_entry *e;
    int r;

    while ((r = tar_reader_next(reader, &e, err)) > 0) {
        if (++ret->entries > o->max_entries)
            return err_set(err, ERR_INVALID, "%s: the archive has more than the limit of %lld entries",
                           e->path, (long long)o->max_entries);
        if (e->size > o->max_bytes)
            return err_set(err, ERR_INVALID, "%s: a file of %lld bytes is over the limit of %lld", e->path,
                           (long long)e->size, (long long)o->max_bytes);
        if (tree_add(tree, e, reader, err) < 0)
            return -1;
        if (tree_size(tree) > o->max_bytes) /* many that are each within it, and holes for the most part */
            return err_set(err, ERR_INVALID, "%s: the files together are over the limit of %lld bytes",
                           e->path, (long long)o->max_bytes);
        atomic_store_explicit(&o->shared->entries, ret->entries, memory_order_relaxed);
    }
    return r < 0 ? -1 : tar_reader_drain(reader, err);
}

static int unpack_all(const struct worker_options *o, struct source *source, struct worker_report *ret,
                      struct err *err)
{
    const struct tar_input input = source_input(source);
    _cleanup_(tar_reader_free_p) struct tar_reader *reader = tar_reader_new(&input);
    _cleanup_close_ int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(tree_free_p) struct tree *tree = tree_new(root);
    struct pending pending = PENDING_INIT;
    int r;

    if (root < 0)
        return err_errno(err, errno, "cannot open the layer's directory");
    if (unpack_entries(o, tree, reader, ret, err) < 0 || tree_finish(tree, &pending, err) < 0)
        return -1;
    ret->unpacked_size = tree_size(tree);
    ret->pending = pending.rows;
    ret->pending_links = pending.links;
    ret->root_described = tree_root_described(tree);
    r = pending_write(&pending, WORKER_FD_PENDING, err);
    buf_finish(&pending.text);
    return r;
}

int worker_unpack(const struct worker_options *o, struct worker_report *ret, struct err *err)
{
    const struct sandbox_root root = {.tree = WORKER_FD_TREE, .work = -EBADF};
    const struct source_spec spec = {
        .input = WORKER_FD_INPUT,
        .blob_out =
            o->store == WORKER_STORE_NOT || o->store == WORKER_STORE_GROWS ? -EBADF : WORKER_FD_OUTPUT,
        .growing = o->store == WORKER_STORE_GROWS ? WORKER_FD_OUTPUT : 0,
        .usable = o->store == WORKER_STORE_USABLE,
        .max_bytes = o->max_bytes,
        .max_ratio = o->max_ratio,
        .shared = o->shared,
    };
    struct source_result result;
    struct source *source;

    if (sandbox_enter(&root, WORKER_FD_PENDING, err) < 0)
        return -1;
    source = source_new(&spec, err);
    if (!source || sandbox_seal(err) < 0)
        return -1;
    source_start(source);
    if (unpack_all(o, source, ret, err) < 0)
        return -1;
    source_finish(source, &result);
    ret->blob_size = result.blob_size;
    ret->tar_size = result.tar_size;
    ret->compressed = result.compressed;
    memcpy(ret->blob_hex, result.blob_hex, sizeof(ret->blob_hex));
    memcpy(ret->diff_hex, result.diff_hex, sizeof(ret->diff_hex));
    return 0;
}
