/* A layer's tree, as entries of an archive write it. */
#include "storage/worker/tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/str.h"
#include "storage/tree_remove.h"
#include "storage/worker/layer_path.h"
#include "storage/worker/xattr_policy.h"

#define WHITEOUT        ".wh."
#define WHITEOUT_META   ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

enum { TIMES_MAX = 128 * 1024 * 1024 }; /* bytes of directory times kept for the end */

/* A directory's time, set when nothing more is put into it. In a buffer: this, then the path and a NUL. */
struct dir_time {
    struct timespec mtime;
    uint32_t path_len;
};

struct tree {
    int root;
    bool root_described;
    int64_t size;
    char parent_path[TAR_PATH_MAX + 1]; /* the directory opened last… */
    int parent;                         /* …O_PATH; -EBADF: none */
    struct buf times;
    struct buf links; /* hard links whose target wasn't there: path, NUL, target, NUL */
    struct pending pending;
};

struct tree *tree_new(int root)
{
    struct tree *t = xcalloc(1, sizeof(*t));

    t->root = root;
    t->parent = -EBADF;
    t->times = (struct buf)BUF_INIT(TIMES_MAX);
    t->links = (struct buf)BUF_INIT(PENDING_MAX);
    t->pending = (struct pending)PENDING_INIT;
    return t;
}

void tree_free(struct tree *t)
{
    if (!t)
        return;
    close_fd(&t->parent);
    buf_finish(&t->times);
    buf_finish(&t->links);
    buf_finish(&t->pending.text);
    free(t);
}

int64_t tree_size(const struct tree *t)
{
    return t->size;
}

bool tree_root_described(const struct tree *t)
{
    return t->root_described;
}

/* ---- Parents ---- */

static int open_below(int dir, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve};
    long fd = syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

static void forget_parent(struct tree *t)
{
    close_fd(&t->parent);
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int set_opaque(int fd)
{
    return fsetxattr(fd, XATTR_OPAQUE, "y", 1, 0) < 0 ? -errno : 0;
}

/* Makes a directory that hides what the layers below have under its name. */
static int make_opaque_dir(int parent, const char *name)
{
    _cleanup_close_ int fd = -EBADF;

    if (mkdirat(parent, name, 0755) < 0)
        return -errno;
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : set_opaque(fd);
}

/* Makes one directory on the way to an entry. `dir` is where it goes, `path` its path in the layer. */
static int make_implied(struct tree *t, int dir, const char *name, const char *path)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!is_whiteout(&st))
            return S_ISLNK(st.st_mode) ? -ELOOP : -ENOTDIR;
        /* This layer removes the name and then uses it as a directory: a new one. */
        if (unlinkat(dir, name, 0) < 0)
            return -errno;
        return make_opaque_dir(dir, name);
    }
    if (mkdirat(dir, name, 0755) < 0)
        return -errno;
    pending_add_dir(&t->pending, path);
    return 0;
}

/* Goes to `path` step by step, making what is missing. */
static int walk_parents(struct tree *t, const char *path)
{
    const uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    _cleanup_close_ int dir = open_below(t->root, "", O_PATH | O_DIRECTORY, resolve);
    _cleanup_free_ char *prefix = xstrdup(path);

    for (char *start = prefix, *end; dir >= 0 && *start; start = end) {
        int next;
        char kept;

        end = start + strcspn(start, "/");
        kept = *end;
        *end = '\0';
        next = open_below(t->root, prefix, O_PATH | O_DIRECTORY, resolve);
        if (next == -ENOENT || next == -ENOTDIR) {
            int r = make_implied(t, dir, start, prefix);

            if (r < 0)
                return r;
            next = open_below(dir, start, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        }
        if (next < 0)
            return next;
        close_fd(&dir);
        dir = next;
        *end = kept;
        end += kept == '/';
    }
    return take_fd(&dir);
}

/* The directory that holds an entry, made if it is missing; it stays the tree's. */
static int open_parent(struct tree *t, const struct layer_path *path, struct err *err)
{
    char parent[TAR_PATH_MAX + 1];
    int fd;

    layer_path_parent(path, parent);
    if (t->parent >= 0 && str_eq(parent, t->parent_path))
        return t->parent;
    if (str_starts(parent, WHITEOUT) || strstr(parent, "/" WHITEOUT))
        return err_set(err, ERR_INVALID, "%s: a part of the path is named like a whiteout", path->text);
    fd = open_below(t->root, parent, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (fd < 0)
        fd = walk_parents(t, parent);
    if (fd == -ENOTDIR || fd == -ELOOP)
        return err_set(err, ERR_INVALID, "%s: a part of the path is no directory", path->text);
    if (fd < 0)
        return err_errno(err, fd, "%s: cannot open %s", path->text, parent);
    forget_parent(t);
    t->parent = fd;
    strcpy(t->parent_path, parent);
    return fd;
}

/* ---- Attributes ---- */

static int refused(struct err *err, const char *path, const char *what)
{
    int errnum = errno;

    return err_errno(err, errnum, "%s: cannot %s", path, what);
}

/* Where attributes are set: an open file or directory, or (fd < 0) a name in the parent, for what can't be
 * opened. */
struct target {
    int fd;
    int parent;
    const char *name;
};

static int set_xattr(const struct target *at, const struct tar_xattr *x)
{
    if (at->fd >= 0)
        return fsetxattr(at->fd, x->name, x->value, x->len, 0);
    /* There is no lsetxattr relative to a directory before Linux 6.13; this thread alone uses the working
     * directory. */
    if (fchdir(at->parent) < 0)
        return -1;
    return lsetxattr(at->name, x->name, x->value, x->len, 0);
}

static int set_xattrs(const struct target *at, const struct tar_entry *e, struct err *err)
{
    for (size_t i = 0; i < e->n_xattrs; i++) {
        const struct tar_xattr *x = &e->xattrs[i];
        enum xattr_policy policy = xattr_policy(x->name);

        if (policy == XATTR_DROP || set_xattr(at, x) == 0)
            continue;
        if (policy == XATTR_MAY && (errno == EOPNOTSUPP || errno == EPERM))
            continue; /* user.* on a symlink, or a file system without them */
        return err_errno(err, errno, "%s: cannot set the extended attribute %s (%zu bytes)", e->path, x->name,
                         x->len);
    }
    return 0;
}

/* Owner, mode, attributes, in this order: a new owner takes setuid bits and capabilities away. */
static int set_attributes(const struct target *at, const struct tar_entry *e, struct err *err)
{
    int r = at->fd >= 0 ? fchown(at->fd, e->uid, e->gid)
                        : fchownat(at->parent, at->name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW);

    if (r < 0)
        return refused(err, e->path, "set its owner");
    if (e->type != TAR_SYMLINK) {
        r = at->fd >= 0 ? fchmod(at->fd, e->mode) : fchmodat(at->parent, at->name, e->mode, 0);
        if (r < 0)
            return refused(err, e->path, "set its mode");
    }
    return set_xattrs(at, e, err);
}

static int set_times(const struct target *at, const struct tar_entry *e, struct err *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {e->mtime, e->mtime_ns}};
    int r =
        at->fd >= 0 ? futimens(at->fd, times) : utimensat(at->parent, at->name, times, AT_SYMLINK_NOFOLLOW);

    return r < 0 ? refused(err, e->path, "set its time") : 0;
}

static int defer_time(struct tree *t, const struct tar_entry *e, const char *path, struct err *err)
{
    struct dir_time dt = {{e->mtime, e->mtime_ns}, (uint32_t)strlen(path)};

    buf_append(&t->times, &dt, sizeof(dt));
    buf_append(&t->times, path, dt.path_len + 1);
    if (buf_failed(&t->times))
        return err_set(err, ERR_INVALID, "%s: too many directories in one layer", path);
    return 0;
}

/* ---- Entries ---- */

/* Takes away what an earlier entry of this archive left under the name. *ret_whiteout: it was one, so what
 * comes now hides the layers below. A directory is kept for a directory, which the result 1 tells. */
static int clear_name(int parent, const char *name, bool for_dir, bool *ret_whiteout)
{
    struct stat st;

    *ret_whiteout = false;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    *ret_whiteout = is_whiteout(&st);
    if (!S_ISDIR(st.st_mode))
        return unlinkat(parent, name, 0) < 0 ? -errno : 0;
    if (for_dir)
        return 1;
    return tree_remove(parent, name);
}

static int add_dir(struct tree *t, const struct tar_entry *e, int parent, const struct layer_path *path,
                   struct err *err)
{
    const char *name = path->text + path->name;
    _cleanup_close_ int fd = -EBADF;
    bool whiteout = false;
    int r;

    if (mkdirat(parent, name, 0700) < 0) {
        r = errno == EEXIST ? clear_name(parent, name, /* for_dir= */ true, &whiteout) : -errno;
        if (r < 0 || (r == 0 && mkdirat(parent, name, 0700) < 0))
            return refused(err, e->path, "make the directory");
    }
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return refused(err, e->path, "open the directory");
    if (whiteout && (r = set_opaque(fd)) < 0)
        return err_errno(err, r, "%s: cannot make it opaque", e->path);
    if (set_attributes(&(struct target){.fd = fd}, e, err) < 0)
        return -1;
    return defer_time(t, e, path->text, err);
}

static int write_piece(int fd, const uint8_t *data, size_t len, int64_t offset)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
        offset += n;
    }
    return 0;
}

static int write_data(int fd, const struct tar_entry *e, struct tar_reader *reader, struct err *err)
{
    const uint8_t *data;
    int64_t offset;
    ssize_t n;

    while ((n = tar_reader_data(reader, &data, &offset, err)) > 0)
        if (write_piece(fd, data, (size_t)n, offset) < 0)
            return refused(err, e->path, "write");
    if (n < 0)
        return err_wrap(err, "%s", e->path);
    /* Holes at the end; before the end they came by themselves. */
    if (e->segments && ftruncate(fd, e->size) < 0)
        return refused(err, e->path, "write");
    return 0;
}

static int add_file(struct tree *t, const struct tar_entry *e, int parent, const struct layer_path *path,
                    struct tar_reader *reader, struct err *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const char *name = path->text + path->name;
    struct target at = {};
    _cleanup_close_ int fd = openat(parent, name, flags, 0600);
    bool whiteout;

    if (fd < 0 && errno == EEXIST) {
        int r = clear_name(parent, name, /* for_dir= */ false, &whiteout);

        if (r < 0)
            return err_errno(err, r, "%s: cannot replace it", e->path);
        fd = openat(parent, name, flags, 0600);
    }
    if (fd < 0)
        return refused(err, e->path, "create the file");
    at.fd = fd;
    t->size += e->size;
    if (write_data(fd, e, reader, err) < 0 || set_attributes(&at, e, err) < 0)
        return -1;
    return set_times(&at, e, err);
}

static int make_special(const struct tar_entry *e, int parent, const char *name)
{
    switch (e->type) {
    case TAR_SYMLINK:
        return symlinkat(e->link, parent, name);
    case TAR_FIFO:
        return mknodat(parent, name, S_IFIFO | 0600, 0);
    case TAR_CHAR:
        return mknodat(parent, name, S_IFCHR | 0600, makedev(e->dev_major, e->dev_minor));
    default:
        return mknodat(parent, name, S_IFBLK | 0600, makedev(e->dev_major, e->dev_minor));
    }
}

/* Symlinks, FIFOs, devices. */
static int add_special(const struct tar_entry *e, int parent, const struct layer_path *path, struct err *err)
{
    struct target at = {.fd = -EBADF, .parent = parent, .name = path->text + path->name};
    bool whiteout;
    int r;

    if (e->type == TAR_CHAR && e->dev_major == 0 && e->dev_minor == 0)
        return err_set(err, ERR_INVALID, "%s: a device 0:0 in a layer would hide what is below it", e->path);
    if (e->type == TAR_SYMLINK && !e->link[0])
        return err_set(err, ERR_INVALID, "%s: a symbolic link to nothing", e->path);
    r = clear_name(parent, at.name, /* for_dir= */ false, &whiteout);
    if (r < 0)
        return err_errno(err, r, "%s: cannot replace it", e->path);
    if (make_special(e, parent, at.name) < 0)
        return refused(err, e->path, "create it");
    if (set_attributes(&at, e, err) < 0)
        return -1;
    return set_times(&at, e, err);
}

/* ---- Hard links ---- */

/* Links path to target, both in this layer. -ENOENT: the target isn't. */
static int make_link(struct tree *t, const struct layer_path *path, const struct layer_path *target,
                     int parent)
{
    char dir[TAR_PATH_MAX + 1];
    _cleanup_close_ int fd = -EBADF;
    const char *name = path->text + path->name;
    struct stat st, old;
    bool whiteout;
    int r;

    layer_path_parent(target, dir);
    fd = open_below(t->root, dir, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (fd < 0)
        return fd;
    if (fstatat(fd, target->text + target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode) || is_whiteout(&st))
        return -EPERM;
    if (fstatat(parent, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && old.st_ino == st.st_ino)
        return 0; /* a link to itself, or there already */
    r = clear_name(parent, name, /* for_dir= */ false, &whiteout);
    if (r < 0)
        return r;
    return linkat(fd, target->text + target->name, parent, name, 0) < 0 ? -errno : 0;
}

static int add_link(struct tree *t, const struct tar_entry *e, int parent, const struct layer_path *path,
                    struct err *err)
{
    struct layer_path target;
    bool whiteout;
    int r;

    if (layer_path_set(&target, e->link, err) < 0)
        return err_wrap(err, "%s: hard link", e->path);
    if (!target.text[0])
        return err_set(err, ERR_INVALID, "%s: a hard link to a directory", e->path);
    r = make_link(t, path, &target, parent);
    if (r == -EPERM)
        return err_set(err, ERR_INVALID,
                       "%s: a hard link to %s, which is a directory or removed by this layer", e->path,
                       e->link);
    if (r == -ENOENT) { /* maybe later in this archive, maybe in a layer below */
        r = clear_name(parent, path->text + path->name, /* for_dir= */ false, &whiteout);
        buf_append(&t->links, path->text, strlen(path->text) + 1);
        buf_append(&t->links, target.text, strlen(target.text) + 1);
        if (buf_failed(&t->links))
            return err_set(err, ERR_INVALID, "%s: too many hard links to files that aren't there", e->path);
    }
    return r < 0 ? err_errno(err, r, "%s: cannot link it to %s", e->path, e->link) : 0;
}

/* ---- Whiteouts ---- */

static int add_opaque(const struct tar_entry *e, int parent, struct err *err)
{
    _cleanup_close_ int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : set_opaque(fd);

    return r < 0 ? err_errno(err, r, "%s: cannot make the directory opaque", e->path) : 0;
}

static int add_whiteout(const struct tar_entry *e, int parent, const char *name, struct err *err)
{
    const char *hidden = name + strlen(WHITEOUT);
    struct stat st;

    if (str_eq(name, WHITEOUT_OPAQUE))
        return add_opaque(e, parent, err);
    if (str_starts(name, WHITEOUT_META)) /* what aufs kept for itself */
        return 0;
    if (str_empty(hidden) || str_eq(hidden, ".") || str_eq(hidden, ".."))
        return err_set(err, ERR_INVALID, "%s: a whiteout of no name", e->path);
    if (fstatat(parent, hidden, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        /* Whiteouts are of the layers below only: what this layer has stays, but a directory starts anew. */
        if (!S_ISDIR(st.st_mode))
            return 0;
        fd = openat(parent, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? -errno : set_opaque(fd);
        return r < 0 ? err_errno(err, r, "%s: cannot make the directory opaque", e->path) : 0;
    }
    if (mknodat(parent, hidden, S_IFCHR, makedev(0, 0)) < 0)
        return refused(err, e->path, "make the whiteout");
    return 0;
}

/* ---- All together ---- */

static int add_root(struct tree *t, const struct tar_entry *e, struct err *err)
{
    _cleanup_close_ int fd = -EBADF;

    if (e->type != TAR_DIR)
        return err_set(err, ERR_INVALID, "%s: the layer's root has to be a directory", e->path);
    fd = open_below(t->root, "", O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH);
    if (fd < 0)
        return err_errno(err, fd, "%s: cannot open it", e->path);
    if (set_attributes(&(struct target){.fd = fd}, e, err) < 0)
        return -1;
    t->root_described = true;
    return defer_time(t, e, "", err);
}

int tree_add(struct tree *t, const struct tar_entry *e, struct tar_reader *reader, struct err *err)
{
    struct layer_path path;
    const char *name;
    int parent;

    if (layer_path_set(&path, e->path, err) < 0)
        return -1;
    if (!path.text[0])
        return add_root(t, e, err);
    name = path.text + path.name;
    parent = open_parent(t, &path, err);
    if (parent < 0)
        return -1;
    if (str_starts(name, WHITEOUT))
        return add_whiteout(e, parent, name, err);
    switch (e->type) {
    case TAR_DIR:
        return add_dir(t, e, parent, &path, err);
    case TAR_FILE:
        return add_file(t, e, parent, &path, reader, err);
    case TAR_HARDLINK:
        return add_link(t, e, parent, &path, err);
    case TAR_SYMLINK:
        t->size += (int64_t)strlen(e->link); /* as a file system counts it */
        return add_special(e, parent, &path, err);
    default:
        return add_special(e, parent, &path, err);
    }
}

/* Links whose target came later in the archive are made now; the others are for the layers below. */
static int finish_links(struct tree *t, struct err *err)
{
    const char *p = buf_str(&t->links), *end = p + t->links.len;

    while (p < end) {
        struct layer_path path, target;
        struct stat st;
        int parent, r;

        if (layer_path_set(&path, p, err) < 0 || layer_path_set(&target, p + strlen(p) + 1, err) < 0)
            return -1;
        p += strlen(p) + 1;
        p += strlen(p) + 1;
        parent = open_parent(t, &path, err);
        if (parent < 0)
            return -1;
        if (fstatat(parent, path.text + path.name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            continue; /* a later entry took the name */
        r = make_link(t, &path, &target, parent);
        if (r == -ENOENT)
            pending_add_link(&t->pending, path.text, target.text);
        else if (r < 0)
            return err_errno(err, r, "%s: cannot link it to %s", path.text, target.text);
    }
    return 0;
}

static int finish_times(struct tree *t, struct err *err)
{
    const char *p = buf_str(&t->times), *end = p + t->times.len;

    while (p < end) {
        struct dir_time dt;
        _cleanup_close_ int fd = -EBADF;
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
        const char *path = p + sizeof(dt);

        memcpy(&dt, p, sizeof(dt));
        p = path + dt.path_len + 1;
        times[1] = dt.mtime;
        fd = open_below(t->root, path, O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        if (fd < 0)
            continue; /* replaced by something else since, or reached by a symlink */
        if (futimens(fd, times) < 0)
            return refused(err, path, "set its time");
    }
    return 0;
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The paths of all directories the archive described, hashed and sorted. */
static uint64_t *described_dirs(const struct tree *t, size_t *ret_n)
{
    const char *p = buf_str(&t->times), *end = p + t->times.len;
    uint64_t *hashes = xmalloc((t->times.len / sizeof(struct dir_time) + 1) * sizeof(*hashes));
    struct dir_time dt;
    size_t n = 0;

    for (; p < end; p += sizeof(dt) + dt.path_len + 1) {
        memcpy(&dt, p, sizeof(dt));
        hashes[n++] = hash64(p + sizeof(dt), dt.path_len);
    }
    qsort(hashes, n, sizeof(*hashes), compare_hashes);
    *ret_n = n;
    return hashes;
}

/* A directory that was made on the way to an entry and described later has its attributes. */
static int finish_pending(struct tree *t, struct pending *ret, struct err *err)
{
    size_t n, len = t->pending.text.len;
    _cleanup_free_ uint64_t *described = NULL;
    const char *text = buf_str(&t->pending.text);
    struct pending_row row;

    *ret = (struct pending)PENDING_INIT;
    if (buf_failed(&t->pending.text))
        return err_set(err, ERR_INVALID, "the archive uses too many directories that it doesn't describe");
    if (t->pending.rows == 0)
        return 0;
    described = described_dirs(t, &n);
    while (pending_next(&text, &len, &row) > 0) {
        uint64_t hash = hash64(row.path, strlen(row.path));

        if (row.target)
            pending_add_link(ret, row.path, row.target);
        else if (!bsearch(&hash, described, n, sizeof(hash), compare_hashes))
            pending_add_dir(ret, row.path);
    }
    return 0;
}

int tree_finish(struct tree *t, struct pending *ret, struct err *err)
{
    if (finish_links(t, err) < 0 || finish_times(t, err) < 0)
        return -1;
    return finish_pending(t, ret, err);
}
