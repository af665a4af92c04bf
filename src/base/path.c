/* Paths: text, directories, confined resolution. */
#include "base/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"

char *path_join(const char *a, const char *b)
{
    size_t n = strlen(a);

    while (n > 0 && a[n - 1] == '/')
        n--;
    while (*b == '/')
        b++;
    return xasprintf("%.*s/%s", (int)n, a, b);
}

char *path_beside(const char *program)
{
    static const char *const places[] = {"", "../libexec/keg/", "../sbin/"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    self[MAX_OF(n, (ssize_t)0)] = '\0';
    slash = strrchr(self, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        char *path = xasprintf("%s/%s%s", self, places[i], program);

        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

char *path_clean(const char *path)
{
    bool absolute = path_is_absolute(path);
    _cleanup_strv_ char **parts = strv_split(path, '/');
    size_t kept = 0, n = strv_len(parts);
    char *joined, *result;

    for (size_t i = 0; i < n; i++) {
        char *part = parts[i];

        parts[i] = NULL;
        if (str_eq(part, "") || str_eq(part, ".")) {
            free(part);
        } else if (str_eq(part, "..") && kept > 0 && !str_eq(parts[kept - 1], "..")) {
            free(part);
            free(parts[--kept]);
            parts[kept] = NULL;
        } else if (str_eq(part, "..") && absolute) {
            free(part);
        } else {
            parts[kept++] = part;
        }
    }
    parts[kept] = NULL;
    joined = strv_join(parts, "/");
    if (!absolute && *joined)
        return joined;
    result = absolute ? xasprintf("/%s", joined) : xstrdup(".");
    free(joined);
    return result;
}

int path_open_in_root(int root, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };

    for (int tries = 0;; tries++) {
        long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

        if (fd >= 0)
            return (int)fd;
        if (errno != EAGAIN || tries == 128) /* EAGAIN: somebody renames beneath us */
            return -errno;
    }
}

/* The target of the symlink `path`, whose last name isn't followed; NULL when it is none, or missing. *ret_error tells
 * the rest. */
static char *link_target(int root, const char *path, int *ret_error)
{
    _cleanup_close_ int fd = path_open_in_root(root, path, O_PATH | O_NOFOLLOW, 0);
    char target[4096];
    ssize_t n;

    *ret_error = fd < 0 && fd != -ENOENT ? fd : 0;
    n = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target)); /* ENOENT: no symlink */
    if (n == (ssize_t)sizeof(target))
        *ret_error = -ENAMETOOLONG;
    return n <= 0 || *ret_error ? NULL : xstrndup(target, (size_t)n);
}

char *path_resolve_in_root(int root, const char *path, int *ret_error)
{
    enum { LINKS_MAX = 40 };
    _cleanup_free_ char *done = xstrdup("/"), *rest = xstrdup(path);
    int links = 0;

    *ret_error = 0;
    while (*rest) {
        size_t slash = strcspn(rest, "/");
        _cleanup_free_ char *name = xstrndup(rest, slash), *next = path_join(done, name);
        _cleanup_free_ char *tail = xstrdup(rest + slash + (rest[slash] == '/'));
        _cleanup_free_ char *clean = path_clean(next);
        _cleanup_free_ char *target = str_eq(name, "..") ? NULL : link_target(root, clean, ret_error);

        free(rest);
        if (target && ++links > LINKS_MAX)
            *ret_error = -ELOOP;
        rest = target ? path_join(target, tail) : take_ptr(&tail);
        if (*ret_error < 0)
            return NULL;
        if (target && !path_is_absolute(target))
            continue;
        free(done);
        done = target ? xstrdup("/") : take_ptr(&clean);
    }
    return take_ptr(&done);
}

int path_mkdir_in_root(int root, const char *path, mode_t mode, uid_t uid, gid_t gid)
{
    _cleanup_strv_ char **parts = strv_split(path, '/');
    _cleanup_free_ char *prefix = xstrdup("");
    _cleanup_close_ int current = path_open_in_root(root, ".", O_PATH | O_DIRECTORY, 0);

    if (current < 0)
        return current;
    for (char **part = parts; *part; part++) {
        _cleanup_close_ int next = -EBADF;
        char *longer;

        if (str_empty(*part) || str_eq(*part, "."))
            continue;
        longer = *prefix ? xasprintf("%s/%s", prefix, *part) : xstrdup(*part);
        free(prefix);
        prefix = longer;
        next = path_open_in_root(root, prefix, O_PATH | O_DIRECTORY, 0);
        if (next == -ENOENT) {
            if (str_eq(*part, ".."))
                return -ENOENT;
            if (mkdirat(current, *part, mode) < 0 && errno != EEXIST)
                return -errno;
            next = openat(current, *part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (next < 0)
                return -errno;
            if (fchownat(next, "", uid, gid, AT_EMPTY_PATH) < 0)
                return -errno;
        }
        if (next < 0)
            return next;
        close_fd(&current);
        current = take_fd(&next);
    }
    return take_fd(&current);
}

int path_mkdir_all(const char *path, mode_t mode)
{
    _cleanup_free_ char *copy = xstrdup(path);

    for (char *p = copy + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return -errno;
        *p = '/';
    }
    if (mkdir(copy, mode) < 0 && errno != EEXIST)
        return -errno;
    return 0;
}

/* Also a bind of the same filesystem is another mount. */
static bool is_mount_point(int fd)
{
    struct statx st;

    return statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_TYPE, &st) == 0 &&
           (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static int remove_children(int fd, dev_t device);

static int remove_entry(int dirfd, const char *name, dev_t device, bool top)
{
    _cleanup_close_ int fd = -EBADF;
    struct stat st;
    int r;

    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    r = -errno;
    if (r != -EISDIR && r != -EPERM && r != -EBUSY)
        return r;
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : errno == ENOTDIR || errno == ELOOP ? r : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!top && (st.st_dev != device || is_mount_point(fd)))
        return -EXDEV;
    r = remove_children(fd, st.st_dev);
    if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT && r == 0)
        r = -errno;
    return r;
}

static int remove_children(int fd, dev_t device)
{
    int copy = dup(fd), first = 0;
    struct dirent *entry;
    DIR *dir;

    if (copy < 0)
        return -errno;
    dir = fdopendir(copy);
    if (!dir) {
        close(copy);
        return -errno;
    }
    while ((entry = readdir(dir))) {
        int r;

        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
            continue;
        r = remove_entry(fd, entry->d_name, device, /* top= */ false);
        if (r < 0 && first == 0)
            first = r;
    }
    closedir(dir);
    return first;
}

int path_remove_all(int dirfd, const char *path)
{
    return remove_entry(dirfd, path, 0, /* top= */ true);
}
