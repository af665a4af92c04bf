/* keg-layer put: a tar stream into a directory of a container, over what is there.
 *
 * An entry's parent is opened in the container's tree, symbolic links and all, as the container itself would; everything
 * else is one name in that open directory, and never followed. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "storage/tree_remove.h"
#include "storage/worker/attributes.h"
#include "storage/worker/layer_path.h"
#include "storage/worker/place.h"
#include "storage/worker/sandbox.h"
#include "storage/worker/source.h"
#include "storage/worker/tree_internal.h"

enum { DIR_TIMES_MAX = 64 * 1024 * 1024, FLAG_RDONLY = 1 /* statfs(2): ST_RDONLY */ };

struct put {
    struct place place;
    int dest;
    char parent[TAR_PATH_MAX + 1]; /* what parent_fd is, below dest */
    int parent_fd;
    struct buf times; /* of directories: struct dir_time and the path, each */
};

static int refused(const struct tar_entry *e, int errnum, const char *what, struct err *err)
{
    if (errnum == -EROFS)
        return err_set(err, ERR_INVALID, "%s: cannot %s: Read-only file system", e->path, what);
    return err_errno(err, errnum, "%s: cannot %s", e->path, what);
}

/* ---- Where it goes ---- */

static int check_writable(const struct put *p, const struct stat *dest, struct err *err)
{
    struct statfs fs;
    struct stat root;

    if (fstatfs(p->dest, &fs) < 0 || !(fs.f_flags & FLAG_RDONLY))
        return 0;
    if (fstat(p->place.root, &root) == 0 && root.st_dev == dest->st_dev)
        return err_set(err, ERR_INVALID, "container rootfs is marked read-only");
    return err_set(err, ERR_INVALID, "mounted volume is marked read-only");
}

static int open_destination(struct put *p, struct err *err)
{
    struct stat st;

    p->dest = path_open_in_root(p->place.root, p->place.path, O_PATH, 0);
    if (p->dest == -ENOENT)
        return err_set(err, ERR_NOT_FOUND, "%s: no such file or directory", p->place.path);
    if (p->dest < 0 || fstat(p->dest, &st) < 0)
        return err_errno(err, p->dest < 0 ? p->dest : errno, "%s", p->place.path);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "extraction point is not a directory");
    return check_writable(p, &st, err);
}

/* What is below the destination, as the container sees it. */
static int open_below(const struct put *p, const char *path, int flags)
{
    _cleanup_free_ char *whole = path_join(p->place.path, path);

    return path_open_in_root(p->place.root, whole, flags, 0);
}

/* The directory an entry goes into, which is the put's own until the next one. A descriptor, or -errno. */
static int open_parent(struct put *p, const struct layer_path *path)
{
    char parent[TAR_PATH_MAX + 1];

    layer_path_parent(path, parent);
    if (p->parent_fd >= 0 && str_eq(parent, p->parent))
        return p->parent_fd;
    close_fd(&p->parent_fd);
    p->parent_fd = open_below(p, parent, O_PATH | O_DIRECTORY);
    if (p->parent_fd == -ENOENT) {
        _cleanup_free_ char *whole = path_join(p->place.path, parent);

        p->parent_fd = path_mkdir_in_root(p->place.root, whole, 0755, 0, 0);
    }
    strcpy(p->parent, parent);
    return p->parent_fd;
}

/* What stands at the name goes, except for a directory where one comes: 1. */
static int clear_name(struct put *p, const struct tar_entry *e, int parent, const char *name, struct err *err)
{
    bool comes_dir = e->type == TAR_DIR;
    struct stat st;
    int r;

    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : refused(e, errno, "look at what is there", err);
    if (p->place.order->keep_kind && S_ISDIR(st.st_mode) && !comes_dir)
        return err_set(err, ERR_INVALID, "cannot overwrite directory \"%s\" with non-directory \"%s\"",
                       e->path, p->place.path);
    if (p->place.order->keep_kind && !S_ISDIR(st.st_mode) && comes_dir)
        return err_set(err, ERR_INVALID, "cannot overwrite non-directory \"%s\" with directory \"%s\"",
                       e->path, p->place.path);
    if (S_ISDIR(st.st_mode) && comes_dir)
        return 1;
    r = tree_remove(parent, name);
    return r < 0 ? refused(e, r, "replace it", err) : 0;
}

/* ---- One entry each ---- */

static int put_dir(struct put *p, const struct tar_entry *e, int parent, const char *name, bool there,
                   const struct layer_path *path, struct err *err)
{
    struct dir_time time = {{e->mtime, e->mtime_ns}, (uint32_t)strlen(path->text)};
    _cleanup_close_ int fd = -EBADF;

    if (!there && mkdirat(parent, name, e->mode & 0777) < 0)
        return refused(e, errno, "make the directory", err);
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return refused(e, errno, "open the directory", err);
    buf_append(&p->times, &time, sizeof(time));
    buf_append(&p->times, path->text, time.path_len + 1);
    if (buf_failed(&p->times))
        return err_set(err, ERR_INVALID, "%s: too many directories in one archive", e->path);
    return attributes_set(&(struct attributes_target){.fd = fd}, e, err);
}

static int put_file(const struct tar_entry *e, int parent, const char *name, struct tar_reader *reader,
                    struct err *err)
{
    _cleanup_close_ int fd =
        openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, e->mode & 0777);
    const struct attributes_target at = {.fd = fd};

    if (fd < 0)
        return refused(e, errno, "make it", err);
    if (tree_write_data(fd, e, reader, err) < 0 || attributes_set(&at, e, err) < 0)
        return -1;
    return attributes_set_times(&at, e, err);
}

static int put_link(struct put *p, const struct tar_entry *e, int parent, const char *name, struct err *err)
{
    char above[TAR_PATH_MAX + 1];
    _cleanup_close_ int dir = -EBADF;
    struct layer_path target;

    if (layer_path_set(&target, e->link, err) < 0)
        return err_wrap(err, "%s", e->path);
    layer_path_parent(&target, above);
    dir = open_below(p, above, O_PATH | O_DIRECTORY);
    if (dir < 0)
        return refused(e, dir, "open what it is a name of", err);
    return linkat(dir, target.text + target.name, parent, name, 0) < 0 ? refused(e, errno, "link it", err)
                                                                       : 0;
}

static int put_special(const struct tar_entry *e, int parent, const char *name, struct err *err)
{
    static const struct {
        enum tar_type type;
        mode_t mode;
    } kinds[] = {{TAR_CHAR, S_IFCHR}, {TAR_BLOCKDEV, S_IFBLK}, {TAR_FIFO, S_IFIFO}};
    const struct attributes_target at = {.fd = -EBADF, .parent = parent, .name = name};
    int r = -EINVAL;

    if (e->type == TAR_SYMLINK)
        r = symlinkat(e->link, parent, name) < 0 ? -errno : 0;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (e->type == kinds[i].type)
            r = mknodat(parent, name, kinds[i].mode | 0600, makedev(e->dev_major, e->dev_minor)) < 0 ? -errno
                                                                                                     : 0;
    if (r < 0)
        return refused(e, r, "make it", err);
    if (attributes_set(&at, e, err) < 0)
        return -1;
    return attributes_set_times(&at, e, err);
}

static int put_entry(struct put *p, const struct tar_entry *e, struct tar_reader *reader, struct err *err)
{
    struct layer_path path;
    const char *name;
    int parent, r;

    if (layer_path_set(&path, e->path, err) < 0)
        return -1;
    if (!*path.text)
        return 0; /* the destination itself stays as it is */
    name = path.text + path.name;
    parent = open_parent(p, &path);
    if (parent < 0)
        return refused(e, parent, "open its directory", err);
    r = clear_name(p, e, parent, name, err);
    if (r < 0)
        return -1;
    if (e->type == TAR_DIR)
        return put_dir(p, e, parent, name, r > 0, &path, err);
    if (e->type == TAR_FILE)
        return put_file(e, parent, name, reader, err);
    return e->type == TAR_HARDLINK ? put_link(p, e, parent, name, err) : put_special(e, parent, name, err);
}

/* ---- All of them ---- */

static int set_dir_times(struct put *p)
{
    const char *at = buf_str(&p->times), *end = at + p->times.len;

    while (at < end) {
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
        _cleanup_close_ int fd = -EBADF;
        struct dir_time t;

        memcpy(&t, at, sizeof(t));
        times[1] = t.mtime;
        fd = open_below(p, at + sizeof(t), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (fd >= 0)
            futimens(fd, times); /* what the container has moved meanwhile stays as it is */
        at += sizeof(t) + t.path_len + 1;
    }
    return 0;
}

static int put_all(struct put *p, struct source *source, struct worker_report *ret, struct err *err)
{
    const struct tar_input input = source_input(source);
    _cleanup_(tar_reader_free_p) struct tar_reader *reader = tar_reader_new(&input);
    const struct worker_place *order = p->place.order;
    const struct tar_entry *e;
    int r;

    while ((r = tar_reader_next(reader, &e, err)) > 0) {
        struct tar_entry owned = *e;

        owned.uid = order->uid >= 0 ? (uint32_t)order->uid : e->uid;
        owned.gid = order->gid >= 0 ? (uint32_t)order->gid : e->gid;
        if (put_entry(p, &owned, reader, err) < 0)
            return -1;
        ret->entries++;
    }
    return r < 0 || tar_reader_drain(reader, err) < 0 ? -1 : set_dir_times(p);
}

int worker_put(const struct worker_options *o, struct worker_report *ret, struct err *err)
{
    const struct source_spec spec = {.input = WORKER_FD_INPUT,
                                     .blob_out = -EBADF,
                                     .max_bytes = o->max_bytes,
                                     .max_ratio = o->max_ratio,
                                     .shared = o->shared,
                                     .no_digests = true};
    struct put p = {.dest = -EBADF, .parent_fd = -EBADF, .times = BUF_INIT(DIR_TIMES_MAX)};
    struct source *source;

    if (place_enter(o, &p.place, err) < 0)
        return -1;
    source = source_new(&spec, err);
    if (!source || sandbox_seal(err) < 0 || open_destination(&p, err) < 0)
        return -1;
    source_start(source);
    return put_all(&p, source, ret, err);
}
