/* Volume directories: DATA/volumes/<name>/_data. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "volume/volume.h"

bool volume_name_is_valid(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t n = strlen(name);

    return n >= 2 && n <= 255 && strchr(first, name[0]) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

int volume_name_check(const char *name, struct err *err)
{
    if (strlen(name) == 1)
        return err_set(err, ERR_INVALID,
                       "volume name is too short, names should be at least two alphanumeric characters");
    if (!volume_name_is_valid(name))
        return err_set(
            err, ERR_INVALID,
            "\"%s\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" "
            "are allowed. If you intended to pass a host directory, use absolute path",
            name);
    return 0;
}

static int sync_directory(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The directory itself, and its name in every one above that may be new. */
static int sync_names(const char *data_root, const char *parent, const char *path)
{
    _cleanup_free_ char *volumes = xasprintf("%s/volumes", data_root);
    const char *const all[] = {path, parent, volumes, data_root};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(all) && r == 0; i++)
        r = sync_directory(all[i]);
    return r;
}

int volume_directory_create(const char *data_root, const char *name, bool sync, char **ret_path,
                            struct err *err)
{
    _cleanup_free_ char *parent = xasprintf("%s/volumes/%s", data_root, name);
    _cleanup_free_ char *path = xasprintf("%s/_data", parent);
    int r = path_mkdir_all(parent, 0701);

    if (r == 0 && mkdir(path, 0755) < 0)
        r = errno == EEXIST ? 0 : -errno;
    if (r == 0 && chmod(path, 0755) < 0) /* whatever the umask is */
        r = -errno;
    if (r == 0 && sync)
        r = sync_names(data_root, parent, path);
    if (r < 0)
        return err_errno(err, r, "cannot make volume %s at %s", name, path);
    *ret_path = take_ptr(&path);
    return 0;
}

int volume_directory_remove(const char *data_root, const char *name, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/volumes/%s", data_root, name);
    int r = volume_name_is_valid(name) ? path_remove_all(AT_FDCWD, path) : -EINVAL;

    return r < 0 ? err_errno(err, r, "cannot remove volume %s at %s", name, path) : 0;
}

void volume_directories_sweep(const char *data_root, bool (*known)(void *arg, const char *name), void *arg)
{
    _cleanup_free_ char *path = xasprintf("%s/volumes", data_root);
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        _cleanup_free_ char *data = xasprintf("%s/_data", entry->d_name);

        if (!volume_name_is_valid(entry->d_name) || known(arg, entry->d_name))
            continue;
        unlinkat(dirfd(dir), data, AT_REMOVEDIR);
        unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    }
    if (dir)
        closedir(dir);
}

static int64_t tree_size(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    int64_t total = 0;

    if (!dir) {
        close_fd(&fd);
        return 0;
    }
    while ((entry = readdir(dir))) {
        struct stat st;

        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..") ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        total += S_ISDIR(st.st_mode) ? tree_size(dirfd(dir), entry->d_name) : st.st_size;
    }
    closedir(dir);
    return total;
}

int64_t volume_directory_size(const char *data_root, const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s/volumes/%s/_data", data_root, name);
    struct stat st;

    return stat(path, &st) < 0 ? -1 : tree_size(AT_FDCWD, path);
}
