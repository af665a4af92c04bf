/* What containers have changed: the list that a keg-layer writes. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/internal.h"
#include "storage/whole.h"

enum { CHANGE_MAX = 8192, PIECE = 64 * 1024 };

/* One who has a root of its own is compared; the others have a layer that says it all. */
static int prepare(struct storage *s, const char *id, struct worker_spec *spec, int **ret_fds,
                   struct err *err)
{
    _cleanup_(storage_rootfs_finish) struct storage_rootfs r = {};
    char top[STORAGE_DIGEST_SIZE];

    if (storage_container_rootfs(s, id, &r, err) < 0)
        return -1;
    if (r.root) {
        spec->verb = "differences";
        return storage_container_top(s, id, top, err) < 0 ? -1
                                                          : whole_comparison(s, id, top, spec, ret_fds, err);
    }
    layer_add_empty(s, &r.lower);
    spec->tree = open(r.upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spec->tree < 0)
        return err_errno(err, errno, "cannot open %s", r.upper);
    if (open_dirs(r.lower, ret_fds, &spec->n_lower, err) < 0) {
        close_fd(&spec->tree);
        return -1;
    }
    spec->lower = *ret_fds;
    return 0;
}

/* Gives out what is whole in the buffer, and keeps the rest. */
static int give_out(struct buf *b, storage_change_fn fn, void *arg)
{
    size_t at = 0;
    int r = 0;

    while (r == 0 && at < b->len) {
        const char *end = memchr(b->data + at, '\0', b->len - at);

        if (!end)
            break;
        if (end > b->data + at + 1)
            r = fn(arg, b->data[at], b->data + at + 1);
        at = (size_t)(end - b->data) + 1;
    }
    memmove(b->data, b->data + at, b->len - at);
    b->len -= at;
    return r;
}

static int read_changes(int fd, storage_change_fn fn, void *arg, struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(PIECE + CHANGE_MAX);
    _cleanup_free_ char *piece = xmalloc(PIECE);
    ssize_t n;
    int r = 0;

    while (r == 0 && ((n = read(fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR))) {
        if (n > 0)
            buf_append(&b, piece, (size_t)n);
        if (buf_failed(&b))
            return err_set(err, ERR_SYSTEM, "the list of changes is damaged");
        if (b.len > 0)
            r = give_out(&b, fn, arg);
    }
    return r;
}

int storage_container_changes(struct storage *s, const char *id, storage_change_fn fn, void *arg,
                              struct err *err)
{
    struct worker_spec spec = WORKER_SPEC_INIT("changes");
    _cleanup_close_ int in = -EBADF, out = -EBADF;
    struct worker_report report;
    struct worker w;
    int *fds = NULL, ends[2], r, ended;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "cannot make a pipe");
    in = ends[0];
    out = spec.output = ends[1];
    if (prepare(s, id, &spec, &fds, err) < 0)
        return -1;
    r = worker_spawn(s, &spec, &w, err);
    close_dirs(fds, spec.n_lower);
    close_fd(&spec.tree);
    close_fd(&out);
    if (r < 0)
        return -1;
    r = read_changes(in, fn, arg, err);
    close_fd(&in);
    ended = worker_finish(&w, &report, r == 0 ? err : NULL);
    return r != 0 ? r : ended;
}
