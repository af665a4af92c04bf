/* Looking into a stack of layers without mounting it: overlay's rules, name by name.
 *
 * A directory of the merged tree is a set of real directories, topmost first. A name in it is what the
 * topmost of them says; if that is a directory, lower ones join it, until one is opaque or something else. A
 * symlink or ".." starts the walk anew from the root with a longer path, so no real ".." or symlink is ever
 * followed. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/internal.h"

enum { WALKS_MAX = 200, PATH_TEXT_MAX = 16 * 1024 };

/* One directory of the merged tree. */
struct merged_dir {
    int *fds;
    size_t n;
};

/* What a name stands for. */
struct found {
    int dir; /* the real directory that has it; belongs to the merged_dir it was found in */
    struct stat st;
    struct merged_dir sub; /* if it is a directory */
};

static void merged_finish(struct merged_dir *d)
{
    for (size_t i = 0; i < d->n; i++)
        close(d->fds[i]);
    free(d->fds);
    *d = (struct merged_dir){};
}

static void merged_add(struct merged_dir *d, int fd)
{
    d->fds = xreallocarray(d->fds, d->n + 1, sizeof(*d->fds));
    d->fds[d->n++] = fd;
}

static int merged_open_root(const struct storage_rootfs *r, struct merged_dir *ret)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd;

    *ret = (struct merged_dir){};
    if (r->upper || r->root) {
        fd = open(r->root ? r->root : r->upper, flags);
        if (fd < 0)
            return -errno;
        merged_add(ret, fd);
    }
    for (char **path = r->lower; path && *path; path++) {
        fd = open(*path, flags);
        if (fd < 0)
            return -errno;
        merged_add(ret, fd);
    }
    return 0;
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static bool is_opaque(int fd)
{
    char value;

    return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/* Looks up one name. 0 or -ENOENT. ret->sub is the caller's to finish. */
static int merged_lookup(const struct merged_dir *d, const char *name, struct found *ret)
{
    *ret = (struct found){.dir = -EBADF};
    for (size_t i = 0; i < d->n; i++) {
        struct stat st;
        int fd;

        if (fstatat(d->fds[i], name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (ret->dir < 0 && !is_whiteout(&st)) {
            ret->dir = d->fds[i];
            ret->st = st;
        }
        if (!S_ISDIR(st.st_mode))
            break;
        fd = openat(d->fds[i], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            break;
        merged_add(&ret->sub, fd);
        if (is_opaque(fd))
            break;
    }
    return ret->dir < 0 ? -ENOENT : 0;
}

struct walk {
    char *path;            /* what is still to be resolved, from the root */
    char *done;            /* what was: real names only */
    struct merged_dir dir; /* the directory that holds the last name of `done` */
    struct found found;    /* what that name is */
    char *name;            /* that name; "" for the root itself */
};

static void walk_reset(struct walk *w)
{
    merged_finish(&w->dir);
    merged_finish(&w->found.sub);
    free(w->done);
    free(w->name);
    *w = (struct walk){.path = w->path, .done = xstrdup(""), .name = xstrdup("")};
}

static void walk_finish(struct walk *w)
{
    walk_reset(w);
    free(w->done);
    free(w->name);
    free(w->path);
    *w = (struct walk){};
}

/* The walk starts anew with the path "base/middle/rest". Returns 1, or -ENAMETOOLONG. */
static int walk_again(struct walk *w, const char *base, const char *middle, char *const *rest)
{
    _cleanup_free_ char *tail = strv_join(rest, "/");
    char *path = xasprintf("%s/%s/%s", base, middle, tail);

    free(w->path);
    w->path = path;
    return strlen(path) > PATH_TEXT_MAX ? -ENAMETOOLONG : 1;
}

/* The link found last is replaced by its target. */
static int walk_link(struct walk *w, const char *name, char *const *rest)
{
    char target[4096];
    ssize_t n = readlinkat(w->found.dir, name, target, sizeof(target) - 1);

    if (n < 0)
        return -errno;
    target[n] = '\0';
    return walk_again(w, target[0] == '/' ? "" : w->done, target, rest);
}

/* The directory reached last loses its last name. */
static int walk_up(struct walk *w, char *const *rest)
{
    char *slash = strrchr(w->done, '/');

    if (slash)
        *slash = '\0';
    return walk_again(w, w->done, "", rest);
}

/* Goes into what was found last and looks `name` up there. */
static int walk_down(struct walk *w, const char *name)
{
    char *done = xasprintf("%s/%s", w->done, name);

    if (*w->name) {
        merged_finish(&w->dir);
        w->dir = w->found.sub;
        w->found.sub = (struct merged_dir){};
    }
    free(w->name);
    w->name = xstrdup(name);
    free(w->done);
    w->done = done;
    return merged_lookup(&w->dir, name, &w->found);
}

/* One walk from the root. 0; 1: w->path was changed, go again. */
static int walk_once(const struct storage_rootfs *r, bool follow_last, struct walk *w)
{
    _cleanup_strv_ char **parts = strv_split(w->path, '/');
    int error = merged_open_root(r, &w->dir);

    if (error == 0 && w->dir.n > 0 && fstat(w->dir.fds[0], &w->found.st) < 0)
        error = -errno;
    for (char **part = parts; error == 0 && *part; part++) {
        if (str_empty(*part) || str_eq(*part, "."))
            continue;
        if (str_eq(*part, ".."))
            return walk_up(w, part + 1);
        error = walk_down(w, *part);
        if (error == 0 && S_ISLNK(w->found.st.st_mode) && (follow_last || part[1])) {
            char *slash = strrchr(w->done, '/');

            *slash = '\0'; /* a link counts from its directory */
            return walk_link(w, *part, part + 1);
        }
    }
    return error;
}

static int walk(const struct storage_rootfs *r, const char *path, bool follow_last, struct walk *ret)
{
    int error = 1;

    *ret = (struct walk){.path = xstrdup(path)};
    for (int i = 0; error == 1 && i < WALKS_MAX; i++) {
        walk_reset(ret);
        error = walk_once(r, follow_last, ret);
    }
    if (error == 1)
        error = -ELOOP;
    if (error < 0)
        walk_finish(ret);
    return error;
}

/* A container may put something else under the name at any moment. */
static int read_regular(int dir, const char *name, struct buf *b)
{
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return errno == ELOOP ? -EINVAL : -errno;
    return S_ISREG(st.st_mode) ? fd_read_all(fd, b) : -EINVAL;
}

int storage_stat(const struct storage_rootfs *r, const char *path, bool follow_last, struct stat *ret,
                 struct err *err)
{
    struct walk w;
    int error = walk(r, path, follow_last, &w);

    if (error == -ENOENT)
        return err_set(err, ERR_NOT_FOUND, "%s: no such file or directory", path);
    if (error < 0)
        return err_errno(err, error, "%s: cannot look it up", path);
    *ret = w.found.st;
    walk_finish(&w);
    return 0;
}

int storage_read_file(const struct storage_rootfs *r, const char *path, struct buf *b, struct err *err)
{
    struct walk w;
    int error = walk(r, path, /* follow_last= */ true, &w);

    if (error == 0)
        error = *w.name && S_ISREG(w.found.st.st_mode) ? read_regular(w.found.dir, w.name, b) : -EINVAL;
    walk_finish(&w);
    if (error == -ENOENT)
        return err_set(err, ERR_NOT_FOUND, "%s: no such file or directory", path);
    if (error == -EINVAL)
        return err_set(err, ERR_INVALID, "%s: no regular file", path);
    if (error == -E2BIG)
        return err_set(err, ERR_INVALID, "%s: larger than the %zu bytes that are read of it", path, b->max);
    return error < 0 ? err_errno(err, error, "%s: cannot read it", path) : 0;
}
