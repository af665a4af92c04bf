/* /dev: the nodes every container has, those it asks for, links, and the console. */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "runtime/rootfs/rootfs.h"
#include "sys/mount.h"
#include "sys/pty.h"

/* OCI config-linux.md, "Default Devices". To add one: a row. */
static const struct spec_device default_devices[] = {
    {.path = "/dev/null", .type = S_IFCHR, .major = 1, .minor = 3, .mode = 0666},
    {.path = "/dev/zero", .type = S_IFCHR, .major = 1, .minor = 5, .mode = 0666},
    {.path = "/dev/full", .type = S_IFCHR, .major = 1, .minor = 7, .mode = 0666},
    {.path = "/dev/random", .type = S_IFCHR, .major = 1, .minor = 8, .mode = 0666},
    {.path = "/dev/urandom", .type = S_IFCHR, .major = 1, .minor = 9, .mode = 0666},
    {.path = "/dev/tty", .type = S_IFCHR, .major = 5, .minor = 0, .mode = 0666},
};

const struct spec_device *rootfs_default_devices(size_t *ret_count)
{
    *ret_count = ARRAY_SIZE(default_devices);
    return default_devices;
}

static const struct {
    const char *name, *to;
} links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},      {"ptmx", "pts/ptmx"},
};

static bool same_device(int fd, const struct spec_device *d)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == d->type &&
           (d->type == S_IFIFO || st.st_rdev == makedev((unsigned)d->major, (unsigned)d->minor));
}

static int place_node(struct rootfs *r, const struct spec_device *d, int tree, uint64_t set, struct err *err)
{
    _cleanup_close_ int target = rootfs_open_target(r, d->path, TARGET_PLAIN, err), mounted = -EBADF;

    if (target < 0)
        return -1;
    mounted = mount_place(&(struct mount_request){.tree = tree,
                                                  .set = set,
                                                  .propagation = MS_PRIVATE,
                                                  .target = target,
                                                  .root = r->root,
                                                  .path = d->path});
    return mounted < 0 ? err_errno(err, mounted, "bind %s", d->path) : 0;
}

/* The host's node of the same path, when it is the same device. A read-only mount: what is written to a device doesn't
 * mind, but mode and owner of the host's node stay as they are. */
static int bind_node(struct rootfs *r, const struct spec_device *d, struct err *err)
{
    _cleanup_close_ int tree = mount_tree_open(AT_FDCWD, d->path, /* recursive= */ false);

    if (tree < 0)
        return err_errno(err, tree, "open the host's %s", d->path);
    if (!same_device(tree, d))
        return err_set(err, ERR_INVALID, "the host's %s is not device %lld:%lld", d->path,
                       (long long)d->major, (long long)d->minor);
    return place_node(r, d, tree, MOUNT_ATTR_RDONLY, err);
}

/* As the host has it; an id that isn't mapped stays the host's root's, whom the container sees as nobody. */
static uint32_t host_id(const struct id_mapping *map, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++)
        if (id >= map[i].container && id - map[i].container < map[i].size)
            return map[i].host + (id - map[i].container);
    return 0;
}

/* A node in `directory`, as a tree to bind. Kernels before 6.15 can't make one of what isn't mounted anywhere. */
static int make_foreign_node(const struct rootfs *r, const struct spec_device *d, int directory,
                             const char *name)
{
    const struct spec *spec = r->spec;

    if (mknodat(directory, name, d->type | d->mode, makedev((unsigned)d->major, (unsigned)d->minor)) < 0 ||
        fchownat(directory, name, host_id(spec->uids, spec->uid_count, d->uid),
                 host_id(spec->gids, spec->gid_count, d->gid), AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return mount_tree_open(directory, name, /* recursive= */ false);
}

int rootfs_open_devices(struct rootfs *r, struct err *err)
{
    static char mode[] = "mode=711", size[] = "size=64k";
    char *options[] = {mode, size, NULL};
    _cleanup_close_ int directory = -EBADF;
    mode_t mask;

    if (!r->spec->device_count || !mount_api_available())
        return 0;
    directory = mount_place(&(struct mount_request){
        .type = "tmpfs", .source = "devices", .options = options, .target = -EBADF, .root = -EBADF});
    if (directory == -EPERM) /* not for an ordinary user: the host's nodes have to do */
        return 0;
    if (directory < 0)
        return err_errno(err, directory, "make a place for devices");
    mask = umask(0);
    for (size_t i = 0; i < r->spec->device_count; i++) {
        char name[24];

        snprintf(name, sizeof(name), "%zu", i);
        r->nodes[i] = make_foreign_node(r, &r->spec->devices[i], directory, name);
    }
    umask(mask);
    return 0;
}

static int make_node(struct rootfs *r, const struct spec_device *d, int directory, const char *name,
                     struct err *err)
{
    if (mknodat(directory, name, d->type | d->mode, makedev((unsigned)d->major, (unsigned)d->minor)) == 0) {
        if ((d->uid || d->gid) && fchownat(directory, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
            return err_errno(err, errno, "chown %s", d->path);
        return 0;
    }
    if (errno == EPERM)
        return bind_node(r, d, err);
    if (errno == EEXIST) {
        _cleanup_close_ int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

        return fd >= 0 && same_device(fd, d)
                   ? 0
                   : err_set(err, ERR_INVALID, "%s exists and is not that device", d->path);
    }
    return err_errno(err, errno, "mknod %s", d->path);
}

/* `node`: made on the host's side, or -EBADF. */
static int make_device(struct rootfs *r, const struct spec_device *d, int node, int dev, struct err *err)
{
    _cleanup_free_ char *copy = xstrdup(d->path), *copy2 = xstrdup(d->path);
    const char *directory = dirname(copy), *name = basename(copy2);
    _cleanup_close_ int parent = -EBADF;

    if (node >= 0)
        return place_node(r, d, node, 0, err);
    if (r->foreign_user && d->type != S_IFIFO)
        return bind_node(r, d, err);
    if (str_eq(directory, "/dev"))
        return make_node(r, d, dev, name, err);
    parent = path_mkdir_in_root(r->root, directory, 0755, 0, 0);
    return parent < 0 ? err_errno(err, parent, "make %s", directory) : make_node(r, d, parent, name, err);
}

/* A /dev that is bound from the host has its nodes, and they aren't ours to change. */
static bool dev_is_bound(const struct spec *spec)
{
    bool bound = false;

    for (size_t i = 0; i < spec->mount_count; i++)
        if (str_eq(spec->mounts[i].destination, "/dev"))
            bound = spec->mounts[i].bind;
    return bound;
}

static int make_link(int dev, const char *name, const char *to, struct err *err)
{
    char old[64];
    ssize_t n;

    if (symlinkat(to, dev, name) == 0)
        return 0;
    if (errno != EEXIST)
        return err_errno(err, errno, "make /dev/%s", name);
    n = readlinkat(dev, name, old, sizeof(old) - 1);
    if (n > 0 && (size_t)n == strlen(to) && memcmp(old, to, (size_t)n) == 0)
        return 0;
    if (!str_eq(name, "ptmx")) /* the image's own choice */
        return 0;
    if (unlinkat(dev, name, 0) < 0 || symlinkat(to, dev, name) < 0)
        return err_errno(err, errno, "replace /dev/%s", name);
    return 0;
}

int rootfs_make_devices(struct rootfs *r, struct err *err)
{
    _cleanup_close_ int dev = -EBADF;
    mode_t mask;
    int result = 0;

    if (dev_is_bound(r->spec))
        return 0;
    dev = path_mkdir_in_root(r->root, "/dev", 0755, 0, 0);
    if (dev < 0)
        return err_errno(err, dev, "open /dev");
    mask = umask(0);
    for (size_t i = 0; result == 0 && i < ARRAY_SIZE(default_devices); i++)
        result = make_device(r, &default_devices[i], -EBADF, dev, err);
    for (size_t i = 0; result == 0 && i < r->spec->device_count; i++)
        result = make_device(r, &r->spec->devices[i], r->nodes[i], dev, err);
    umask(mask);
    for (size_t i = 0; result == 0 && i < ARRAY_SIZE(links); i++)
        if (!str_eq(links[i].name, "core") || faccessat(r->procfs, "kcore", F_OK, 0) == 0)
            result = make_link(dev, links[i].name, links[i].to, err);
    return result;
}

static int bind_console(struct rootfs *r, int slave, struct err *err)
{
    _cleanup_close_ int target = rootfs_open_target(r, "/dev/console", TARGET_PLAIN, err);
    _cleanup_close_ int tree = -EBADF, mounted = -EBADF;

    if (target < 0)
        return -1;
    tree = mount_tree_open(slave, "", /* recursive= */ false);
    if (tree >= 0)
        mounted = mount_place(&(struct mount_request){.tree = tree,
                                                      .propagation = MS_PRIVATE,
                                                      .target = target,
                                                      .root = r->root,
                                                      .path = "/dev/console"});
    return mounted < 0 ? err_errno(err, tree < 0 ? tree : mounted, "mount the terminal on /dev/console") : 0;
}

int rootfs_make_console(struct rootfs *r, const struct spec_process *process, int *ret_master, int *ret_slave,
                        struct err *err)
{
    _cleanup_close_ int pts = path_open_in_root(r->root, "/dev/pts", O_PATH | O_DIRECTORY, 0),
                        master = -EBADF, slave = -EBADF;
    int result = pts < 0 ? pts : pty_open(pts, &master, &slave);

    if (result < 0)
        return err_errno(err, result, "open a terminal in /dev/pts (it must be mounted as devpts)");
    if (process->rows && process->columns)
        (void)pty_resize(master, process->rows, process->columns);
    if (process->uid && fchown(slave, process->uid, (gid_t)-1) < 0)
        return err_errno(err, errno, "give the terminal to user %u", process->uid);
    if (!dev_is_bound(r->spec) && bind_console(r, slave, err) < 0)
        return -1;
    *ret_master = take_fd(&master);
    *ret_slave = take_fd(&slave);
    return 0;
}
