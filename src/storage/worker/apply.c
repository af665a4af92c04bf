/* keg-layer apply: one tree is put over another.
 *
 * What it is made of ("merged") is one layer in overlay's form, whose whiteouts and opaque directories take effect
 * here, or several layers that overlay has merged. Both sides are walked by open directories, one name at a time: no
 * symlink of either is ever followed. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/tree_remove.h"
#include "storage/worker/packer.h"
#include "storage/worker/sandbox.h"
#include "storage/worker/xattr_policy.h"

enum { PIECE = 256 * 1024 };

struct applier {
    struct packer *p; /* for its path, and reading attributes */
    struct link_map links;
    int top; /* the root of what is written */
    char *piece;
};

static int apply_dir(struct applier *a, int from, int to, struct err *err);

static int refused(const struct applier *a, const char *what, struct err *err)
{
    int errnum = errno;

    return err_errno(err, errnum, "%s: cannot %s", a->p->path, what);
}

/* ---- Attributes ---- */

/* An upper directory's attributes are the only ones that count. */
static int clear_xattrs(struct applier *a, int fd, struct err *err)
{
    struct tar_entry old = {.path = a->p->path};
    bool opaque;
    int r = packer_read_xattrs(a->p, fd, NULL, &old, &opaque, err);

    for (size_t i = 0; i < old.n_xattrs && r == 0; i++)
        if (fremovexattr(fd, old.xattrs[i].name) < 0 && errno != ENODATA)
            r = refused(a, "remove an extended attribute", err);
    packer_free_xattrs(&old);
    return r;
}

static int copy_xattrs(struct applier *a, int from_dir, int from, int to_dir, int to, const char *name,
                       struct err *err)
{
    struct tar_entry e = {.path = a->p->path};
    bool opaque;
    int r = from < 0 && fchdir(from_dir) < 0 ? refused(a, "enter its directory", err)
                                             : packer_read_xattrs(a->p, from, name, &e, &opaque, err);

    if (r == 0 && to < 0 && e.n_xattrs > 0 && fchdir(to_dir) < 0)
        r = refused(a, "enter its directory", err);
    for (size_t i = 0; i < e.n_xattrs && r == 0; i++) {
        const struct tar_xattr *x = &e.xattrs[i];

        r = to >= 0 ? fsetxattr(to, x->name, x->value, x->len, 0)
                    : lsetxattr(name, x->name, x->value, x->len, 0);
        if (r < 0 && errno == EOPNOTSUPP && xattr_policy(x->name) == XATTR_MAY)
            r = 0;
        else if (r < 0)
            r = refused(a, "set an extended attribute", err);
    }
    packer_free_xattrs(&e);
    return r;
}

/* Owner, mode, attributes, time: a new owner takes setuid bits and capabilities away. */
static int set_open(struct applier *a, int from, int to, const struct stat *st, struct err *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};

    if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
        return refused(a, "set its owner and mode", err);
    if (copy_xattrs(a, -EBADF, from, -EBADF, to, NULL, err) < 0)
        return -1;
    return futimens(to, times) < 0 ? refused(a, "set its time", err) : 0;
}

static int set_named(struct applier *a, int from_dir, int to_dir, const char *name, const struct stat *st,
                     struct err *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};

    if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0))
        return refused(a, "set its owner and mode", err);
    if (copy_xattrs(a, from_dir, -EBADF, to_dir, -EBADF, name, err) < 0)
        return -1;
    return utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? refused(a, "set its time", err) : 0;
}

/* ---- One entry each ---- */

/* One piece, shared where the file systems can, else by hand. The bytes copied, or -errno. */
static ssize_t copy_piece(struct applier *a, int from, int to, off_t at, size_t len)
{
    off_t in = at, out = at;
    ssize_t n = copy_file_range(from, &in, to, &out, len, 0);

    if (n > 0 || (n < 0 && errno != EXDEV && errno != EOPNOTSUPP && errno != EINVAL))
        return n < 0 ? -errno : n;
    n = pread(from, a->piece, MIN_OF(len, (size_t)PIECE), at);
    if (n > 0)
        n = pwrite(to, a->piece, (size_t)n, at);
    return n < 0 ? -errno : n == 0 ? -EIO : n;
}

/* Holes stay holes. */
static int copy_data(struct applier *a, int from, int to, off_t size)
{
    off_t at = 0;

    while (at < size) {
        off_t data = lseek(from, at, SEEK_DATA), end = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);

        if (data < 0 && errno == ENXIO)
            break;
        if (data < 0 || end < 0)
            return -errno;
        for (at = data; at < end;) {
            ssize_t n = copy_piece(a, from, to, at, (size_t)(end - at));

            if (n < 0 && n != -EINTR)
                return (int)n;
            at += n > 0 ? n : 0;
        }
    }
    return ftruncate(to, size) < 0 ? -errno : 0;
}

static int apply_file(struct applier *a, int from_dir, int to_dir, const char *name, struct err *err)
{
    _cleanup_close_ int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    _cleanup_close_ int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct stat st;
    int r;

    if (from < 0 || to < 0 || fstat(from, &st) < 0)
        return refused(a, "copy it", err);
    r = copy_data(a, from, to, st.st_size);
    if (r < 0)
        return err_errno(err, r, "%s: cannot copy it", a->p->path);
    a->p->report->unpacked_size += st.st_size;
    return set_open(a, from, to, &st, err);
}

static int apply_special(struct applier *a, int from_dir, int to_dir, const char *name, const struct stat *st,
                         struct err *err)
{
    char target[TAR_PATH_MAX + 1];

    if (S_ISLNK(st->st_mode)) {
        ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

        if (n < 0)
            return refused(a, "read the link", err);
        target[n] = '\0';
        if (symlinkat(target, to_dir, name) < 0)
            return refused(a, "make the link", err);
    } else if (mknodat(to_dir, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0) {
        return refused(a, "make it", err);
    }
    return set_named(a, from_dir, to_dir, name, st, err);
}

/* A second name of what was copied already: 1. */
static int apply_link(struct applier *a, int to_dir, const char *name, const struct stat *st, struct err *err)
{
    const char *first = st->st_nlink < 2 ? NULL : link_map_put(&a->links, st->st_dev, st->st_ino, a->p->path);

    if (!first)
        return 0;
    return linkat(a->top, first, to_dir, name, 0) < 0 ? refused(a, "link it", err) : 1;
}

static bool is_opaque(int fd)
{
    char value;

    return fgetxattr(fd, XATTR_OPAQUE, &value, 1) == 1 && value == 'y';
}

static int apply_subdir(struct applier *a, int from_dir, int to_dir, const char *name, const struct stat *old,
                        struct err *err)
{
    _cleanup_close_ int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                        to = -EBADF;
    struct stat st;

    if (from < 0 || fstat(from, &st) < 0)
        return refused(a, "open it", err);
    if (old && (!S_ISDIR(old->st_mode) || is_opaque(from))) {
        int r = tree_remove(to_dir, name);

        if (r < 0)
            return err_errno(err, r, "%s: cannot remove what is below it", a->p->path);
        old = NULL;
    }
    if (!old && mkdirat(to_dir, name, 0700) < 0)
        return refused(a, "make the directory", err);
    to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return refused(a, "open it", err);
    if (old && clear_xattrs(a, to, err) < 0)
        return -1;
    a->p->path[a->p->path_len++] = '/';
    a->p->path[a->p->path_len] = '\0';
    return apply_dir(a, from, to, err) < 0 ? -1 : set_open(a, from, to, &st, err);
}

static int apply_entry(struct applier *a, int from, int to, const char *name, struct err *err)
{
    struct stat st, old;
    bool there = fstatat(to, name, &old, AT_SYMLINK_NOFOLLOW) == 0;
    int r;

    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return refused(a, "look at it", err);
    if (S_ISDIR(st.st_mode))
        return apply_subdir(a, from, to, name, there ? &old : NULL, err);
    r = there ? tree_remove(to, name) : 0;
    if (r < 0)
        return err_errno(err, r, "%s: cannot remove what is below it", a->p->path);
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0))
        return 0;
    r = apply_link(a, to, name, &st, err);
    if (r != 0)
        return r < 0 ? -1 : 0;
    return S_ISREG(st.st_mode) ? apply_file(a, from, to, name, err)
                               : apply_special(a, from, to, name, &st, err);
}

static int apply_dir(struct applier *a, int from, int to, struct err *err)
{
    _cleanup_strv_ char **names = packer_list(from, err);
    size_t dir_len = a->p->path_len;
    int r = names ? 0 : err_wrap(err, "%s", a->p->path);

    for (char **name = names; r == 0 && *name; name++) {
        r = packer_set_path(a->p, dir_len, *name, err);
        if (r == 0)
            r = apply_entry(a, from, to, *name, err);
        a->p->report->entries++;
    }
    a->p->path_len = dir_len;
    a->p->path[dir_len] = '\0';
    return r;
}

int worker_apply(const struct worker_options *o, struct worker_report *ret, struct err *err)
{
    struct sandbox_root root = {.tree = WORKER_FD_TREE, .at = "layer", .work = -EBADF};
    struct applier a = {.p = packer_new(o, ret), .piece = xmalloc(PIECE)};
    _cleanup_close_ int from = -EBADF, to = -EBADF;
    int lower[WORKER_LOWER_MAX];
    struct stat st;

    worker_lower(o, &root, lower);
    if (sandbox_enter(&root, WORKER_FD_TREE, err) < 0 || sandbox_seal(err) < 0)
        return -1;
    from = open("/merged", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    to = open("/layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0 || to < 0 || fstat(from, &st) < 0)
        return err_errno(err, errno, "cannot open the trees");
    a.top = to;
    if (clear_xattrs(&a, to, err) < 0 || apply_dir(&a, from, to, err) < 0)
        return -1;
    return set_open(&a, from, to, &st, err);
}
