/* A tar stream becomes files.
 *
 * The stream is the daemon's, and what it holds a container's: it may be hostile. Every name is opened below the destination by
 * RESOLVE_BENEATH, so that neither "..", nor a symbolic link that the stream (or an earlier one) has made, leads out; what is made
 * is made in the directory so opened, without following. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/copy.h"

/* Modes and times of directories wait until all that is in them is there. */
struct waiting {
    char *path;
    mode_t mode;
    struct timespec mtime;
};

struct unpacker {
    struct tar_reader *reader;
    int root;
    const char *dir, *from, *to;
    struct waiting *waiting;
    size_t waiting_count, waiting_room;
};

static int open_beneath(int root, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

/* Opens a directory below root, making what is missing. Descriptor or -errno. */
static int open_parent(int root, const char *path)
{
    int fd = open_beneath(root, path, O_PATH | O_DIRECTORY);
    _cleanup_free_ char *above = NULL;
    _cleanup_close_ int parent = -EBADF;
    const char *slash;

    if (fd != -ENOENT || !*path)
        return fd;
    slash = strrchr(path, '/');
    above = xstrndup(path, slash ? (size_t)(slash - path) : 0);
    parent = open_parent(root, above);
    if (parent < 0)
        return parent;
    if (mkdirat(parent, slash ? slash + 1 : path, 0755) < 0 && errno != EEXIST)
        return -errno;
    return open_beneath(root, path, O_PATH | O_DIRECTORY);
}

/* The name below the destination, "" for that itself; NULL if it leads out. The caller frees. */
static char *place_of(const struct unpacker *u, const char *name, struct err *err)
{
    _cleanup_free_ char *rooted = NULL, *clean = NULL;
    const char *rest;
    size_t first;

    name += strspn(name, "/");
    for (const char *p = name; p && *p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (strncmp(p, "..", 2) == 0 && strchr("/", p[2])) {
            err_set(err, ERR_INVALID, "\"%s\" is outside of \"%s\"", name, u->dir);
            return NULL;
        }
    rooted = xasprintf("/%s", name);
    clean = path_clean(rooted);
    rest = clean + 1;
    if (!u->to)
        return xstrdup(rest);
    first = strlen(u->from);
    if (!first)
        return xasprintf("%s%s%s", u->to, *rest ? "/" : "", rest);
    if (strncmp(rest, u->from, first) != 0 || !strchr("/", rest[first]))
        return xstrdup(rest);
    return xasprintf("%s%s", u->to, rest + first);
}

/* ---- one file ---- */

static int write_data(struct unpacker *u, int fd, const struct tar_entry *e, struct err *err)
{
    const uint8_t *data;
    int64_t offset;
    ssize_t n;

    while ((n = tar_reader_data(u->reader, &data, &offset, err)) > 0)
        for (ssize_t done = 0; done < n;) {
            ssize_t written = pwrite(fd, data + done, (size_t)(n - done), offset + done);

            if (written < 0 && errno != EINTR)
                return err_errno(err, errno, "write %s", e->path);
            done += MAX_OF(written, 0);
        }
    if (n < 0)
        return -1;
    return ftruncate(fd, e->size) < 0 ? err_errno(err, errno, "write %s", e->path)
                                      : 0; /* a hole at its end */
}

static int make_file(struct unpacker *u, int parent, const char *name, const struct tar_entry *e,
                     struct err *err)
{
    _cleanup_close_ int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_errno(err, errno, "%s", e->path);
    if (write_data(u, fd, e, err) < 0)
        return -1;
    for (size_t i = 0; i < e->n_xattrs; i++) /* what the file system or the user can't have, stays behind */
        fsetxattr(fd, e->xattrs[i].name, e->xattrs[i].value, e->xattrs[i].len, 0);
    return fchmod(fd, e->mode) < 0 ? err_errno(err, errno, "chmod %s", e->path) : 0;
}

/* Another name of what the same archive has brought. */
static int make_link(struct unpacker *u, int parent, const char *name, const struct tar_entry *e,
                     struct err *err)
{
    _cleanup_free_ char *target = place_of(u, e->link, err);
    const char *slash = target ? strrchr(target, '/') : NULL;
    _cleanup_free_ char *above = target ? xstrndup(target, slash ? (size_t)(slash - target) : 0) : NULL;
    _cleanup_close_ int dir = -EBADF;

    if (!target)
        return -1;
    dir = open_beneath(u->root, above, O_PATH | O_DIRECTORY);
    if (dir < 0)
        return err_errno(err, dir, "link %s to %s", e->path, e->link);
    return linkat(dir, slash ? slash + 1 : target, parent, name, 0) < 0
               ? err_errno(err, errno, "link %s to %s", e->path, e->link)
               : 0;
}

static int make_other(int parent, const char *name, const struct tar_entry *e, struct err *err)
{
    mode_t kind = e->type == TAR_CHAR ? S_IFCHR : e->type == TAR_BLOCKDEV ? S_IFBLK : S_IFIFO;
    int r = e->type == TAR_SYMLINK
                ? symlinkat(e->link, parent, name)
                : mknodat(parent, name, kind | e->mode, makedev(e->dev_major, e->dev_minor));

    if (r == 0 && e->type != TAR_SYMLINK)
        r = fchmodat(parent, name, e->mode, 0); /* made a moment ago, and no link */
    return r < 0 ? err_errno(err, errno, "%s", e->path) : 0;
}

static void set_time(int parent, const char *name, const struct tar_entry *e)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = e->mtime, .tv_nsec = e->mtime_ns}};

    utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW);
}

/* ---- directories ---- */

static void remember(struct unpacker *u, const char *path, const struct tar_entry *e)
{
    if (u->waiting_count == u->waiting_room) {
        u->waiting_room = u->waiting_room ? u->waiting_room * 2 : 64;
        u->waiting = xreallocarray(u->waiting, u->waiting_room, sizeof(*u->waiting));
    }
    u->waiting[u->waiting_count++] =
        (struct waiting){xstrdup(path), e->mode, {.tv_sec = e->mtime, .tv_nsec = e->mtime_ns}};
}

static int make_directory(struct unpacker *u, int parent, const char *name, const char *path,
                          const struct tar_entry *e, struct err *err)
{
    if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
        return err_errno(err, errno, "mkdir %s", e->path);
    remember(u, path, e);
    return 0;
}

static void finish_directories(struct unpacker *u)
{
    for (size_t i = u->waiting_count; i-- > 0;) {
        const struct waiting *w = &u->waiting[i];
        struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, w->mtime};
        _cleanup_close_ int fd = open_beneath(u->root, w->path, O_RDONLY | O_DIRECTORY);

        if (fd >= 0) {
            fchmod(fd, w->mode);
            futimens(fd, times);
        }
        free(w->path);
    }
    free(u->waiting);
}

/* ---- entries ---- */

/* Takes away what is in the way, as far as that is allowed. 1 if the place is a directory that stays. */
static int make_room(const struct unpacker *u, int parent, const char *name, const char *path,
                     const struct tar_entry *e, struct err *err)
{
    struct stat st;

    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "lstat %s", path);
    if (S_ISDIR(st.st_mode) && e->type == TAR_DIR)
        return 1;
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "cannot overwrite directory \"%s/%s\" with non-directory \"%s\"",
                       u->dir, path, u->dir);
    if (e->type == TAR_DIR)
        return err_set(err, ERR_INVALID, "cannot overwrite non-directory \"%s/%s\" with directory \"%s\"",
                       u->dir, path, u->dir);
    return unlinkat(parent, name, 0) < 0 ? err_errno(err, errno, "remove %s", path) : 0;
}

static int unpack_entry(struct unpacker *u, const struct tar_entry *e, struct err *err)
{
    _cleanup_free_ char *path = place_of(u, e->path, err), *above = NULL;
    const char *slash = path ? strrchr(path, '/') : NULL, *name;
    _cleanup_close_ int parent = -EBADF;
    int r;

    if (!path)
        return -1;
    if (!*path) /* the destination itself, which is there */
        return e->type == TAR_DIR ? 0 : err_set(err, ERR_INVALID, "\"%s\" is no name for a file", e->path);
    above = xstrndup(path, slash ? (size_t)(slash - path) : 0);
    name = slash ? slash + 1 : path;
    parent = open_parent(u->root, above);
    if (parent == -EXDEV)
        return err_set(err, ERR_INVALID, "\"%s\": a symbolic link on the way leads out of \"%s\"", e->path,
                       u->dir);
    if (parent < 0)
        return err_errno(err, parent, "%s", e->path);
    r = make_room(u, parent, name, path, e, err);
    if (r < 0)
        return -1;
    if (e->type == TAR_DIR) /* one that was there gets mode and time as well */
        return make_directory(u, parent, name, path, e, err);
    if (e->type == TAR_HARDLINK)
        return make_link(u, parent, name, e, err);
    r = e->type == TAR_FILE ? make_file(u, parent, name, e, err) : make_other(parent, name, e, err);
    if (r == 0)
        set_time(parent, name, e);
    return r;
}

int copy_unpack(const struct tar_input *input, const char *dir, const char *from, const char *to,
                struct err *err)
{
    struct unpacker u = {
        .root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), .dir = dir, .from = from, .to = to};
    const struct tar_entry *e;
    int r;

    if (u.root < 0)
        return err_errno(err, errno, "open %s", dir);
    u.reader = tar_reader_new(input);
    while ((r = tar_reader_next(u.reader, &e, err)) > 0)
        if (unpack_entry(&u, e, err) < 0) {
            r = -1;
            break;
        }
    if (r == 0)
        r = tar_reader_drain(u.reader, err);
    finish_directories(&u);
    tar_reader_free(u.reader);
    close(u.root);
    return r;
}
