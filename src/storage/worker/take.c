/* keg-layer look and take: what is at a path of a container, and all of it as a tar stream. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/worker/packer.h"
#include "storage/worker/place.h"
#include "storage/worker/sandbox.h"

/* The last part of the path is followed only where it ends with "/" or "/.". */
static int look(const struct place *p, struct stat *st, struct err *err)
{
    _cleanup_close_ int fd = path_open_in_root(p->root, p->path, O_PATH | O_NOFOLLOW, 0);

    if (fd >= 0 && fstat(fd, st) == 0)
        return take_fd(&fd);
    if (fd == -ENOENT)
        return err_set(err, ERR_NOT_FOUND, "%s: no such file or directory", p->path);
    return err_errno(err, fd < 0 ? fd : errno, "%s", p->path);
}

static int report_stat(const struct place *p, const struct stat *st, struct err *err)
{
    struct worker_stat out = {.size = st->st_size,
                              .mtime = st->st_mtim.tv_sec,
                              .mtime_ns = st->st_mtim.tv_nsec,
                              .mode = st->st_mode};
    _cleanup_free_ char *target = NULL;
    int r;

    if (S_ISLNK(st->st_mode))
        target = path_resolve_in_root(p->root, p->path, &r);
    if (target && strlen(target) < sizeof(out.target))
        strcpy(out.target, target);
    r = fd_write_full(WORKER_FD_OUTPUT, &out, sizeof(out));
    return r < 0 ? err_errno(err, r, "cannot say what there is") : 0;
}

static int enter(const struct worker_options *o, struct place *p, struct stat *st, struct err *err)
{
    int fd;

    if (place_enter(o, p, err) < 0 || sandbox_seal(err) < 0)
        return -1;
    fd = look(p, st, err);
    if (fd >= 0 && report_stat(p, st, err) < 0)
        close_fd(&fd);
    return fd;
}

int worker_look(const struct worker_options *o, struct worker_report *ret _unused_, struct err *err)
{
    struct place p;
    struct stat st;

    return enter(o, &p, &st, err) < 0 ? -1 : 0;
}

/* A directory, open already, and what is below it. */
static int take_directory(const struct place *p, struct packer *packer, int at, struct err *err)
{
    _cleanup_close_ int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, errno, "%s: cannot open", p->path);
    if (packer_set_path(packer, 0, p->name, err) < 0 || packer_directory(packer, fd, err) < 0)
        return -1;
    return packer_below(packer, fd, err);
}

/* Anything else: by its name in its directory, for it may be nothing that can be opened. */
static int take_entry(const struct place *p, struct packer *packer, struct err *err)
{
    const char *base = strrchr(p->path, '/');
    _cleanup_free_ char *parent = xstrndup(p->path, (size_t)(base + 1 - p->path));
    _cleanup_close_ int dir = path_open_in_root(p->root, parent, O_PATH | O_DIRECTORY, 0);

    if (dir < 0)
        return err_errno(err, dir, "%s: cannot open its directory", p->path);
    if (packer_set_path(packer, 0, p->name, err) < 0)
        return -1;
    return packer_entry(packer, dir, base + 1, 0, err);
}

int worker_take(const struct worker_options *o, struct worker_report *ret, struct err *err)
{
    struct packer *packer = packer_new(o, ret);
    _cleanup_close_ int at = -EBADF;
    struct place p;
    struct stat st;
    int r;

    packer->live = true;
    at = enter(o, &p, &st, err);
    if (at < 0)
        return -1;
    r = S_ISDIR(st.st_mode) ? take_directory(&p, packer, at, err) : take_entry(&p, packer, err);
    return r < 0 ? -1 : packer_end(packer, err);
}
