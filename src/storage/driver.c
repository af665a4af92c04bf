/* Which driver a store is used with: DATA/layers/.driver, a symlink (metadata, so it lasts as the directory does)
 * whose target is the name. */
#include "storage/driver.h"

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
#include "storage/internal.h"
#include "storage/tree_remove.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

#define RECORD ".driver"

/* The first is the one that is taken without being named. */
static const struct storage_driver *const drivers[] = {&overlay_driver, &vfs_driver, &btrfs_driver,
                                                       &erofs_driver};

const struct storage_driver *driver_find(const char *name, struct err *err)
{
    char known[256] = "";

    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        size_t len = strlen(known);

        for (const char *const *n = drivers[i]->names; *n; n++)
            if (str_eq(*n, name))
                return drivers[i];
        snprintf(known + len, sizeof(known) - len, "%s%s", i > 0 ? ", " : "", drivers[i]->name);
    }
    err_set(err, ERR_INVALID, "driver not supported: %s (there are %s)", name, known);
    return NULL;
}

int storage_driver_check(const char *driver, struct err *err)
{
    return !driver || driver_find(driver, err) ? 0 : -1;
}

/* ---- The record ---- */

/* Stores that an earlier version made have no record: they are overlay's. */
static const struct storage_driver *read_record(struct storage *s, bool used, struct err *err)
{
    char name[64];
    ssize_t n = readlinkat(s->layers_fd, RECORD, name, sizeof(name) - 1);

    if (n < 0)
        return used ? drivers[0] : NULL;
    name[n] = '\0';
    return driver_find(name, err);
}

static int write_record(struct storage *s, const char *name, struct err *err)
{
    char temporary[NAME_SIZE];

    storage_random_name(temporary, TRASH_PREFIX);
    if (symlinkat(name, s->layers_fd, temporary) < 0 ||
        renameat(s->layers_fd, temporary, s->layers_fd, RECORD) < 0)
        return err_errno(err, errno, "cannot write to %s", s->layers);
    return 0;
}

/* Whether a directory has an entry that isn't a dot file's: a layer, a container's directory. */
static bool has_entries(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;
    bool found = false;

    if (!dir) {
        close_fd(&copy);
        return true;
    }
    while (!found && (entry = readdir(dir)))
        found = entry->d_name[0] != '.';
    closedir(dir);
    return found;
}

/* What the driver before derived from nothing but the empty image. */
static int forget(struct storage *s, const struct storage_driver *before, struct err *err)
{
    int r = driver_remove(before, s->layers_fd, SCRATCH_DIR, NULL);

    return r < 0 ? err_errno(err, r, "cannot remove %s/%s", s->layers, SCRATCH_DIR) : 0;
}

const struct storage_driver *driver_choose(struct storage *s, const char *name, struct err *err)
{
    bool used = has_entries(s->layers_fd) || has_entries(s->containers_fd);
    const struct storage_driver *wanted = str_empty(name) ? NULL : driver_find(name, err), *before;
    struct err unknown = {};

    if (!str_empty(name) && !wanted)
        return NULL;
    before = read_record(s, used, &unknown);
    if (!before && unknown.kind != ERR_NONE && used) {
        err_set(err, ERR_CONFLICT, "the data root was made with a storage driver that isn't known here: %s",
                unknown.message);
        return NULL;
    }
    if (before && wanted && before != wanted && used) {
        err_set(err, ERR_CONFLICT,
                "%s is used with the storage driver %s, and %s can't read what is there: start with "
                "--storage-driver "
                "%s, or give %s a data root of its own (--data-root)",
                s->layers, before->name, wanted->name, before->name, wanted->name);
        return NULL;
    }
    wanted = wanted ? wanted : before ? before : drivers[0];
    if (wanted->probe(s, err) < 0)
        return NULL;
    if (before && before != wanted && forget(s, before, err) < 0)
        return NULL;
    if (before != wanted && write_record(s, wanted->name, err) < 0)
        return NULL;
    return wanted;
}

/* ---- What drivers share ---- */

int driver_remove(const struct storage_driver *driver, int dirfd, const char *name, const atomic_bool *stop)
{
    return driver->remove ? driver->remove(dirfd, name, stop) : tree_remove_until(dirfd, name, stop);
}

/* As docker info names them. */
static const struct {
    unsigned int magic;
    const char *name;
} filesystems[] = {
    {EXT4_SUPER_MAGIC, "extfs"},
    {XFS_SUPER_MAGIC, "xfs"},
    {BTRFS_SUPER_MAGIC, "btrfs"},
    {TMPFS_MAGIC, "tmpfs"},
    {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
    {F2FS_SUPER_MAGIC, "f2fs"},
    {NFS_SUPER_MAGIC, "nfs"},
};

const char *filesystem_name(int fd)
{
    struct statfs st;

    if (fstatfs(fd, &st) == 0)
        for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++)
            if ((unsigned int)st.f_type == filesystems[i].magic)
                return filesystems[i].name;
    return "<unknown>";
}

int driver_probe_overlay_form(struct storage *s)
{
    char name[NAME_SIZE];
    _cleanup_close_ int fd = -EBADF;
    int r;

    storage_random_name(name, TRASH_PREFIX);
    if (mkdirat(s->layers_fd, name, 0700) < 0)
        return -errno;
    fd = openat(s->layers_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0 ||
                mknodat(fd, "removed", S_IFCHR, makedev(0, 0)) < 0
            ? -errno
            : 0;
    tree_remove(s->layers_fd, name);
    return r;
}
