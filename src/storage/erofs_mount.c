/* Mounting EROFS images: fsopen with the file as source; where the kernel wants a block device for it, a loop device. */
#include "storage/erofs_mount.h"

#include <fcntl.h>
#include <linux/fsverity.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef EROFS_SUPER_MAGIC_V1
#define EROFS_SUPER_MAGIC_V1 0xE0F5E1E2
#endif

enum { LOOP_TRIES = 50 };

/* ---- Loop devices ---- */

/* A free device with the image in it, which goes when nobody uses it any more. A descriptor or -errno. */
static int loop_take(int control, int image, char *path, size_t size)
{
    const struct loop_config config = {
        .fd = (__u32)image,
        .info = {.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR},
    };
    _cleanup_close_ int fd = -EBADF;
    int number = ioctl(control, LOOP_CTL_GET_FREE);

    if (number < 0)
        return -errno;
    snprintf(path, size, "/dev/loop%d", number);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, LOOP_CONFIGURE, &config) < 0)
        return -errno;
    return take_fd(&fd);
}

static int loop_open(const char *image, char *path, size_t size)
{
    _cleanup_close_ int file = open(image, O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int fd = -EBUSY;

    if (file < 0 || control < 0)
        return -errno;
    for (int i = 0; i < LOOP_TRIES && fd == -EBUSY; i++) /* another one was faster */
        fd = loop_take(control, file, path, size);
    return fd;
}

/* ---- Mounts ---- */

/* A detached mount of a file or device, or -errno. */
static int new_mount(const char *source)
{
    _cleanup_close_ int fs = fsopen("erofs", FSOPEN_CLOEXEC);
    int fd;

    if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0 ||
        fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
    return fd < 0 ? -errno : fd;
}

int erofs_mount(const char *image, const char *target, struct err *err)
{
    int mount = new_mount(image);

    if (mount == -ENOTBLK) {
        char path[32];
        _cleanup_close_ int device = loop_open(image, path, sizeof(path));

        if (device < 0)
            return err_errno(err, device, "cannot put %s into a loop device", image);
        mount = new_mount(path);
    }
    if (mount < 0)
        return err_errno(err, mount, "cannot mount %s", image);
    if (move_mount(mount, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        int errnum = errno;

        close_fd(&mount);
        return err_errno(err, errnum, "cannot mount %s on %s", image, target);
    }
    close_fd(&mount);
    return 0;
}

bool erofs_is_mounted(const char *target)
{
    struct statfs st;

    return statfs(target, &st) == 0 && (unsigned int)st.f_type == EROFS_SUPER_MAGIC_V1;
}

void erofs_unmount(const char *target)
{
    if (erofs_is_mounted(target))
        umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
}

bool erofs_is_known(void)
{
    _cleanup_close_ int fs = fsopen("erofs", FSOPEN_CLOEXEC);

    return fs >= 0;
}

/* ---- fs-verity ---- */

int image_enable_verity(const char *image)
{
    const struct fsverity_enable_arg how = {
        .version = 1, .hash_algorithm = FS_VERITY_HASH_ALG_SHA256, .block_size = 4096};
    _cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);

    return fd < 0 || ioctl(fd, FS_IOC_ENABLE_VERITY, &how) < 0 ? -errno : 0;
}

bool image_has_verity(int fd)
{
    struct {
        struct fsverity_digest head;
        unsigned char digest[64];
    } d = {.head = {.digest_size = 64}};

    return ioctl(fd, FS_IOC_MEASURE_VERITY, &d) == 0;
}
