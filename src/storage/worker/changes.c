/* keg-layer changes: what a writable layer changes of the tree below it, as docker diff tells it.
 *
 * A directory is in the layer as soon as anything below it is. It counts as changed when its own attributes are others, or
 * something in it was added or deleted; not when something in it was changed. */
#include "storage/worker/changes.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/worker/sandbox.h"
#include "storage/worker/xattr_policy.h"

static int changes_below(struct packer *p, int lower, int upper, bool opaque, bool *told, struct err *err);

int changes_entry_of(struct packer *p, size_t len, char kind, struct err *err)
{
    const char head[2] = {kind, '/'};

    while (len > 0 && p->path[len - 1] == '/')
        len--;
    if (sink_write(&p->sink, head, sizeof(head), err) < 0 || sink_write(&p->sink, p->path, len, err) < 0)
        return -1;
    return sink_write(&p->sink, "", 1, err);
}

int changes_tree(struct packer *p, int dir, const char *name, char kind, struct err *err)
{
    _cleanup_close_ int fd = -EBADF;
    struct stat st;
    bool told = true;

    if (changes_entry_of(p, p->path_len, kind, err) < 0)
        return -1;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "%s: cannot open", p->path);
    if (packer_set_path(p, p->path_len, "/", err) < 0)
        return -1;
    return changes_below(p, -EBADF, fd, /* opaque= */ false, &told, err);
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static bool is_opaque(int fd)
{
    char value;

    return fgetxattr(fd, XATTR_OPAQUE, &value, 1) == 1 && value == 'y';
}

static bool same_attributes(const struct stat *a, const struct stat *b)
{
    return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The directory that holds the current entry counts as changed, once: *told. dir_len: of its path. */
static int tell_parent(struct packer *p, size_t dir_len, bool *told, struct err *err)
{
    if (*told || dir_len == 0)
        return 0;
    *told = true;
    return changes_entry_of(p, dir_len, 'C', err);
}

static int both_directories(struct packer *p, const int dirs[2], const char *name, const struct stat st[2],
                            struct err *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    _cleanup_close_ int lower = openat(dirs[0], name, flags), upper = openat(dirs[1], name, flags);
    bool told = !same_attributes(&st[0], &st[1]);

    if (lower < 0 || upper < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "%s: cannot open", p->path);
    if (told && changes_entry_of(p, p->path_len, 'C', err) < 0)
        return -1;
    if (packer_set_path(p, p->path_len, "/", err) < 0)
        return -1;
    return changes_below(p, lower, upper, is_opaque(upper), &told, err);
}

static int change_of(struct packer *p, const int dirs[2], const char *name, size_t dir_len, bool *told,
                     struct err *err)
{
    struct stat st[2];
    bool below = dirs[0] >= 0 && fstatat(dirs[0], name, &st[0], AT_SYMLINK_NOFOLLOW) == 0;

    if (fstatat(dirs[1], name, &st[1], AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "%s: cannot look at it", p->path);
    if (is_whiteout(&st[1]) && !below)
        return 0;
    if ((is_whiteout(&st[1]) || !below) && tell_parent(p, dir_len, told, err) < 0)
        return -1;
    if (is_whiteout(&st[1]))
        return changes_entry_of(p, p->path_len, 'D', err);
    if (!below)
        return changes_tree(p, dirs[1], name, 'A', err);
    if (S_ISDIR(st[0].st_mode) && S_ISDIR(st[1].st_mode))
        return both_directories(p, dirs, name, st, err);
    return changes_tree(p, dirs[1], name, 'C', err);
}

/* What an opaque directory hides is deleted, but for the names it has itself. */
static int hidden_names(struct packer *p, int lower, int upper, size_t dir_len, bool *told, struct err *err)
{
    _cleanup_strv_ char **names = packer_list(lower, err);

    for (char **name = names; name && *name; name++) {
        struct stat st;

        if (fstatat(upper, *name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (packer_set_path(p, dir_len, *name, err) < 0 || tell_parent(p, dir_len, told, err) < 0 ||
            changes_entry_of(p, p->path_len, 'D', err) < 0)
            return -1;
    }
    return names ? 0 : -1;
}

/* p->path: the directory's, with a slash; or "". */
static int changes_below(struct packer *p, int lower, int upper, bool opaque, bool *told, struct err *err)
{
    _cleanup_strv_ char **names = packer_list(upper, err);
    const int dirs[2] = {lower, upper};
    size_t dir_len = p->path_len;
    int r = names ? 0 : -1;

    if (r == 0 && opaque && lower >= 0)
        r = hidden_names(p, lower, upper, dir_len, told, err);
    for (char **name = names; r == 0 && *name; name++) {
        r = packer_set_path(p, dir_len, *name, err);
        if (r == 0)
            r = change_of(p, dirs, *name, dir_len, told, err);
    }
    p->path_len = dir_len;
    p->path[dir_len] = '\0';
    return r;
}

int worker_changes(const struct worker_options *o, struct worker_report *ret, struct err *err)
{
    struct sandbox_root root = {.tree = WORKER_FD_TREE, .read_only = true, .at = "layer", .work = -EBADF};
    struct packer *p = packer_new(o, ret);
    _cleanup_close_ int lower_fd = -EBADF, upper = -EBADF;
    int lower[WORKER_LOWER_MAX];
    bool told = true;

    worker_lower(o, &root, lower);
    if (sandbox_enter(&root, WORKER_FD_TREE, err) < 0 || sandbox_seal(err) < 0)
        return -1;
    lower_fd = open("/merged", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    upper = open("/layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lower_fd < 0 || upper < 0)
        return err_errno(err, errno, "cannot open the trees");
    return changes_below(p, lower_fd, upper, /* opaque= */ false, &told, err) < 0 ? -1
                                                                                  : sink_flush(&p->sink, err);
}
