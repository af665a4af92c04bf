/* A layer's tree, as entries of an archive write it. */
#include "storage/worker/tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/worker/attributes.h"
#include "storage/worker/tree_internal.h"

enum { TIMES_MAX = 128 * 1024 * 1024 }; /* bytes of directory times kept for the end */

struct tree *tree_new(int root)
{
    struct tree *t = xcalloc(1, sizeof(*t));

    t->root = root;
    t->times = (struct buf)BUF_INIT(TIMES_MAX);
    t->links = (struct buf)BUF_INIT(PENDING_MAX);
    t->pending = (struct pending)PENDING_INIT;
    return t;
}

void tree_free(struct tree *t)
{
    if (!t)
        return;
    tree_close_all(t);
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

int tree_refused(struct err *err, const char *path, const char *what)
{
    int errnum = errno;

    return err_errno(err, errnum, "%s: cannot %s", path, what);
}

/* ---- Entries ---- */

static int defer_time(struct tree *t, const struct tar_entry *e, const char *path, struct err *err)
{
    struct dir_time dt = {{e->mtime, e->mtime_ns}, (uint32_t)strlen(path)};

    buf_append(&t->times, &dt, sizeof(dt));
    buf_append(&t->times, path, dt.path_len + 1);
    if (buf_failed(&t->times))
        return err_set(err, ERR_INVALID, "%s: too many directories in one layer", path);
    return 0;
}

static int add_dir(struct tree *t, const struct tar_entry *e, int parent, const struct layer_path *path,
                   struct err *err)
{
    const char *name = path->text + path->name;
    _cleanup_close_ int fd = -EBADF;
    bool whiteout = false;
    int r;

    if (mkdirat(parent, name, e->mode & 0777) < 0) {
        r = errno == EEXIST ? tree_clear_name(parent, name, /* for_dir= */ true, &whiteout) : -errno;
        if (r < 0 || (r == 0 && mkdirat(parent, name, e->mode & 0777) < 0))
            return tree_refused(err, e->path, "make the directory");
    }
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return tree_refused(err, e->path, "open the directory");
    if (whiteout && (r = tree_set_opaque(fd)) < 0)
        return err_errno(err, r, "%s: cannot make it opaque", e->path);
    if (attributes_set(&(struct attributes_target){.fd = fd}, e, err) < 0)
        return -1;
    tree_keep_open(t, path, &fd);
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

int tree_write_data(int fd, const struct tar_entry *e, struct tar_reader *reader, struct err *err)
{
    const uint8_t *data;
    int64_t offset;
    ssize_t n;

    while ((n = tar_reader_data(reader, &data, &offset, err)) > 0)
        if (write_piece(fd, data, (size_t)n, offset) < 0)
            return tree_refused(err, e->path, "write");
    if (n < 0)
        return err_wrap(err, "%s", e->path);
    /* Holes at the end; before the end they came by themselves. */
    if (e->segments && ftruncate(fd, e->size) < 0)
        return tree_refused(err, e->path, "write");
    return 0;
}

static int add_file(struct tree *t, const struct tar_entry *e, int parent, const struct layer_path *path,
                    struct tar_reader *reader, struct err *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const char *name = path->text + path->name;
    struct attributes_target at = {};
    _cleanup_close_ int fd = openat(parent, name, flags, e->mode & 0777);
    bool whiteout;

    if (fd < 0 && errno == EEXIST) {
        int r = tree_clear_name(parent, name, /* for_dir= */ false, &whiteout);

        if (r < 0)
            return err_errno(err, r, "%s: cannot replace it", e->path);
        fd = openat(parent, name, flags, e->mode & 0777);
    }
    if (fd < 0)
        return tree_refused(err, e->path, "create the file");
    at.fd = fd;
    t->size += e->size;
    if (tree_write_data(fd, e, reader, err) < 0 || attributes_set(&at, e, err) < 0)
        return -1;
    return attributes_set_times(&at, e, err);
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
    struct attributes_target at = {.fd = -EBADF, .parent = parent, .name = path->text + path->name};
    bool whiteout;
    int r;

    if (e->type == TAR_CHAR && e->dev_major == 0 && e->dev_minor == 0)
        return err_set(err, ERR_INVALID, "%s: a device 0:0 in a layer would hide what is below it", e->path);
    if (e->type == TAR_SYMLINK && !e->link[0])
        return err_set(err, ERR_INVALID, "%s: a symbolic link to nothing", e->path);
    r = tree_clear_name(parent, at.name, /* for_dir= */ false, &whiteout);
    if (r < 0)
        return err_errno(err, r, "%s: cannot replace it", e->path);
    if (make_special(e, parent, at.name) < 0)
        return tree_refused(err, e->path, "create it");
    if (attributes_set(&at, e, err) < 0)
        return -1;
    return attributes_set_times(&at, e, err);
}

/* ---- Whiteouts ---- */

static int add_opaque(const struct tar_entry *e, int parent, struct err *err)
{
    _cleanup_close_ int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : tree_set_opaque(fd);

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
        r = fd < 0 ? -errno : tree_set_opaque(fd);
        return r < 0 ? err_errno(err, r, "%s: cannot make the directory opaque", e->path) : 0;
    }
    if (mknodat(parent, hidden, S_IFCHR, makedev(0, 0)) < 0)
        return tree_refused(err, e->path, "make the whiteout");
    return 0;
}

/* ---- All together ---- */

static int add_root(struct tree *t, const struct tar_entry *e, struct err *err)
{
    _cleanup_close_ int fd = -EBADF;

    if (e->type != TAR_DIR)
        return err_set(err, ERR_INVALID, "%s: the layer's root has to be a directory", e->path);
    fd = tree_open_below(t->root, "", O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH);
    if (fd < 0)
        return err_errno(err, fd, "%s: cannot open it", e->path);
    if (attributes_set(&(struct attributes_target){.fd = fd}, e, err) < 0)
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
    parent = tree_open_parent(t, &path, err);
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
        return tree_add_link(t, e, parent, &path, err);
    case TAR_SYMLINK:
        t->size += (int64_t)strlen(e->link); /* as a file system counts it */
        return add_special(e, parent, &path, err);
    default:
        return add_special(e, parent, &path, err);
    }
}
