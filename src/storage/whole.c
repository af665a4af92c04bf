/* Copies of merged layers, and comparisons with them: by keg-layer, for what is in them is hostile. */
#include "storage/whole.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/internal.h"

int whole_origin(struct storage *s, const char *top, char ***paths, struct err *err)
{
    strv_push_take(paths, xasprintf("%s/%s/init", s->layers, storage_base_name(top)));
    return layer_stack_paths(s, top, paths, err);
}

/* Opens paths for a worker that is to see them as one tree. */
static int open_merged(struct storage *s, char ***paths, int **ret, size_t *ret_n, struct err *err)
{
    if (strv_len(*paths) > 1)
        layer_add_empty(s, paths);
    return open_dirs(*paths, ret, ret_n, err);
}

int whole_copy(struct storage *s, char ***paths, int dir, const char *name, struct err *err)
{
    struct worker_spec worker = WORKER_SPEC_INIT("apply");
    struct worker_report report;
    _cleanup_close_ int tree = -EBADF;
    int *fds, r;

    if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make %s", name);
    tree = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (tree < 0)
        return err_errno(err, errno, "cannot open %s", name);
    if (open_merged(s, paths, &fds, &worker.n_lower, err) < 0)
        return -1;
    worker.tree = tree;
    worker.lower = fds;
    r = worker_run(s, &worker, &report, err);
    close_dirs(fds, worker.n_lower);
    return r;
}

int whole_name(struct storage *s, const char *made, int dir, const char *name, int r, struct err *err)
{
    if (r == 0 && renameat2(s->layers_fd, made, dir, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (r == 0 && errno != EEXIST)
        r = err_errno(err, errno, "cannot name a tree %s", name);
    driver_remove(s->driver, s->layers_fd, made, NULL);
    return r;
}

int whole_make(struct storage *s, const char *path, const char *name, char ***paths, struct err *err)
{
    _cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char made[NAME_SIZE];
    int r;

    if (dir < 0)
        return err_errno(err, errno, "cannot open %s", path);
    storage_random_name(made, MAKING_PREFIX);
    r = whole_copy(s, paths, s->layers_fd, made, err);
    if (r == 0 && syncfs(dir) < 0)
        r = err_errno(err, errno, "cannot sync %s", path);
    return whole_name(s, made, dir, name, r, err);
}

static int origin_of(struct storage *s, const char *top, char ***paths, struct err *err)
{
    return s->driver->root_origin ? s->driver->root_origin(s, top, paths, err)
                                  : whole_origin(s, top, paths, err);
}

int whole_comparison(struct storage *s, const char *id, const char *top, struct worker_spec *worker,
                     int **ret_fds, struct err *err)
{
    _cleanup_free_ char *root = xasprintf("%s/%s/root", s->containers, id);
    _cleanup_close_ int tree = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_strv_ char **origin = NULL;

    if (tree < 0)
        return err_errno(err, errno, "cannot open %s", root);
    if (origin_of(s, top, &origin, err) < 0 || open_merged(s, &origin, ret_fds, &worker->n_lower, err) < 0)
        return -1;
    worker->tree = take_fd(&tree);
    worker->lower = *ret_fds;
    return 0;
}

int whole_diff(struct storage *s, const char *id, const char *top, int out, struct storage_pack_result *ret,
               int64_t *ret_changed, struct err *err)
{
    struct worker_spec worker = WORKER_SPEC_INIT("compare");
    _cleanup_close_ int nowhere = out < 0 ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -EBADF;
    struct worker_report report;
    int *fds, r;

    if (out < 0 && nowhere < 0)
        return err_errno(err, errno, "cannot open /dev/null");
    if (whole_comparison(s, id, top, &worker, &fds, err) < 0)
        return -1;
    worker.output = out < 0 ? nowhere : out;
    r = worker_run(s, &worker, &report, err);
    close_dirs(fds, worker.n_lower);
    close_fd(&worker.tree);
    if (r < 0)
        return -1;
    pack_take_result(&report, ret);
    if (ret_changed)
        *ret_changed = report.unpacked_size;
    return 0;
}
