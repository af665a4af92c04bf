/* An overlay mount by descriptors. Layers are named by /proc/self/fd paths, which also keeps option strings short;
 * "lowerdir+" takes one layer at a time (Linux 6.7), older kernels get them in one string. */
#include "storage/overlay.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "sys/mount.h"

static int set_path(int fs, const char *key, int fd)
{
    char path[40];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return fsconfig(fs, FSCONFIG_SET_STRING, key, path, 0) < 0 ? -errno : 0;
}

/* A string has 255 characters at the most, so the names are relative to /proc/self/fd: 60 layers or more. The caller
 * stands there when the mount is made. */
static int set_lower_string(int fs, const int *lower, size_t n)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(64 * 1024);

    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%d", i > 0 ? ":" : "", lower[i]);
    if (buf_failed(&b))
        return b.error;
    return fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", buf_str(&b), 0) < 0 ? -errno : 1;
}

/* 1: by names relative to /proc/self/fd. */
static int set_lower(int fs, const int *lower, size_t n)
{
    bool singly = mount_takes_options_singly("overlay");

    for (size_t i = 0; i < n && singly; i++) {
        int r = set_path(fs, "lowerdir+", lower[i]);

        if (r == -EINVAL && i == 0)
            singly = false;
        else if (r < 0)
            return r;
    }
    return singly ? 0 : set_lower_string(fs, lower, n);
}

static int create(int fs)
{
    return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

/* Makes it where the names are looked up from: the current directory of this thread, no longer shared with others. */
static int create_in(const char *directory, int fs)
{
    _cleanup_close_ int before = -EBADF;
    int r;

    if (unshare(CLONE_FS) < 0)
        return -errno;
    before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (before < 0 || chdir(directory) < 0)
        return -errno;
    r = create(fs);
    return fchdir(before) < 0 && r == 0 ? -errno : r;
}

/* Features that would make the upper directory more than a plain tree of changes stay off, whatever the
 * module's defaults are. */
static const char *const options[][2] = {{"index", "off"}, {"redirect_dir", "off"}, {"metacopy", "off"}};

int overlay_mount(const int *lower, size_t n, int upper, int work, struct err *err)
{
    _cleanup_close_ int fs = fsopen("overlay", FSOPEN_CLOEXEC);
    unsigned int attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    int r = fs < 0 ? -errno : set_lower(fs, lower, n), fd;
    bool relative = r > 0;

    r = r > 0 ? 0 : r;
    if (r == 0 && upper >= 0) {
        r = set_path(fs, "upperdir", upper);
        r = r < 0 ? r : set_path(fs, "workdir", work);
        fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0); /* Linux 5.10; without it unmounting syncs */
    }
    for (size_t i = 0; i < ARRAY_SIZE(options) && r == 0; i++)
        r = fsconfig(fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0) < 0 ? -errno : 0;
    if (r == 0)
        r = relative ? create_in("/proc/self/fd", fs) : create(fs);
    if (r < 0)
        return err_errno(err, r, "cannot make an overlay of %zu layers", n);
    if (upper < 0)
        attributes |= MOUNT_ATTR_RDONLY;
    fd = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
    return fd < 0 ? err_errno(err, errno, "cannot mount an overlay of %zu layers", n) : fd;
}
