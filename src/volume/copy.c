/* The copy of an image's directory into a new volume. Every entry is taken by descriptor from its directory;
 * symlinks are copied, never followed. Hard links inside the tree are kept by a small table. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "volume/volume.h"

enum { LINKS_MAX = 1 << 20, DEPTH_MAX = 4096, XATTR_MAX = 65536 };

struct copied_link {
    dev_t dev;
    ino_t ino;
    char *path; /* below the destination */
};

struct copy {
    int to_root;
    struct copied_link *links;
    size_t link_count;
    unsigned depth;
    struct err *err;
};

static int fail(struct copy *c, int errnum, const char *what, const char *name)
{
    return err_errno(c->err, errnum, "cannot copy %s into the volume: %s", name, what);
}

/* By way of /proc/self/fd, which reaches symlinks and devices opened O_PATH. */
static int copy_xattrs(int from, int to)
{
    char names[4096], source[64], target[64];
    _cleanup_free_ char *value = NULL;
    ssize_t n;

    snprintf(source, sizeof(source), "/proc/self/fd/%d", from);
    snprintf(target, sizeof(target), "/proc/self/fd/%d", to);
    n = listxattr(source, names, sizeof(names));
    if (n <= 0)
        return n == 0 || errno == ENOTSUP || errno == EPERM || errno == ENOENT ? 0 : -errno;
    value = xmalloc(XATTR_MAX);
    for (const char *name = names; name < names + n; name += strlen(name) + 1) {
        ssize_t len = getxattr(source, name, value, XATTR_MAX);

        if (len < 0 || str_starts(name, "trusted.overlay."))
            continue;
        if (setxattr(target, name, value, (size_t)len, 0) < 0 && errno != ENOTSUP)
            return -errno;
    }
    return 0;
}

static int copy_attributes(int from, int to, const struct stat *st)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    char target[64];
    int r;

    snprintf(target, sizeof(target), "/proc/self/fd/%d", to);
    if (fchownat(to, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) < 0)
        return -errno;
    if (!S_ISLNK(st->st_mode)) {
        if (chmod(target, st->st_mode & 07777) < 0)
            return -errno;
        r = copy_xattrs(from, to);
        if (r < 0)
            return r;
    }
    if (utimensat(to, "", times, AT_EMPTY_PATH) < 0 && errno != EINVAL && errno != ENOENT)
        return -errno;
    return 0;
}

static int copy_data(int from, int to)
{
    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    for (;;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);

        if (n == 0)
            return 0;
        if (n > 0)
            continue;
        if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP)
            return -errno;
        break;
    }
    for (;;) {
        char block[65536];
        ssize_t n = read(from, block, sizeof(block));
        int r;

        if (n <= 0)
            return n < 0 ? -errno : 0;
        r = fd_write_full(to, block, (size_t)n);
        if (r < 0)
            return r;
    }
}

static const struct copied_link *find_link(const struct copy *c, const struct stat *st)
{
    for (size_t i = 0; i < c->link_count; i++)
        if (c->links[i].ino == st->st_ino && c->links[i].dev == st->st_dev)
            return &c->links[i];
    return NULL;
}

static void remember_link(struct copy *c, const struct stat *st, const char *path)
{
    if (c->link_count == LINKS_MAX)
        return;
    c->links = xreallocarray(c->links, c->link_count + 1, sizeof(*c->links));
    c->links[c->link_count++] = (struct copied_link){st->st_dev, st->st_ino, xstrdup(path)};
}

static int copy_directory(struct copy *c, int from, int to, const char *path);

/* Makes the entry in `to`; *ret is a descriptor on it for its attributes. */
static int make_entry(int from, const struct stat *st, int to, const char *name, int *ret)
{
    char target[4096];
    ssize_t n;

    switch (st->st_mode & S_IFMT) {
    case S_IFDIR:
        if (mkdirat(to, name, 0700) < 0)
            return -errno;
        *ret = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return *ret < 0 ? -errno : 0;
    case S_IFREG:
        *ret = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        return *ret < 0 ? -errno : 0;
    case S_IFLNK:
        n = readlinkat(from, "", target, sizeof(target) - 1);
        if (n < 0)
            return -errno;
        target[n] = '\0';
        if (symlinkat(target, to, name) < 0)
            return -errno;
        break;
    default:
        if (mknodat(to, name, st->st_mode, st->st_rdev) < 0)
            return -errno;
    }
    *ret = openat(to, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return *ret < 0 ? -errno : 0;
}

static int copy_content(struct copy *c, int handle, const struct stat *st, int to, const char *path)
{
    _cleanup_close_ int from = -EBADF;
    char self[64];
    int r;

    snprintf(self, sizeof(self), "/proc/self/fd/%d", handle);
    from = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (from < 0)
        return fail(c, errno, "open", path);
    if (S_ISDIR(st->st_mode))
        return copy_directory(c, from, to, path);
    r = copy_data(from, to);
    return r < 0 ? fail(c, r, "data", path) : 0;
}

static int copy_entry(struct copy *c, int from_dir, int to_dir, const char *name, const char *parent)
{
    _cleanup_free_ char *path = *parent ? xasprintf("%s/%s", parent, name) : xstrdup(name);
    _cleanup_close_ int handle = openat(from_dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), to = -EBADF;
    const struct copied_link *link = NULL;
    struct stat st;
    int r;

    if (handle < 0 || fstat(handle, &st) < 0)
        return fail(c, errno, "open", path);
    if (S_ISSOCK(st.st_mode))
        return 0;
    if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
        link = find_link(c, &st);
    if (link) {
        if (linkat(c->to_root, link->path, to_dir, name, 0) < 0)
            return fail(c, errno, "link", path);
        return 0;
    }
    r = make_entry(handle, &st, to_dir, name, &to);
    if (r < 0)
        return fail(c, r, "make", path);
    if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
        remember_link(c, &st, path);
    if ((S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) && copy_content(c, handle, &st, to, path) < 0)
        return -1;
    r = copy_attributes(handle, to, &st);
    return r < 0 ? fail(c, r, "attributes", path) : 0;
}

static int copy_directory(struct copy *c, int from, int to, const char *path)
{
    int copy = fcntl(from, F_DUPFD_CLOEXEC, 3), r = 0;
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    if (!dir) {
        close_fd(&copy);
        return fail(c, errno, "read", *path ? path : "the directory");
    }
    if (++c->depth > DEPTH_MAX)
        r = fail(c, ELOOP, "too deep", path);
    while (r == 0 && (entry = readdir(dir)))
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
            r = copy_entry(c, from, to, entry->d_name, path);
    c->depth--;
    closedir(dir);
    return r;
}

static bool is_empty(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;
    bool empty = true;

    if (!dir) {
        close_fd(&copy);
        return false;
    }
    while ((entry = readdir(dir)))
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
            empty = false;
    closedir(dir);
    return empty;
}

int volume_copy_up(int from, int to, struct err *err)
{
    struct copy c = {.to_root = to, .err = err};
    struct stat st;
    int r;

    if (!is_empty(to))
        return 0;
    r = copy_directory(&c, from, to, "");
    if (r == 0 && fstat(from, &st) == 0 && copy_attributes(from, to, &st) < 0)
        r = fail(&c, errno, "attributes", "the directory");
    for (size_t i = 0; i < c.link_count; i++)
        free(c.links[i].path);
    free(c.links);
    return r;
}
