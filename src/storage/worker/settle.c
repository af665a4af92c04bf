/* keg-layer settle: what an unpacked layer needs from the layers below.
 *
 * The layers are mounted as one overlay, with the new one as the writable directory: a hard link to a file
 * below is then an ordinary link, before which the kernel copies the file up with all its attributes.
 * Directories that the archive used without describing them get the attributes they have below. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/worker/listing.h"
#include "storage/worker/pending.h"
#include "storage/worker/sandbox.h"
#include "storage/worker/worker.h"
#include "storage/worker/xattr_policy.h"

enum { XATTR_LIST_SIZE = 64 * 1024, XATTR_VALUE_SIZE = 64 * 1024 };

struct settle {
    int layer;            /* the layer itself */
    int merged;           /* all, the layer writable */
    int below;            /* only the layers below */
    struct listing names; /* of a directory in those */
};

static int open_dir(int root, const char *path, uint64_t resolve)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = resolve};
    long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

static int open_plain(int root, const char *path)
{
    return open_dir(root, path, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

static int copy_xattrs(int from, int to)
{
    _cleanup_free_ char *names = xmalloc(XATTR_LIST_SIZE), *value = xmalloc(XATTR_VALUE_SIZE);
    ssize_t len = flistxattr(from, names, XATTR_LIST_SIZE);

    for (const char *name = names; len > 0 && name < names + len; name += strlen(name) + 1) {
        ssize_t n;

        if (xattr_policy(name) == XATTR_DROP)
            continue;
        n = fgetxattr(from, name, value, XATTR_VALUE_SIZE);
        if (n < 0 || fsetxattr(to, name, value, (size_t)n, 0) < 0)
            return -errno;
    }
    return len < 0 ? -errno : 0;
}

/* *missing: the directory that the layers below lacked last, in the list: they have nothing in it either. */
static int settle_dir(struct settle *s, const char *path, const char **missing, struct err *err)
{
    const char *inside = *missing ? str_after(path, *missing) : NULL;
    _cleanup_close_ int below = -EBADF, ours = -EBADF;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    struct stat st;
    int r;

    if (inside && *inside == '/')
        return 0;
    if (!listing_lacks(&s->names, path)) {
        below = open_plain(s->below, path);
        if (below < 0)
            listing_missed(&s->names, s->below, open_plain);
    }
    if (below < 0) { /* not there, or something else: nothing to take over */
        *missing = path;
        return 0;
    }
    ours = open_plain(s->layer, path);
    if (ours < 0)
        return 0;
    r = fstat(below, &st) < 0 ? -errno : 0;
    if (r == 0 && (fchown(ours, st.st_uid, st.st_gid) < 0 || fchmod(ours, st.st_mode & 07777) < 0))
        r = -errno;
    if (r == 0)
        r = copy_xattrs(below, ours);
    times[1] = st.st_mtim;
    if (r == 0 && futimens(ours, times) < 0)
        r = -errno;
    return r < 0 ? err_errno(err, r, "%s: cannot take over the attributes of the directory below", path) : 0;
}

/* Opens the directory that holds `path`; *ret_name is its last component. */
static int open_holder(int root, const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *dir = xstrndup(path, slash ? (size_t)(slash - path) : 0);

    *ret_name = slash ? slash + 1 : path;
    return open_dir(root, dir, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

static int settle_link(const struct settle *s, const struct pending_row *row, struct err *err)
{
    const char *name, *target;
    _cleanup_close_ int to = open_holder(s->merged, row->path, &name);
    _cleanup_close_ int from = open_holder(s->merged, row->target, &target);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
    struct stat st;
    int r = to < 0 ? to : from < 0 ? from : 0;

    /* A directory that the archive described keeps its time. */
    if (r == 0 && fstat(to, &st) == 0)
        times[1] = st.st_mtim;

    if (r == 0 && fstatat(to, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && unlinkat(to, name, 0) < 0)
        r = -errno;
    if (r == 0 && linkat(from, target, to, name, 0) < 0)
        r = -errno;
    if (r == 0 && futimens(to, times) < 0)
        r = -errno;
    if (r == -ENOENT || r == -ENOTDIR || r == -EPERM)
        return err_set(err, ERR_INVALID, "%s: a hard link to %s, which is neither in this layer nor below it",
                       row->path, row->target);
    return r < 0 ? err_errno(err, r, "%s: cannot link it to %s", row->path, row->target) : 0;
}

static int settle_all(struct settle *s, const struct buf *list, struct err *err)
{
    /* Links first: they change the times of the directories they go into. */
    for (int links = 1; links >= 0; links--) {
        const char *text = buf_str(list);
        size_t len = list->len;
        const char *missing = NULL;
        struct pending_row row;
        int r;

        while ((r = pending_next(&text, &len, &row)) > 0) {
            if (!links && !row.target && settle_dir(s, row.path, &missing, err) < 0)
                return -1;
            if (links && row.target && settle_link(s, &row, err) < 0)
                return -1;
        }
        if (r < 0)
            return err_set(err, ERR_INVALID, "the list of things to settle is damaged");
    }
    return 0;
}

int worker_settle(const struct worker_options *o, struct worker_report *ret _unused_, struct err *err)
{
    _cleanup_(buf_finish) struct buf list = BUF_INIT(PENDING_MAX);
    struct sandbox_root root = {.tree = WORKER_FD_TREE, .at = "layer", .work = WORKER_FD_WORK, .below = true};
    int lower[WORKER_LOWER_MAX];
    struct settle s = {.names = LISTING_INIT};
    int r;

    worker_lower(o, &root, lower);
    r = fd_read_all(WORKER_FD_PENDING, &list);
    if (r < 0)
        return err_errno(err, r, "cannot read the list of things to settle");
    if (sandbox_enter(&root, WORKER_FD_TREE, err) < 0)
        return -1;
    s.layer = open("/layer", O_PATH | O_DIRECTORY | O_CLOEXEC);
    s.merged = open("/merged", O_PATH | O_DIRECTORY | O_CLOEXEC);
    s.below = open("/below", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s.layer < 0 || s.merged < 0 || s.below < 0)
        return err_errno(err, errno, "cannot open the layers");
    r = sandbox_seal(err) < 0 ? -1 : settle_all(&s, &list, err);
    listing_finish(&s.names);
    return r;
}
