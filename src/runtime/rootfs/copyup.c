/* tmpcopyup: what a tmpfs covers is copied into it. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "runtime/rootfs/rootfs.h"

enum { DEPTH_MAX = 128 };

static int copy_directory(int from, int to, int depth);

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
    _cleanup_close_ int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    _cleanup_close_ int out =
        openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, st->st_mode & 07777);
    ssize_t n;

    if (in < 0 || out < 0)
        return -errno;
    while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
        ;
    return n < 0 ? -errno : 0;
}

static int copy_link(int from, int to, const char *name)
{
    char target[4096];
    ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

    if (n < 0)
        return -errno;
    target[n] = '\0';
    return symlinkat(target, to, name) < 0 ? -errno : 0;
}

static int copy_subdirectory(int from, int to, const char *name, int depth)
{
    _cleanup_close_ int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                        out = -EBADF;

    if (in < 0 || mkdirat(to, name, 0700) < 0)
        return -errno;
    out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return out < 0 ? -errno : copy_directory(in, out, depth + 1);
}

static int copy_entry(int from, int to, const char *name, int depth)
{
    struct stat st;
    int result;

    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        result = copy_subdirectory(from, to, name, depth);
    else if (S_ISREG(st.st_mode))
        result = copy_file(from, to, name, &st);
    else if (S_ISLNK(st.st_mode))
        result = copy_link(from, to, name);
    else
        result = mknodat(to, name, st.st_mode, st.st_rdev) < 0 ? -errno : 0;
    if (result == 0 && fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        result = -errno;
    if (result == 0 && !S_ISLNK(st.st_mode) && fchmodat(to, name, st.st_mode & 07777, 0) < 0)
        result = -errno;
    return result;
}

static int copy_directory(int from, int to, int depth)
{
    int copy = fcntl(from, F_DUPFD_CLOEXEC, 3), result = 0;
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;

    if (!dir || depth > DEPTH_MAX) {
        result = dir ? -ELOOP : -errno;
        if (dir)
            closedir(dir);
        else
            close_fd(&copy);
        return result;
    }
    while (result == 0 && (entry = readdir(dir)))
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
            result = copy_entry(from, to, entry->d_name, depth);
    closedir(dir);
    return result;
}

int rootfs_copy_up(int from, int to, struct err *err)
{
    _cleanup_close_ int in = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int out = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = in < 0 || out < 0 ? -errno : copy_directory(in, out, 0);

    return result < 0 ? err_errno(err, result, "tmpcopyup") : 0;
}
