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

enum { OPEN_EACH = 8 }; /* of directories that are made in one go */

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

    if (mkdirat(dir, name, 0755) == 0) {
        pending_add_dir(&t->pending, path);
        return buf_failed(&t->pending.text) ? -E2BIG : 0; /* now, not when the disk is full of them */
    }
    if (errno != EEXIST || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!tree_is_whiteout(&st))
        return S_ISLNK(st.st_mode) ? -ELOOP : -ENOTDIR;
    /* This layer removes the name and then uses it as a directory: a new one. */
    return unlinkat(dir, name, 0) < 0 ? -errno : make_opaque_dir(dir, name);
}

/* ---- What is open ---- */

static size_t top_len(const struct tree *t)
{
    return t->n_open > 0 ? t->open[t->n_open - 1].len : 0;
}

static int top_fd(const struct tree *t)
{
    return t->n_open > 0 ? t->open[t->n_open - 1].fd : t->root;
}

static void close_top(struct tree *t)
{
    close_fd(&t->open[--t->n_open].fd);
}

static void push(struct tree *t, int fd, size_t len)
{
    if (t->n_open == TREE_OPEN_MAX)
        close_top(t);
    t->open[t->n_open++] = (struct tree_level){fd, len};
}

void tree_close_all(struct tree *t)
{
    while (t->n_open > 0)
        close_top(t);
}

/* Closes what isn't on the way to `dir`, which is where it goes from here. */
static void turn_to(struct tree *t, const char *dir)
{
    size_t len;

    while ((len = top_len(t)) > 0 &&
           (strncmp(t->open_path, dir, len) != 0 || (dir[len] != '/' && dir[len] != '\0')))
        close_top(t);
    strcpy(t->open_path, dir);
}

void tree_keep_open(struct tree *t, const struct layer_path *path, int *fd)
{
    strcpy(t->open_path, path->text);
    push(t, take_fd(fd), strlen(path->text));
}

/* ---- The way down ---- */

/* Opens the longest part of `path` that exists below `dir`, which is the first `from` bytes of it; *ret_len is its
 * length. -ENOENT or -ENOTDIR: nothing of it is there. Looked for from the end: what costs is what is missing, not how
 * deep it lies. */
static int open_longest(int dir, const char *path, size_t from, uint64_t resolve, size_t *ret_len)
{
    char prefix[TAR_PATH_MAX + 1];
    size_t len = strlen(path);
    int fd = -ENOENT;

    memcpy(prefix, path, len + 1);
    while (len > from) {
        const char *rest = prefix + from;

        fd = tree_open_below(dir, rest + (*rest == '/'), O_PATH | O_DIRECTORY, resolve);
        if (fd != -ENOENT && fd != -ENOTDIR)
            break;
        while (len > from && prefix[--len] != '/')
            ;
        prefix[len] = '\0';
    }
    *ret_len = len;
    return fd;
}

/* Makes what is missing of open_path behind what is open. Inside of what was made here nothing can be there, nor a link
 * be on the way: it needs no looking, and not each is opened. */
static int make_missing(struct tree *t)
{
    char *name = t->open_path + top_len(t);
    size_t made = 0;

    name += *name == '/';
    for (char *end = name; *end;) {
        char kept;
        int r;

        end += *end == '/';
        end += strcspn(end, "/");
        kept = *end;
        *end = '\0';
        r = make_implied(t, top_fd(t), name, t->open_path);
        if (r == 0 && (!kept || ++made % OPEN_EACH == 0)) {
            r = tree_open_below(top_fd(t), name, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
            if (r >= 0) {
                push(t, r, (size_t)(end - t->open_path));
                name = end + (kept == '/');
            }
        }
        *end = kept;
        if (r < 0)
            return r;
    }
    return 0;
}

/* From the open directory down to open_path, making what is missing. -ELOOP: a symbolic link is on the way. */
static int descend(struct tree *t, uint64_t resolve)
{
    size_t len;
    int fd = open_longest(top_fd(t), t->open_path, top_len(t), resolve, &len);

    if (fd >= 0)
        push(t, fd, len);
    return fd >= 0 || fd == -ENOENT || fd == -ENOTDIR ? make_missing(t) : fd;
}

static int through_links(struct tree *t)
{
    int fd, r;

    tree_close_all(t);
    r = descend(t, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
    if (r < 0)
        return r;
    fd = take_fd(&t->open[t->n_open - 1].fd);
    tree_close_all(t);
    push(t, fd, strlen(t->open_path));
    return 0;
}

int tree_open_parent(struct tree *t, const struct layer_path *path, struct err *err)
{
    char parent[TAR_PATH_MAX + 1];
    int r;

    layer_path_parent(path, parent);
    turn_to(t, parent);
    if (top_len(t) == strlen(parent))
        return top_fd(t);
    if (str_starts(parent, WHITEOUT) || strstr(parent, "/" WHITEOUT))
        return err_set(err, ERR_INVALID, "%s: a part of the path is named like a whiteout", path->text);
    r = descend(t, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (r == -ELOOP)
        r = through_links(t);
    if (r == -ENOTDIR || r == -ELOOP)
        return err_set(err, ERR_INVALID, "%s: a part of the path is no directory", path->text);
    if (r == -E2BIG)
        return err_set(err, ERR_INVALID, "the archive uses too many directories that it doesn't describe");
    return r < 0 ? err_errno(err, r, "%s: cannot open %s", path->text, parent) : top_fd(t);
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
