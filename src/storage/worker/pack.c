/* keg-layer pack and export: a tree becomes a tar stream, sorted by name.
 *
 * pack writes one layer: what overlay keeps as device 0:0 and opaque attributes goes out as .wh. files.
 * export writes the merged tree, in which overlay has dealt with both.
 * digest is a pack without what differs each time that the same archive is unpacked: the times of directories that no
 * entry describes, and of whiteouts. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/worker/packer.h"
#include "storage/worker/sandbox.h"
#include "tar/writer.h"
#include "storage/worker/worker.h"
#include "storage/worker/xattr_policy.h"

enum { MQUEUE_MAGIC = 0x19800202 };

/* ---- Attributes ---- */

void packer_free_xattrs(struct tar_entry *e)
{
    for (size_t i = 0; i < e->n_xattrs; i++) {
        free(e->xattrs[i].name);
        free(e->xattrs[i].value);
    }
    free(e->xattrs);
    e->xattrs = NULL;
    e->n_xattrs = 0;
}

static int compare_xattrs(const void *a, const void *b)
{
    return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

/* By descriptor (fd >= 0), or by name in the working directory. */
static int read_xattr(int fd, const char *name, struct tar_entry *e, const char *xattr, struct err *err)
{
    struct tar_xattr x = {.value = xmalloc(TAR_XATTR_VALUE_MAX)};
    ssize_t len = fd >= 0 ? fgetxattr(fd, xattr, x.value, TAR_XATTR_VALUE_MAX)
                          : lgetxattr(name, xattr, x.value, TAR_XATTR_VALUE_MAX);

    if (len < 0) {
        int errnum = errno;

        free(x.value);
        if (errnum == ENODATA)
            return 0;
        return err_errno(err, errnum, "%s: cannot read the extended attribute %s", e->path, xattr);
    }
    x.len = (size_t)len;
    x.value = xrealloc(x.value, x.len + 1);
    x.name = xstrdup(xattr);
    e->xattrs = xreallocarray(e->xattrs, e->n_xattrs + 1, sizeof(*e->xattrs));
    e->xattrs[e->n_xattrs++] = x;
    return 0;
}

int packer_read_xattrs(struct packer *p, int fd, const char *name, struct tar_entry *e, bool *ret_opaque,
                       struct err *err)
{
    ssize_t len =
        fd >= 0 ? flistxattr(fd, p->names, sizeof(p->names)) : llistxattr(name, p->names, sizeof(p->names));

    *ret_opaque = false;
    if (len < 0)
        return errno == EOPNOTSUPP
                   ? 0
                   : err_errno(err, errno, "%s: cannot list its extended attributes", e->path);
    for (const char *x = p->names; x < p->names + len; x += strlen(x) + 1) {
        char value = 0;

        if (str_eq(x, XATTR_OPAQUE) && fd >= 0)
            *ret_opaque = fgetxattr(fd, x, &value, 1) == 1 && value == 'y';
        if (xattr_policy(x) != XATTR_DROP && read_xattr(fd, name, e, x, err) < 0)
            return -1;
    }
    if (e->n_xattrs > 1)
        qsort(e->xattrs, e->n_xattrs, sizeof(*e->xattrs), compare_xattrs);
    return 0;
}

static void entry_from_stat(struct tar_entry *e, const struct stat *st)
{
    e->mode = st->st_mode & 07777;
    e->uid = st->st_uid;
    e->gid = st->st_gid;
    e->mtime = st->st_mtim.tv_sec;
    e->mtime_ns = (int32_t)st->st_mtim.tv_nsec;
}

static int write_header(struct packer *p, const struct tar_entry *e, struct err *err)
{
    p->report->entries++;
    atomic_store_explicit(&p->shared->entries, p->report->entries, memory_order_relaxed);
    return tar_write_header(&p->sink, e, err);
}

/* ---- One entry each ---- */

/* The file may change while it is read: what is missing is zeros, what is new isn't there. */
static int copy_data(struct packer *p, int fd, int64_t size, struct err *err)
{
    int64_t left = size;

    while (left > 0) {
        size_t room_size;
        uint8_t *room = sink_room(&p->sink, &room_size, err);
        ssize_t n;

        if (!room)
            return -1;
        n = read(fd, room, (size_t)MIN_OF((int64_t)room_size, left));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "%s: cannot read", p->path);
        if (n == 0)
            break;
        sink_advance(&p->sink, (size_t)n);
        left -= n;
    }
    if (sink_zeros(&p->sink, left, err) < 0)
        return -1;
    return tar_write_padding(&p->sink, size, err);
}

/* A second name of a file that was written already: 1. 0: the first name. */
static int pack_link(struct packer *p, struct tar_entry *e, const struct stat *st, struct err *err)
{
    const char *first;

    if (st->st_nlink < 2)
        return 0;
    first = link_map_put(&p->links, st->st_dev, st->st_ino, p->path);
    if (!first)
        return 0;
    e->type = TAR_HARDLINK;
    e->link = (char *)first;
    return write_header(p, e, err) < 0 ? -1 : 1;
}

static int pack_file(struct packer *p, int dir, const char *name, struct err *err)
{
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct tar_entry e = {.type = TAR_FILE, .path = p->path};
    struct stat st;
    bool opaque;
    int r;

    if (fd < 0 || fstat(fd, &st) < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "%s: cannot open", p->path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_CONFLICT, "%s: it was replaced while being read", p->path);
    entry_from_stat(&e, &st);
    r = pack_link(p, &e, &st, err);
    if (r != 0)
        return r < 0 ? -1 : 0;
    e.size = st.st_size;
    p->report->unpacked_size += st.st_size;
    r = packer_read_xattrs(p, fd, name, &e, &opaque, err);
    if (r == 0)
        r = write_header(p, &e, err);
    packer_free_xattrs(&e);
    return r < 0 ? -1 : copy_data(p, fd, e.size, err);
}

static int pack_special(struct packer *p, int dir, const char *name, const struct stat *st, struct err *err)
{
    struct tar_entry e = {.path = p->path, .dev_major = major(st->st_rdev), .dev_minor = minor(st->st_rdev)};
    char target[TAR_PATH_MAX + 1];
    bool opaque;
    int r;

    e.type = S_ISLNK(st->st_mode)   ? TAR_SYMLINK
             : S_ISCHR(st->st_mode) ? TAR_CHAR
             : S_ISBLK(st->st_mode) ? TAR_BLOCKDEV
                                    : TAR_FIFO;
    entry_from_stat(&e, st);
    if (e.type == TAR_SYMLINK) {
        ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

        if (n < 0)
            return err_errno(err, errno, "%s: cannot read the link", p->path);
        target[n] = '\0';
        e.link = target;
        e.mode = 0777;
        p->report->unpacked_size += n;
    }
    r = pack_link(p, &e, st, err);
    if (r != 0)
        return r < 0 ? -1 : 0;
    if (fchdir(dir) < 0)
        return err_errno(err, errno, "%s: cannot enter its directory", p->path);
    r = packer_read_xattrs(p, -EBADF, name, &e, &opaque, err);
    if (r == 0)
        r = write_header(p, &e, err);
    packer_free_xattrs(&e);
    return r;
}

int packer_marker(struct packer *p, int dir, size_t dir_len, const char *marker, const char *name,
                  struct err *err)
{
    struct tar_entry e = {.type = TAR_FILE};
    struct stat st;
    int r;

    if (fstat(dir, &st) < 0)
        return err_errno(err, errno, "%s: cannot look at its directory", p->path);
    if (!p->undated) {
        e.mtime = st.st_mtim.tv_sec;
        e.mtime_ns = (int32_t)st.st_mtim.tv_nsec;
    }
    e.path = xasprintf("%.*s%s%s", (int)dir_len, p->path, marker, name);
    r = write_header(p, &e, err);
    free(e.path);
    return r;
}

static int write_directory(struct packer *p, int fd, bool *ret_opaque, struct err *err)
{
    struct tar_entry e = {.type = TAR_DIR, .path = p->path};
    struct stat st;
    int r;

    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "%s: cannot look at it", p->path);
    p->path[p->path_len++] = '/';
    p->path[p->path_len] = '\0';
    entry_from_stat(&e, &st);
    if (p->undated)
        e.mtime = e.mtime_ns = 0;
    r = packer_read_xattrs(p, fd, NULL, &e, ret_opaque, err);
    if (r == 0)
        r = write_header(p, &e, err);
    packer_free_xattrs(&e);
    return r;
}

int packer_directory(struct packer *p, int fd, struct err *err)
{
    bool opaque;

    return write_directory(p, fd, &opaque, err);
}

/* /proc, /sys and their like: no files, but a view of what runs. */
static bool is_kernels(int fd)
{
    static const unsigned long kinds[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC,
        DEBUGFS_MAGIC,    TRACEFS_MAGIC, SECURITYFS_MAGIC,   BPF_FS_MAGIC,        MQUEUE_MAGIC};
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if ((unsigned long)fs.f_type == kinds[i])
            return true;
    return false;
}

static int pack_subdir(struct packer *p, int dir, const char *name, struct err *err)
{
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool opaque = false;
    int r;

    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "%s: cannot open", p->path);
    r = write_directory(p, fd, &opaque, err);
    opaque = (opaque && p->overlay_form) || p->hides;
    p->hides = false;
    if (r == 0 && opaque)
        r = packer_marker(p, fd, p->path_len, ".wh.", ".wh..opq", err);
    if (r < 0 || (p->live && is_kernels(fd)))
        return r;
    return packer_below(p, fd, err);
}

static int refuse_whiteouts(struct packer *p, const char *name, const struct stat *st, struct err *err)
{
    if (str_starts(name, ".wh."))
        return err_set(err, ERR_INVALID,
                       "%s: a layer can't hold a file of that name: it would remove another one", p->path);
    if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0))
        return err_set(err, ERR_INVALID,
                       "%s: a layer can't hold a device 0:0: it would hide what is below it", p->path);
    return 0;
}

int packer_entry(struct packer *p, int dir, const char *name, size_t dir_len, struct err *err)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "%s: cannot look at it", p->path);
    if (p->overlay_form && S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0))
        return packer_marker(p, dir, dir_len, ".wh.", name, err);
    if (p->layer && refuse_whiteouts(p, name, &st, err) < 0)
        return -1;
    if (S_ISDIR(st.st_mode))
        return pack_subdir(p, dir, name, err);
    if (S_ISREG(st.st_mode))
        return pack_file(p, dir, name, err);
    if (S_ISSOCK(st.st_mode)) /* means nothing without its process */
        return 0;
    return pack_special(p, dir, name, &st, err);
}

/* ---- Directories ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **packer_list(int fd, struct err *err)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = again < 0 ? NULL : fdopendir(again);
    size_t n = 0, room = 16;
    struct dirent *entry;
    char **names;

    if (!dir) {
        err_errno(err, errno, "cannot list a directory");
        close_fd(&again);
        return NULL;
    }
    names = xmalloc(room * sizeof(*names));
    while ((entry = readdir(dir))) {
        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
            continue;
        if (n + 1 == room)
            names = xreallocarray(names, room *= 2, sizeof(*names));
        names[n++] = xstrdup(entry->d_name);
    }
    names[n] = NULL;
    closedir(dir);
    qsort(names, n, sizeof(*names), compare_names);
    return names;
}

int packer_set_path(struct packer *p, size_t dir_len, const char *name, struct err *err)
{
    size_t len = strlen(name);

    if (dir_len + len > TAR_PATH_MAX)
        return err_set(err, ERR_INVALID, "%.100s…: the path is too long for an archive", p->path);
    memcpy(p->path + dir_len, name, len + 1);
    p->path_len = dir_len + len;
    return 0;
}

int packer_below(struct packer *p, int fd, struct err *err)
{
    _cleanup_strv_ char **names = packer_list(fd, err);
    size_t dir_len = p->path_len;
    int r = names ? 0 : err_wrap(err, "%s", p->path);

    for (char **name = names; r == 0 && *name; name++) {
        r = packer_set_path(p, dir_len, *name, err);
        if (r == 0)
            r = packer_entry(p, fd, *name, dir_len, err);
    }
    p->path_len = dir_len;
    p->path[dir_len] = '\0';
    return r;
}

struct packer *packer_new(const struct worker_options *o, struct worker_report *report)
{
    struct packer *p = xcalloc(1, sizeof(*p));

    sink_init(&p->sink, WORKER_FD_OUTPUT);
    p->shared = o->shared;
    p->report = report;
    return p;
}

int packer_end(struct packer *p, struct err *err)
{
    if (tar_write_end(&p->sink, err) < 0 || sink_flush(&p->sink, err) < 0)
        return -1;
    p->report->tar_size = p->sink.written;
    sha256_hex(p->sink.hash, p->report->diff_hex);
    return 0;
}

enum pack_form { PACK_LAYER, PACK_UNDATED, PACK_MERGED };

static int pack_tree(const struct worker_options *o, const char *root, enum pack_form form,
                     struct worker_report *ret, struct err *err)
{
    struct packer *p = packer_new(o, ret);
    _cleanup_close_ int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, errno, "cannot open the tree");
    p->overlay_form = p->layer = form != PACK_MERGED;
    p->undated = form == PACK_UNDATED;
    return packer_below(p, fd, err) < 0 ? -1 : packer_end(p, err);
}

static int pack_layer(const struct worker_options *o, enum pack_form form, struct worker_report *ret,
                      struct err *err)
{
    const struct sandbox_root root = {.tree = WORKER_FD_TREE, .read_only = true, .work = -EBADF};

    if (sandbox_enter(&root, WORKER_FD_TREE, err) < 0 || sandbox_seal(err) < 0)
        return -1;
    return pack_tree(o, "/", form, ret, err);
}

int worker_pack(const struct worker_options *o, struct worker_report *ret, struct err *err)
{
    return pack_layer(o, PACK_LAYER, ret, err);
}

int worker_digest(const struct worker_options *o, struct worker_report *ret, struct err *err)
{
    return pack_layer(o, PACK_UNDATED, ret, err);
}

int worker_export(const struct worker_options *o, struct worker_report *ret, struct err *err)
{
    int lower[WORKER_LOWER_MAX];
    struct sandbox_root root = {.tree = -EBADF, .work = -EBADF};

    worker_lower(o, &root, lower);
    if (sandbox_enter(&root, WORKER_FD_OUTPUT, err) < 0 || sandbox_seal(err) < 0)
        return -1;
    return pack_tree(o, "/merged", PACK_MERGED, ret, err);
}
