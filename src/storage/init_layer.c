/* The layer between an image and its containers: what every container has to find, as far as the image hasn't
 * got it. Directories that the image has are repeated with its attributes, since the upper one's count in a
 * merged tree. */
#include "storage/init_layer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/internal.h"
#include "storage/tree_remove.h"

/* Parents stand before what is in them. */
static const struct {
    const char *path;
    mode_t type;
    mode_t mode;
    const char *target; /* of a symlink */
} rows[] = {
    {"dev", S_IFDIR, 0755, NULL},
    {"dev/pts", S_IFDIR, 0755, NULL},
    {"dev/shm", S_IFDIR, 0755, NULL},
    {"dev/console", S_IFREG, 0755, NULL},
    {"proc", S_IFDIR, 0755, NULL},
    {"sys", S_IFDIR, 0755, NULL},
    {"etc", S_IFDIR, 0755, NULL},
    {"etc/hosts", S_IFREG, 0755, NULL},
    {"etc/hostname", S_IFREG, 0755, NULL},
    {"etc/resolv.conf", S_IFREG, 0755, NULL},
    {"etc/mtab", S_IFLNK, 0777, "/proc/mounts"},
    {".dockerenv", S_IFREG, 0755, NULL},
};

/* Gives the open directory what the image's one has. */
static int copy_attributes(int fd, const struct stat *st)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};

    if (fchown(fd, st->st_uid, st->st_gid) < 0 || fchmod(fd, st->st_mode & 07777) < 0 ||
        futimens(fd, times) < 0)
        return -errno;
    return 0;
}

static int make_file(int root, const char *path, mode_t mode)
{
    _cleanup_close_ int fd = openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

    return fd < 0 || fchmod(fd, mode) < 0 ? -errno : 0;
}

static int make_dir(int root, const char *path, mode_t mode)
{
    return mkdirat(root, path, mode) < 0 || fchmodat(root, path, mode, 0) < 0 ? -errno : 0;
}

/* Whether the row can stay away: the image has it, or has something in its way that isn't ours to hide (a
 * directory that is a symlink). */
static bool image_has(const struct storage_rootfs *image, const char *path, struct stat *st)
{
    return storage_stat(image, path, /* follow= */ false, st, NULL) == 0;
}

static int make_row(int root, size_t i, const struct storage_rootfs *image)
{
    const char *slash = strchr(rows[i].path, '/');
    struct stat st;

    /* The parent wasn't made here: it is a symlink or a file in the image. */
    if (slash) {
        _cleanup_free_ char *parent = xstrndup(rows[i].path, (size_t)(slash - rows[i].path));

        if (faccessat(root, parent, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            return 0;
    }
    if (image_has(image, rows[i].path, &st) && !(S_ISDIR(st.st_mode) && rows[i].type == S_IFDIR))
        return 0;
    switch (rows[i].type) {
    case S_IFDIR:
        return make_dir(root, rows[i].path, rows[i].mode);
    case S_IFLNK:
        return symlinkat(rows[i].target, root, rows[i].path) < 0 ? -errno : 0;
    default:
        return make_file(root, rows[i].path, rows[i].mode);
    }
}

/* After everything is in them. */
static int fix_directory(int root, const char *path, const struct storage_rootfs *image)
{
    _cleanup_close_ int fd = -EBADF;
    struct stat st;

    if (!image_has(image, path, &st) || !S_ISDIR(st.st_mode))
        return 0;
    fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : copy_attributes(fd, &st);
}

static int fill(int root, const struct storage_rootfs *image)
{
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(rows) && r == 0; i++)
        r = make_row(root, i, image);
    for (size_t i = ARRAY_SIZE(rows); i-- > 0 && r == 0;)
        if (rows[i].type == S_IFDIR && faccessat(root, rows[i].path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            r = fix_directory(root, rows[i].path, image);
    return r == 0 && image->lower ? fix_directory(root, ".", image) : r;
}

int init_layer_make(struct storage *s, int dir, const struct storage_rootfs *image, struct err *err)
{
    char name[NAME_SIZE];
    _cleanup_close_ int root = -EBADF;
    int r = 0;

    if (faccessat(dir, "init", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    storage_random_name(name, MAKING_PREFIX);
    if (mkdirat(s->layers_fd, name, 0755) < 0)
        r = -errno;
    root = r < 0 ? -EBADF : openat(s->layers_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r == 0)
        r = root < 0 || fchmod(root, 0755) < 0 ? -errno : fill(root, image);
    if (r == 0 && renameat2(s->layers_fd, name, dir, "init", RENAME_NOREPLACE) == 0)
        return 0;
    if (r == 0 && errno != EEXIST) /* EEXIST: another thread was faster */
        r = -errno;
    tree_remove(s->layers_fd, name);
    return r < 0 ? err_errno(err, r, "cannot make the init layer") : 0;
}
