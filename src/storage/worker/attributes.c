/* What an entry says about its file: owner, mode, extended attributes, time. */
#include "storage/worker/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "storage/worker/xattr_policy.h"

static int set_xattr(const struct attributes_target *at, const struct tar_xattr *x)
{
    if (at->fd >= 0)
        return fsetxattr(at->fd, x->name, x->value, x->len, 0);
    /* There is no lsetxattr relative to a directory before Linux 6.13; this thread alone uses the working
     * directory. */
    if (fchdir(at->parent) < 0)
        return -1;
    return lsetxattr(at->name, x->name, x->value, x->len, 0);
}

static int set_xattrs(const struct attributes_target *at, const struct tar_entry *e, struct err *err)
{
    for (size_t i = 0; i < e->n_xattrs; i++) {
        const struct tar_xattr *x = &e->xattrs[i];
        enum xattr_policy policy = xattr_policy(x->name);

        if (policy == XATTR_DROP || set_xattr(at, x) == 0)
            continue;
        if (policy == XATTR_MAY && (errno == EOPNOTSUPP || errno == EPERM))
            continue; /* user.* on a symlink, or a file system without them */
        if (errno == EINVAL)
            return err_set(err, ERR_INVALID,
                           "%s: the extended attribute %s has an impossible value (%zu bytes)", e->path,
                           x->name, x->len);
        return err_errno(err, errno, "%s: cannot set the extended attribute %s (%zu bytes)", e->path, x->name,
                         x->len);
    }
    return 0;
}

int attributes_set(const struct attributes_target *at, const struct tar_entry *e, struct err *err)
{
    struct stat st;
    /* Looking is cheaper than setting, which is written to the journal: most files are made as they shall be. */
    bool known = at->fd >= 0 && fstat(at->fd, &st) == 0;
    int r = 0;

    if (!known || st.st_uid != e->uid || st.st_gid != e->gid)
        r = at->fd >= 0 ? fchown(at->fd, e->uid, e->gid)
                        : fchownat(at->parent, at->name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW);
    if (r < 0)
        return err_errno(err, errno, "%s: cannot set its owner", e->path);
    if (e->type != TAR_SYMLINK && (!known || (st.st_mode & 07777) != e->mode || e->mode & 07000)) {
        r = at->fd >= 0 ? fchmod(at->fd, e->mode) : fchmodat(at->parent, at->name, e->mode, 0);
        if (r < 0)
            return err_errno(err, errno, "%s: cannot set its mode", e->path);
    }
    return set_xattrs(at, e, err);
}

int attributes_set_times(const struct attributes_target *at, const struct tar_entry *e, struct err *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {e->mtime, e->mtime_ns}};
    int r =
        at->fd >= 0 ? futimens(at->fd, times) : utimensat(at->parent, at->name, times, AT_SYMLINK_NOFOLLOW);

    return r < 0 ? err_errno(err, errno, "%s: cannot set its time", e->path) : 0;
}
