/* The root itself: layers or a directory, and the pivot. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/rootfs/rootfs.h"
#include "sys/mount.h"

static char *host_path(const struct rootfs *r, const char *path)
{
    return path_is_absolute(path) || !r->options->bundle ? xstrdup(path)
                                                         : path_join(r->options->bundle, path);
}

static bool is_single_layer(const struct runtime_overlay *overlay)
{
    return overlay && !overlay->upper && !overlay->lower[1];
}

/* The directory that is bound as the root, clean, or NULL when an overlay is. */
static char *root_directory(const struct rootfs *r)
{
    _cleanup_free_ char *path = NULL;

    if (is_single_layer(r->options->overlay)) /* the kernel wants two layers, or one and a writable one */
        return xstrdup(r->options->overlay->lower[0]);
    if (r->options->overlay || !r->spec->root_path)
        return NULL;
    path = host_path(r, r->spec->root_path);
    return path_clean(path);
}

void rootfs_init(struct rootfs *r)
{
    size_t n = r->spec->mount_count;

    r->tree = r->root = r->caller = -EBADF;
    r->directory = root_directory(r);
    r->mounts = xcalloc(n ? n : 1, sizeof(*r->mounts));
    for (size_t i = 0; i < n; i++)
        r->mounts[i] = (struct rootfs_mount){
            .target = rootfs_container_path(r, r->spec->mounts[i].destination, /* only_inside= */ false),
            .source = -EBADF,
            .mapping = -EBADF,
            .read_only = -EBADF,
            .guarded = -EBADF,
        };
    r->nodes = xcalloc(r->spec->device_count + 1, sizeof(*r->nodes));
    for (size_t i = 0; i < r->spec->device_count; i++)
        r->nodes[i] = -EBADF;
}

void rootfs_finish(struct rootfs *r)
{
    for (size_t i = 0; r->mounts && i < r->spec->mount_count; i++) {
        free(r->mounts[i].target);
        free(r->mounts[i].link);
        close_fd(&r->mounts[i].source);
        close_fd(&r->mounts[i].mapping);
        close_fd(&r->mounts[i].read_only);
        close_fd(&r->mounts[i].guarded);
    }
    for (size_t i = 0; r->nodes && i < r->spec->device_count; i++)
        close_fd(&r->nodes[i]);
    free(r->mounts);
    free(r->nodes);
    free(r->directory);
    r->mounts = NULL;
    r->nodes = NULL;
    r->directory = NULL;
    close_fd(&r->tree);
    close_fd(&r->root);
}

static unsigned long root_propagation(const struct rootfs *r)
{
    unsigned long asked = r->spec->root_propagation & ~(unsigned long)MS_REC;

    return MS_REC | (asked == 0 || asked == MS_SHARED || asked == MS_SLAVE ? MS_SLAVE : MS_PRIVATE);
}

/* A value of fsconfig(2) has at most 255 characters; a longer path goes by a descriptor, kept open until
 * exec. */
static void push_path(char ***options, const char *key, const char *path)
{
    int fd = strlen(path) < 256 ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    strv_push_take(options,
                   fd < 0 ? xasprintf("%s=%s", key, path) : xasprintf("%s=/proc/self/fd/%d", key, fd));
}

static void push_common_options(char ***options, const struct runtime_overlay *overlay)
{
    static const char *const fixed[] = {"redirect_dir=off", "metacopy=off", "index=off"};

    if (!overlay->upper)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        strv_push(options, fixed[i]);
    if (overlay->volatile_upper)
        strv_push(options, "volatile");
    if (geteuid() != 0) /* trusted.* attributes are the host root's alone */
        strv_push(options, "userxattr");
}

/* The layers as one colon-separated option, for mount(2), which has one page for all options: as descriptors, named
 * from /proc/self/fd, hundreds fit. They stay open until exec. */
static char *layers_as_descriptors(const char *const *layers, struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(4096);

    for (const char *const *layer = layers; *layer; layer++) {
        int fd = open(*layer, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
            return err_errno(err, errno, "open the layer %s", *layer), NULL;
        buf_printf(&b, "%s%d", layer == layers ? "lowerdir=" : ":", fd);
    }
    if (buf_failed(&b))
        return err_set(err, ERR_INVALID, "more layers than this kernel can mount"), NULL;
    return xstrdup(buf_str(&b));
}

/* `target` is `place`, opened. */
static int overlay_by_older_call(const struct runtime_overlay *overlay, const char *place, int target,
                                 struct err *err)
{
    char *lower = layers_as_descriptors(overlay->lower, err);
    _cleanup_strv_ char **options = NULL;
    int fd;

    if (!lower)
        return -1;
    strv_push_take(&options, lower);
    if (chdir("/proc/self/fd") < 0)
        return err_errno(err, errno, "open /proc/self/fd");
    if (overlay->upper) {
        push_path(&options, "upperdir", overlay->upper);
        push_path(&options, "workdir", overlay->work);
    }
    push_common_options(&options, overlay);
    fd = mount_place(&(struct mount_request){.type = "overlay",
                                             .source = "overlay",
                                             .options = options,
                                             .target = target,
                                             .root = -EBADF,
                                             .path = place,
                                             .older_call = true});
    return fd < 0 ? err_errno(err, fd, "mount the overlay of %s (this kernel limits how many layers fit)",
                              overlay->lower[0])
                  : fd;
}

/* A detached overlay mount: Linux 6.7 takes the layers one by one. -1 with ERR_NOT_IMPLEMENTED before. */
static int overlay_detached(const struct runtime_overlay *overlay, struct err *err)
{
    _cleanup_strv_ char **options = NULL;
    char log[MOUNT_LOG_SIZE] = "";
    int fd;

    if (!mount_takes_options_singly("overlay"))
        return err_set(err, ERR_NOT_IMPLEMENTED, "overlay: this kernel has it by mount(2) alone");
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): called with an overlay only */
    for (const char *const *layer = overlay->lower; *layer; layer++)
        push_path(&options, "lowerdir+", *layer);
    if (overlay->upper) {
        push_path(&options, "upperdir", overlay->upper);
        push_path(&options, "workdir", overlay->work);
    }
    push_common_options(&options, overlay);
    fd = mount_place(&(struct mount_request){
        .type = "overlay", .source = "overlay", .options = options, .target = -EBADF, .log = log});
    if (fd == -EINVAL && strstr(log, "lowerdir+"))
        return err_set(err, ERR_NOT_IMPLEMENTED, "overlay: this kernel doesn't take layers one by one");
    return fd < 0
               ? err_errno(err, fd, "mount the overlay of %s%s%s", overlay->lower[0], *log ? ": " : "", log)
               : fd;
}

/* The tree of a single layer, or of all of them; -EBADF where only the older call can. */
static int open_layers(const struct runtime_overlay *overlay, int *ret_tree, struct err *err)
{
    struct err why = {0};

    *ret_tree = -EBADF;
    if (is_single_layer(overlay)) {
        *ret_tree = mount_tree_open(AT_FDCWD, overlay->lower[0], /* recursive= */ true);
        return *ret_tree < 0 ? err_errno(err, *ret_tree, "open the layer %s", overlay->lower[0]) : 0;
    }
    if (!mount_api_available())
        return 0;
    *ret_tree = overlay_detached(overlay, &why);
    return *ret_tree < 0 && why.kind != ERR_NOT_IMPLEMENTED ? err_pass(err, &why) : 0;
}

int rootfs_mount_layers(const struct runtime_overlay *overlay, const char *place, struct err *err)
{
    _cleanup_close_ int target = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC), tree = -EBADF, mounted = -EBADF;

    if (target < 0)
        return err_errno(err, errno, "open %s", place);
    if (open_layers(overlay, &tree, err) < 0)
        return -1;
    if (tree < 0) {
        mounted = overlay_by_older_call(overlay, place, target, err);
        return mounted < 0 ? -1 : 0;
    }
    mounted = mount_place(&(struct mount_request){.tree = tree,
                                                  .recursive = true,
                                                  .set = is_single_layer(overlay) ? MOUNT_ATTR_RDONLY : 0,
                                                  .target = target,
                                                  .root = -EBADF,
                                                  .path = place});
    return mounted < 0 ? err_errno(err, mounted, "mount the layers at %s", place) : 0;
}

static int open_root_tree(struct rootfs *r, struct err *err)
{
    struct stat st;

    if (!r->options->overlay && !r->spec->root_path)
        return err_set(err, ERR_INVALID, "invalid configuration: root: missing");
    if (!r->directory) {
        if (!mount_api_available())
            return 0; /* made in place, by rootfs_mount_root() */
        r->tree = overlay_detached(r->options->overlay, err);
        if (r->tree < 0 && err && err->kind == ERR_NOT_IMPLEMENTED)
            return 0;
        return r->tree < 0 ? -1 : 0;
    }
    r->tree = mount_tree_open(AT_FDCWD, r->directory, /* recursive= */ true);
    if (r->tree < 0)
        return err_errno(err, r->tree, "open the root filesystem %s", r->directory);
    if (fstat(r->tree, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "root.path %s is not a directory", r->directory);
    return 0;
}

int rootfs_open_host(struct rootfs *r, struct err *err)
{
    if (open_root_tree(r, err) < 0)
        return -1;
    for (size_t i = 0; i < r->spec->mount_count; i++)
        if (rootfs_opens_early(r, i) && rootfs_open_source(r, i, err) < 0)
            return -1;
    return r->foreign_user ? rootfs_open_devices(r, err) : 0;
}

static bool owns_mounts(const struct rootfs *r)
{
    return r->spec->namespaces[NAMESPACE_MOUNT].wanted;
}

/* Hooks on the host's side that enter the mount namespace look for the root under the path it has on the host. */
static bool is_looked_for(const struct rootfs *r)
{
    static const enum spec_hook_stage stages[] = {HOOK_PRESTART, HOOK_CREATE_RUNTIME, HOOK_CREATE_CONTAINER};

    for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
        if (r->spec->hooks[stages[i]].count)
            return r->directory && access(r->directory, X_OK) == 0;
    return false;
}

/* Where the root goes: over "/", which the descriptor calls leave reachable for all that is yet to be opened by its path;
 * else over itself. */
static const char *place_of_root(const struct rootfs *r)
{
    if (r->tree < 0)
        return r->options->overlay->lower[0];
    return mount_api_available() && owns_mounts(r) && !is_looked_for(r) ? "/" : r->directory;
}

/* Propagation from the host goes on; what a mount is to have instead is its own matter. */
int rootfs_mount_root(struct rootfs *r, struct err *err)
{
    const char *place = place_of_root(r);
    bool read_only = is_single_layer(r->options->overlay);
    _cleanup_close_ int target = -EBADF;
    int result = owns_mounts(r) ? mount_set_propagation("/", MS_SLAVE | MS_REC) : 0;

    if (result < 0)
        return err_errno(err, result, "cut the propagation of mounts");
    if (!owns_mounts(r) && !r->directory)
        return err_set(err, ERR_INVALID,
                       "invalid configuration: linux.namespaces: layers need a mount namespace");
    target = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target < 0)
        return err_errno(err, errno, "open %s", place);
    if (r->tree < 0) {
        r->root = overlay_by_older_call(r->options->overlay, place, target, err);
        return r->root < 0 ? -1 : 0;
    }
    r->root = mount_place(&(struct mount_request){.tree = r->tree,
                                                  .recursive = true,
                                                  .propagation = root_propagation(r),
                                                  .set = read_only ? MOUNT_ATTR_RDONLY : 0,
                                                  .target = target,
                                                  .root = -EBADF,
                                                  .path = place});
    return r->root < 0 ? err_errno(err, r->root, "put the root filesystem in place") : 0;
}

/* Nothing is made any more in what had to stay writable. */
static int seal_mounts(struct rootfs *r, struct err *err)
{
    for (size_t i = 0; i < r->spec->mount_count; i++) {
        int fd = r->mounts[i].read_only, result = fd < 0 ? 0 : mount_set(fd, MOUNT_ATTR_RDONLY, 0, 0, false);

        if (result < 0)
            return err_errno(err, result, "make %s read-only", r->mounts[i].target);
        close_fd(&r->mounts[i].read_only);
    }
    return 0;
}

int rootfs_seal(struct rootfs *r, struct err *err)
{
    _cleanup_close_ int cwd = -EBADF;
    int result = 0;

    if (r->spec->has_process) {
        _cleanup_free_ char *real = path_resolve_in_root(r->root, r->spec->process.cwd, &result);

        cwd = real ? path_mkdir_in_root(r->root, real, 0755, 0, 0) : result;
        result = 0;
        /* a root that can't be written, or an odd directory: chdir() will tell what is wrong, if anything is
         */
    }
    if (seal_mounts(r, err) < 0)
        return -1;
    if (r->spec->root_readonly)
        result = mount_set(r->root, MOUNT_ATTR_RDONLY, 0, 0, /* recursive= */ false);
    return result < 0 ? err_errno(err, result, "make the root filesystem read-only") : 0;
}

/* Where pivot_root(2) can't be (an initramfs): the root is moved over "/". In a mount namespace that others live in, it
 * stays where it is. */
static int change_root(struct rootfs *r)
{
    if (fchdir(r->root) < 0)
        return -errno;
    if (owns_mounts(r) && !mount_api_available() && mount(".", "/", NULL, MS_MOVE, NULL) < 0)
        return -errno;
    return chroot(".") < 0 ? -errno : 0;
}

static int pivot(struct rootfs *r)
{
    _cleanup_close_ int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (old < 0 || fchdir(r->root) < 0)
        return -errno;
    if (syscall(SYS_pivot_root, ".", ".") < 0) /* the old root now lies over the new one */
        return -errno;
    if (fchdir(old) < 0 || umount2(".", MNT_DETACH) < 0)
        return -errno;
    return 0;
}

int rootfs_pivot(struct rootfs *r, struct err *err)
{
    unsigned long asked = r->spec->root_propagation;
    struct stat expected, actual;
    char cwd[8];
    bool pivots = owns_mounts(r) && !r->options->no_pivot;
    int result;

    if (owns_mounts(r) && !pivots && rootfs_hide_host(r, err) < 0)
        return -1;
    result = fstat(r->root, &expected) < 0 ? -errno : pivots ? pivot(r) : change_root(r);
    if (result < 0)
        return err_errno(err, result, "pivot_root");
    if (chdir("/") < 0 || stat(".", &actual) < 0)
        return err_errno(err, errno, "enter the root filesystem");
    if (actual.st_dev != expected.st_dev || actual.st_ino != expected.st_ino || !getcwd(cwd, sizeof(cwd)) ||
        !str_eq(cwd, "/"))
        return err_set(err, ERR_SYSTEM, "pivot_root led to another directory than the container's root");
    if (owns_mounts(r) &&
        ((asked & ~(unsigned long)MS_REC) == MS_SHARED || (asked & ~(unsigned long)MS_REC) == MS_UNBINDABLE))
        result = mount_set_propagation("/", asked);
    return result < 0 ? err_errno(err, result, "set the propagation of the root") : 0;
}
