/* Removes trees of any depth. Below DEPTH_MAX levels a directory isn't entered but moved up to the top of the
 * tree that is being removed, where the next round finds it. */
#include "storage/tree_remove.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

enum { DEPTH_MAX = 24 };

struct removal {
    int top;
    dev_t device;
    uint64_t moved;          /* directories moved up so far */
    int first;               /* -errno */
    const atomic_bool *stop; /* NULL: never */
    tree_remove_fn other;    /* NULL: what is of another device stays, and is an error */
};

static void note(struct removal *rm, int error)
{
    if (rm->first == 0)
        rm->first = error;
}

static bool stopped(struct removal *rm)
{
    if (rm->stop && *rm->stop)
        note(rm, -ECANCELED);
    return rm->first == -ECANCELED;
}

static void move_up(struct removal *rm, int dirfd, const char *name)
{
    char unique[40];

    do
        snprintf(unique, sizeof(unique), ".keg-removal-%llu", (unsigned long long)rm->moved++);
    while (renameat2(dirfd, name, rm->top, unique, RENAME_NOREPLACE) < 0 && errno == EEXIST);
}

static void empty_dir(struct removal *rm, int fd, int depth);

static void remove_child(struct removal *rm, int dirfd, const char *name, int depth)
{
    _cleanup_close_ int fd = -EBADF;
    struct stat st;

    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return;
    if (errno != EISDIR && errno != EPERM) {
        note(rm, -errno);
        return;
    }
    if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return;
    if (depth == DEPTH_MAX) {
        move_up(rm, dirfd, name);
        return;
    }
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        note(rm, -errno);
        return;
    }
    if (st.st_dev != rm->device) {
        int r = rm->other ? rm->other(dirfd, name, rm->stop) : -EXDEV;

        if (r < 0)
            note(rm, r);
        return;
    }
    empty_dir(rm, fd, depth + 1);
    if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        note(rm, -errno);
}

static void empty_dir(struct removal *rm, int fd, int depth)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = again < 0 ? NULL : fdopendir(again);
    struct dirent *entry;

    if (!dir) {
        note(rm, -errno);
        close_fd(&again);
        return;
    }
    while (!stopped(rm) && (entry = readdir(dir)))
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
            remove_child(rm, fd, entry->d_name, depth);
    closedir(dir);
}

int tree_remove(int dirfd, const char *name)
{
    return tree_remove_until(dirfd, name, NULL);
}

int tree_remove_until(int dirfd, const char *name, const atomic_bool *stop)
{
    return tree_remove_with(dirfd, name, stop, NULL);
}

int tree_remove_with(int dirfd, const char *name, const atomic_bool *stop, tree_remove_fn other)
{
    struct removal rm = {.stop = stop, .other = other};
    _cleanup_close_ int top = -EBADF;
    struct stat st;
    uint64_t before;

    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    top = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (top < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fstat(top, &st) < 0)
        return -errno;
    rm.top = top;
    rm.device = st.st_dev;
    do {
        before = rm.moved;
        empty_dir(&rm, top, 0);
    } while (rm.moved > before && rm.first == 0);
    if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        note(&rm, -errno);
    return rm.first;
}
