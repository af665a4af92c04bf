/* What goes in and out of containers: a keg-layer for each, which is told where. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/internal.h"

struct storage_copy {
    struct worker worker;
};

static const char *const verbs[] = {"look", "take", "put"};

/* The order as worker_place and its texts, in a memfd. */
static int write_order(const struct storage_place *p, bool put, struct err *err)
{
    const struct worker_place order = {
        .namespace = p->mount_ns >= 0,
        .writable = put,
        .read_only = p->read_only,
        .keep_kind = p->keep_kind,
        .uid = p->uid,
        .gid = p->gid,
        .n_mounts = p->mount_ns >= 0 ? 0 : (int64_t)p->n_mounts,
    };
    _cleanup_close_ int fd = memfd_create("keg-place", MFD_CLOEXEC);
    _cleanup_(buf_finish) struct buf b = BUF_INIT(WORKER_PLACE_MAX);

    buf_append(&b, &order, sizeof(order));
    buf_append(&b, p->path, strlen(p->path) + 1);
    buf_append(&b, p->name, strlen(p->name) + 1);
    for (int64_t i = 0; i < order.n_mounts; i++) {
        buf_putc(&b, p->mounts[i].read_only ? 'r' : 'w');
        buf_append(&b, p->mounts[i].target, strlen(p->mounts[i].target) + 1);
    }
    if (buf_failed(&b))
        return err_set(err, ERR_INVALID, "the path is too long");
    if (fd < 0 || fd_write_full(fd, b.data, b.len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(err, errno, "cannot write the order");
    return take_fd(&fd);
}

/* The layers, and behind them what is mounted on them. */
static int open_all(struct storage *s, const struct storage_place *p, bool put, struct worker_spec *spec,
                    int **ret_fds, struct err *err)
{
    _cleanup_(storage_rootfs_finish) struct storage_rootfs r = {};
    _cleanup_strv_ char **lower = NULL;

    if (storage_container_rootfs(s, p->id, &r, err) < 0)
        return -1;
    if (put && r.upper) {
        if (storage_container_renew(s, p->id, err) < 0)
            return -1;
        spec->tree = open(r.upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        spec->work = open(r.work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (spec->tree < 0 || spec->work < 0)
            return err_errno(err, errno, "cannot open %s", r.upper);
    } else {
        strv_push(&lower, r.root ? r.root : r.upper);
    }
    for (char **l = r.lower; l && *l; l++)
        strv_push(&lower, *l);
    if (!r.root)
        layer_add_empty(s, &lower);
    return open_dirs(lower, ret_fds, &spec->n_lower, err);
}

static int open_mounts(const struct storage_place *p, struct worker_spec *spec, int **fds, struct err *err)
{
    *fds = xreallocarray(*fds, spec->n_lower + p->n_mounts + 1, sizeof(**fds));
    for (size_t i = 0; i < p->n_mounts; i++) {
        int fd = open(p->mounts[i].source, O_PATH | O_CLOEXEC);

        if (fd < 0)
            return err_errno(err, errno, "cannot open %s", p->mounts[i].source);
        (*fds)[spec->n_lower++] = fd;
    }
    return 0;
}

struct storage_copy *storage_copy_start(struct storage *s, enum storage_copy_kind kind,
                                        const struct storage_place *place, int fd, struct err *err)
{
    struct worker_spec spec = WORKER_SPEC_INIT(verbs[kind]);
    struct storage_copy *copy = xcalloc(1, sizeof(*copy));
    bool put = kind == STORAGE_PUT;
    int *fds = NULL, r;

    spec.limits =
        (struct storage_limits){INT64_MAX, INT64_MAX, INT64_MAX}; /* the container's own room is the limit */
    spec.pending = write_order(place, put, err);
    r = spec.pending < 0 ? -1 : 0;
    if (r == 0 && place->mount_ns < 0) {
        r = open_all(s, place, put, &spec, &fds, err);
        r = r < 0 ? r : open_mounts(place, &spec, &fds, err);
    }
    if (r == 0) {
        int tree = spec.tree;

        spec.tree = place->mount_ns >= 0 ? place->mount_ns : tree;
        *(put ? &spec.input : &spec.output) = fd;
        spec.lower = fds;
        r = worker_spawn(s, &spec, &copy->worker, err);
        spec.tree = tree;
    }
    close_dirs(fds, spec.n_lower);
    close_fd(&spec.tree);
    close_fd(&spec.work);
    close_fd(&spec.pending);
    if (r < 0) {
        free(copy);
        return NULL;
    }
    return copy;
}

int storage_copy_fd(const struct storage_copy *copy)
{
    return copy->worker.report;
}

void storage_copy_cancel(struct storage_copy *copy)
{
    kill(copy->worker.pid, SIGKILL); /* what it forked dies with it */
}

void storage_copy_settle(struct storage_copy *copy)
{
    worker_await(&copy->worker);
}

int storage_copy_finish(struct storage_copy *copy, struct err *err)
{
    struct worker_report report;
    int r = worker_finish(&copy->worker, &report, err);

    free(copy);
    return r;
}
