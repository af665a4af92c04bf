/* keg-layer compare: what one tree has changed of another, as a layer.
 *
 * Both are walked together, name by name, sorted. A name is the same on both sides if its attributes are, and, for a
 * file, its bytes (a change time that is equal too is believed: nobody can set it). Directories are written when they
 * or anything below them changed, as overlay's upper directories are there then.
 *
 * As a list ("changes" of a whole tree) it is the same walk, which writes kinds and names instead.
 *
 * A file with several names belongs to the layer with all of them as soon as one of them does, so that they stay
 * one file. Which those are a first walk finds out, that writes nothing. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/worker/changes.h"
#include "storage/worker/packer.h"
#include "storage/worker/sandbox.h"

enum { PIECE = 64 * 1024 };

/* A directory on the way down. */
struct level {
    struct level *up;
    int fd;
    size_t path_len; /* without the slash */
    bool written;
};

struct comparison {
    struct packer *p;
    struct link_map together; /* files with several names that belong to the layer */
    bool looking;             /* the first walk */
    bool listing;             /* changes_entry() instead of a layer */
    char *pieces[2];
};

static int compare_dirs(struct comparison *c, int old, int new, struct level *level, struct err *err);

/* ---- The same? ---- */

static int same_bytes(struct comparison *c, int old, int new)
{
    for (;;) {
        ssize_t a = fd_read_full(old, c->pieces[0], PIECE), b = fd_read_full(new, c->pieces[1], PIECE);

        if (a < 0 || b < 0)
            return a < 0 ? (int)a : (int)b;
        if (a != b || memcmp(c->pieces[0], c->pieces[1], (size_t)a) != 0)
            return 0;
        if (a < PIECE)
            return 1;
    }
}

static bool same_stat(const struct stat *a, const struct stat *b)
{
    return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
           a->st_rdev == b->st_rdev && (S_ISDIR(a->st_mode) || a->st_size == b->st_size) &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool same_change_time(const struct stat *a, const struct stat *b)
{
    return a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The attributes of fd, or of `name` in dir. */
static int read_xattrs(struct comparison *c, int dir, int fd, const char *name, struct tar_entry *ret,
                       struct err *err)
{
    bool opaque;

    *ret = (struct tar_entry){.path = c->p->path};
    if (fd < 0 && fchdir(dir) < 0)
        return err_errno(err, errno, "%s: cannot enter its directory", c->p->path);
    return packer_read_xattrs(c->p, fd, name, ret, &opaque, err);
}

static int same_xattrs(struct comparison *c, const int dirs[2], const int fds[2], const char *name,
                       struct err *err)
{
    struct tar_entry e[2] = {};
    int r = read_xattrs(c, dirs[0], fds[0], name, &e[0], err);

    if (r == 0)
        r = read_xattrs(c, dirs[1], fds[1], name, &e[1], err);
    if (r == 0)
        r = e[0].n_xattrs == e[1].n_xattrs;
    for (size_t i = 0; r == 1 && i < e[0].n_xattrs; i++)
        r = str_eq(e[0].xattrs[i].name, e[1].xattrs[i].name) && e[0].xattrs[i].len == e[1].xattrs[i].len &&
            memcmp(e[0].xattrs[i].value, e[1].xattrs[i].value, e[0].xattrs[i].len) == 0;
    packer_free_xattrs(&e[0]);
    packer_free_xattrs(&e[1]);
    return r;
}

static int same_link(const int dirs[2], const char *name)
{
    char a[TAR_PATH_MAX], b[TAR_PATH_MAX];
    ssize_t n = readlinkat(dirs[0], name, a, sizeof(a)), m = readlinkat(dirs[1], name, b, sizeof(b));

    return n < 0 || n != m ? 0 : memcmp(a, b, (size_t)n) == 0;
}

static int same_file(struct comparison *c, const int dirs[2], const char *name, struct err *err)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    _cleanup_close_ int old = openat(dirs[0], name, flags), new = openat(dirs[1], name, flags);
    const int fds[2] = {old, new};
    int r;

    if (old < 0 || new < 0)
        return err_errno(err, errno, "%s: cannot open", c->p->path);
    r = same_xattrs(c, dirs, fds, name, err);
    if (r != 1)
        return r;
    r = same_bytes(c, old, new);
    return r < 0 ? err_errno(err, r, "%s: cannot read", c->p->path) : r;
}

/* Of what is no directory. 1, 0, or -1. */
static int same_entry(struct comparison *c, const int dirs[2], const char *name, const struct stat st[2],
                      struct err *err)
{
    const int fds[2] = {-EBADF, -EBADF};

    if (!same_stat(&st[0], &st[1]))
        return 0;
    if (same_change_time(&st[0], &st[1]))
        return 1;
    if (S_ISREG(st[0].st_mode))
        return same_file(c, dirs, name, err);
    if (S_ISLNK(st[0].st_mode) && !same_link(dirs, name))
        return 0;
    return same_xattrs(c, dirs, fds, name, err);
}

/* ---- Writing ---- */

/* Writes the directories above the current entry that weren't yet. */
static int write_levels(struct comparison *c, struct level *level, struct err *err)
{
    size_t len = c->p->path_len;
    char kept; /* the path goes on behind the slash that is written with the directory */
    int r;

    if (!level || level->written)
        return 0;
    if (!c->listing && write_levels(c, level->up, err) < 0)
        return -1;
    level->written = true;
    if (c->listing)
        return changes_entry_of(c->p, level->path_len, 'C', err);
    kept = c->p->path[level->path_len + 1];
    c->p->path[level->path_len] = '\0';
    c->p->path_len = level->path_len;
    r = packer_directory(c->p, level->fd, err);
    c->p->path[level->path_len + 1] = kept;
    c->p->path_len = len;
    return r;
}

/* First walk: remembers files with several names in what belongs to the layer. */
static int remember(struct comparison *c, int dir, const char *name, struct err *err)
{
    _cleanup_close_ int fd = -EBADF;
    _cleanup_strv_ char **names = NULL;
    struct stat st;
    int r = 0;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "%s: cannot look at it", name);
    if (!S_ISDIR(st.st_mode)) {
        if (st.st_nlink > 1)
            link_map_put(&c->together, st.st_dev, st.st_ino, "");
        return 0;
    }
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !(names = packer_list(fd, err)))
        return fd < 0 ? err_errno(err, errno, "%s: cannot open", name) : -1;
    for (char **n = names; r == 0 && *n; n++)
        r = remember(c, fd, *n, err);
    return r;
}

/* The entry is part of the layer. */
static int take(struct comparison *c, int dir, const char *name, size_t dir_len, struct level *level,
                char kind, struct err *err)
{
    if (c->looking)
        return remember(c, dir, name, err);
    if (c->listing)
        return kind == 'A' && write_levels(c, level, err) < 0 ? -1 : changes_tree(c->p, dir, name, kind, err);
    return write_levels(c, level, err) < 0 ? -1 : packer_entry(c->p, dir, name, dir_len, err);
}

static int removed(struct comparison *c, int dir, const char *name, size_t dir_len, struct level *level,
                   struct err *err)
{
    if (c->looking)
        return 0;
    if (c->listing)
        return write_levels(c, level, err) < 0 ? -1 : changes_entry_of(c->p, c->p->path_len, 'D', err);
    return write_levels(c, level, err) < 0 ? -1 : packer_marker(c->p, dir, dir_len, ".wh.", name, err);
}

/* ---- The walk ---- */

static int compare_subdirs(struct comparison *c, const int dirs[2], const char *name, const struct stat st[2],
                           struct level *up, struct err *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    _cleanup_close_ int old = openat(dirs[0], name, flags), new = openat(dirs[1], name, flags);
    struct level level = {.up = up, .fd = new, .path_len = c->p->path_len};
    const int fds[2] = {old, new};
    int r;

    if (old < 0 || new < 0)
        return err_errno(err, errno, "%s: cannot open", c->p->path);
    r = same_stat(&st[0], &st[1]) ? same_xattrs(c, dirs, fds, name, err) : 0;
    if (r < 0 || packer_set_path(c->p, c->p->path_len, "/", err) < 0)
        return -1;
    if (r == 0 && !c->looking && write_levels(c, &level, err) < 0)
        return -1;
    return compare_dirs(c, old, new, &level, err);
}

static int compare_entry(struct comparison *c, const int dirs[2], const char *name, size_t dir_len,
                         struct level *level, struct err *err)
{
    struct stat st[2];
    int same;

    for (int i = 0; i < 2; i++)
        if (fstatat(dirs[i], name, &st[i], AT_SYMLINK_NOFOLLOW) < 0)
            return errno == ENOENT ? 0 : err_errno(err, errno, "%s: cannot look at it", c->p->path);
    if (S_ISDIR(st[0].st_mode) && S_ISDIR(st[1].st_mode))
        return compare_subdirs(c, dirs, name, st, level, err);
    same = same_entry(c, dirs, name, st, err);
    if (same < 0)
        return -1;
    c->p->hides = S_ISDIR(st[1].st_mode) && !c->looking; /* a directory that was something else */
    if (same && (c->looking || st[1].st_nlink < 2 || !link_map_has(&c->together, st[1].st_dev, st[1].st_ino)))
        return 0;
    return take(c, dirs[1], name, dir_len, level, 'C', err);
}

static int compare_names(struct comparison *c, int old, int new, char **old_names, char **new_names,
                         struct level *level, struct err *err)
{
    const int dirs[2] = {old, new};
    size_t dir_len = c->p->path_len;
    int r = 0;

    while (r == 0 && (*old_names || *new_names)) {
        int order = !*old_names ? 1 : !*new_names ? -1 : strcmp(*old_names, *new_names);
        const char *name = order <= 0 ? *old_names : *new_names;

        r = packer_set_path(c->p, dir_len, name, err);
        if (r == 0 && order == 0)
            r = compare_entry(c, dirs, name, dir_len, level, err);
        else if (r == 0 && order < 0)
            r = removed(c, new, name, dir_len, level, err);
        else if (r == 0)
            r = take(c, new, name, dir_len, level, 'A', err);
        old_names += order <= 0;
        new_names += order >= 0;
    }
    c->p->path_len = dir_len;
    c->p->path[dir_len] = '\0';
    return r;
}

static int compare_dirs(struct comparison *c, int old, int new, struct level *level, struct err *err)
{
    _cleanup_strv_ char **old_names = packer_list(old, err), **new_names = NULL;

    if (!old_names || !(new_names = packer_list(new, err)))
        return -1;
    return compare_names(c, old, new, old_names, new_names, level, err);
}

static int compare(const struct worker_options *o, bool listing, struct worker_report *ret, struct err *err)
{
    struct sandbox_root root = {.tree = WORKER_FD_TREE, .read_only = true, .at = "layer", .work = -EBADF};
    struct comparison c = {.p = packer_new(o, ret), .looking = !listing, .listing = listing};
    _cleanup_close_ int old = -EBADF, new = -EBADF;
    int lower[WORKER_LOWER_MAX], r;

    worker_lower(o, &root, lower);
    if (sandbox_enter(&root, WORKER_FD_TREE, err) < 0 || sandbox_seal(err) < 0)
        return -1;
    c.p->layer = true;
    old = open("/merged", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    new = open("/layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (old < 0 || new < 0)
        return err_errno(err, errno, "cannot open the trees");
    c.pieces[0] = xmalloc(PIECE);
    c.pieces[1] = xmalloc(PIECE);
    r = compare_dirs(&c, old, new, NULL, err);
    c.looking = false;
    if (listing)
        return r < 0 ? -1 : sink_flush(&c.p->sink, err);
    if (r == 0)
        r = compare_dirs(&c, old, new, NULL, err);
    return r < 0 ? -1 : packer_end(c.p, err);
}

int worker_compare(const struct worker_options *o, struct worker_report *ret, struct err *err)
{
    return compare(o, /* listing= */ false, ret, err);
}

int worker_differences(const struct worker_options *o, struct worker_report *ret, struct err *err)
{
    return compare(o, /* listing= */ true, ret, err);
}
