/* Hard links, and those that have to wait for their target. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/worker/tree_internal.h"

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
    fd = tree_open_below(t->root, dir, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (fd < 0)
        return fd;
    if (fstatat(fd, target->text + target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode) || tree_is_whiteout(&st))
        return -EPERM;
    if (fstatat(parent, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && old.st_ino == st.st_ino)
        return 0; /* a link to itself, or there already */
    r = tree_clear_name(parent, name, /* for_dir= */ false, &whiteout);
    if (r < 0)
        return r;
    return linkat(fd, target->text + target->name, parent, name, 0) < 0 ? -errno : 0;
}

int tree_add_link(struct tree *t, const struct tar_entry *e, int parent, const struct layer_path *path,
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
        r = tree_clear_name(parent, path->text + path->name, /* for_dir= */ false, &whiteout);
        buf_append(&t->links, path->text, strlen(path->text) + 1);
        buf_append(&t->links, target.text, strlen(target.text) + 1);
        if (buf_failed(&t->links))
            return err_set(err, ERR_INVALID, "%s: too many hard links to files that aren't there", e->path);
    }
    return r < 0 ? err_errno(err, r, "%s: cannot link it to %s", e->path, e->link) : 0;
}

int tree_finish_links(struct tree *t, struct err *err)
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
        parent = tree_open_parent(t, &path, err);
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
