/* Where entries go: the directories on the way, and what stood in their place. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/tree_remove.h"
#include "storage/worker/tree_internal.h"
#include "storage/worker/xattr_policy.h"

int tree_open_below(int dir, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve};
    long fd = syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

bool tree_is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int tree_set_opaque(int fd)
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
    return fd < 0 ? -errno : tree_set_opaque(fd);
}

/* Makes one directory on the way to an entry. `dir` is where it goes, `path` its path in the layer. */
static int make_implied(struct tree *t, int dir, const char *name, const char *path)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!tree_is_whiteout(&st))
            return S_ISLNK(st.st_mode) ? -ELOOP : -ENOTDIR;
        /* This layer removes the name and then uses it as a directory: a new one. */
        if (unlinkat(dir, name, 0) < 0)
            return -errno;
        return make_opaque_dir(dir, name);
    }
    if (mkdirat(dir, name, 0755) < 0)
        return -errno;
    pending_add_dir(&t->pending, path);
    return buf_failed(&t->pending.text) ? -E2BIG : 0; /* now, not when the disk is full of them */
}

/* Opens the longest part of `path` that exists; *ret_len is its length. Looked for from the end: what costs is what is
 * missing, not how deep it lies. */
static int open_longest(struct tree *t, const char *path, size_t *ret_len)
{
    const uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    _cleanup_free_ char *prefix = xstrdup(path);
    size_t len = strlen(path);

    for (;;) {
        int fd = tree_open_below(t->root, prefix, O_PATH | O_DIRECTORY, resolve);

        if ((fd != -ENOENT && fd != -ENOTDIR) || len == 0) {
            *ret_len = len;
            return fd;
        }
        while (len > 0 && prefix[--len] != '/')
            ;
        prefix[len] = '\0';
    }
}

/* Goes to `path`, making what is missing. */
static int walk_parents(struct tree *t, const char *path)
{
    size_t len;
    _cleanup_close_ int dir = open_longest(t, path, &len);
    _cleanup_free_ char *prefix = xstrdup(path);

    for (char *start = prefix + len, *end; dir >= 0 && *start; start = end) {
        char kept;
        int next;

        start += *start == '/';
        end = start + strcspn(start, "/");
        kept = *end;
        *end = '\0';
        next = make_implied(t, dir, start, prefix);
        if (next == 0)
            next = tree_open_below(dir, start, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        *end = kept;
        close_fd(&dir);
        dir = next;
    }
    return take_fd(&dir);
}

int tree_open_parent(struct tree *t, const struct layer_path *path, struct err *err)
{
    char parent[TAR_PATH_MAX + 1];
    int fd;

    layer_path_parent(path, parent);
    if (t->parent >= 0 && str_eq(parent, t->parent_path))
        return t->parent;
    if (str_starts(parent, WHITEOUT) || strstr(parent, "/" WHITEOUT))
        return err_set(err, ERR_INVALID, "%s: a part of the path is named like a whiteout", path->text);
    fd = tree_open_below(t->root, parent, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (fd < 0)
        fd = walk_parents(t, parent);
    if (fd == -ENOTDIR || fd == -ELOOP)
        return err_set(err, ERR_INVALID, "%s: a part of the path is no directory", path->text);
    if (fd == -E2BIG)
        return err_set(err, ERR_INVALID, "the archive uses too many directories that it doesn't describe");
    if (fd < 0)
        return err_errno(err, fd, "%s: cannot open %s", path->text, parent);
    close_fd(&t->parent);
    t->parent = fd;
    strcpy(t->parent_path, parent);
    return fd;
}

int tree_clear_name(int parent, const char *name, bool for_dir, bool *ret_whiteout)
{
    struct stat st;

    *ret_whiteout = false;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    *ret_whiteout = tree_is_whiteout(&st);
    if (!S_ISDIR(st.st_mode))
        return unlinkat(parent, name, 0) < 0 ? -errno : 0;
    if (for_dir)
        return 1;
    return tree_remove(parent, name);
}
