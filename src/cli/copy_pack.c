/* Files become a tar stream. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/copy.h"
#include "tar/writer.h"

/* A file with several names is in the archive once: where the first one went. */
struct seen {
    dev_t dev;
    ino_t ino;
    char *name;
};

struct packer {
    struct sink *sink;
    struct seen *seen;
    size_t seen_count, seen_room;
};

static int pack(struct packer *p, int dir, const char *file, const char *name, struct err *err);

static const char *find_seen(const struct packer *p, const struct stat *st)
{
    for (size_t i = 0; i < p->seen_count; i++)
        if (p->seen[i].ino == st->st_ino && p->seen[i].dev == st->st_dev)
            return p->seen[i].name;
    return NULL;
}

static void remember(struct packer *p, const struct stat *st, const char *name)
{
    if (p->seen_count == p->seen_room) {
        p->seen_room = p->seen_room ? p->seen_room * 2 : 64;
        p->seen = xrealloc(p->seen, p->seen_room * sizeof(*p->seen));
    }
    p->seen[p->seen_count++] = (struct seen){st->st_dev, st->st_ino, xstrdup(name)};
}

/* The file's content, as long as its header says: what has been cut off meanwhile is zeros. */
static int pack_data(struct packer *p, int fd, int64_t size, const char *name, struct err *err)
{
    int64_t left = size;

    while (left > 0) {
        size_t room;
        uint8_t *data = sink_room(p->sink, &room, err);
        ssize_t n = data ? read(fd, data, (size_t)MIN_OF((int64_t)room, left)) : -1;

        if (!data)
            return -1;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "read %s", name);
        if (n == 0)
            break;
        sink_advance(p->sink, (size_t)n);
        left -= n;
    }
    return sink_zeros(p->sink, left, err) < 0 || tar_write_padding(p->sink, size, err) < 0 ? -1 : 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int pack_children(struct packer *p, int fd, const char *name, struct err *err)
{
    DIR *stream = fdopendir(fd);
    _cleanup_strv_ char **names = NULL;
    struct dirent *entry;
    int r = 0;

    if (!stream) {
        close(fd);
        return err_errno(err, errno, "read %s", name);
    }
    while ((entry = readdir(stream)))
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
            strv_push(&names, entry->d_name);
    if (names)
        qsort(names, strv_len(names), sizeof(*names), compare_names);
    for (char **n = names; n && *n && r == 0; n++) {
        _cleanup_free_ char *child = xasprintf("%s/%s", name, *n);

        r = pack(p, dirfd(stream), *n, child, err);
    }
    closedir(stream);
    return r;
}

/* The kind of a file in the header; 0 for what archives don't have (sockets). */
static enum tar_type type_of(mode_t mode)
{
    static const struct {
        mode_t mode;
        enum tar_type type;
    } types[] = {{S_IFREG, TAR_FILE}, {S_IFDIR, TAR_DIR},  {S_IFLNK, TAR_SYMLINK},
                 {S_IFIFO, TAR_FIFO}, {S_IFCHR, TAR_CHAR}, {S_IFBLK, TAR_BLOCKDEV}};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (types[i].mode == (mode & S_IFMT))
            return types[i].type;
    return 0;
}

static int pack(struct packer *p, int dir, const char *file, const char *name, struct err *err)
{
    struct tar_entry e = {.link = (char *)""};
    struct tar_xattr capability = {.name = (char *)"security.capability"};
    char target[TAR_PATH_MAX + 1] = "", value[256];
    _cleanup_free_ char *slashed = NULL;
    _cleanup_close_ int fd = -EBADF;
    const char *twin = NULL;
    struct stat st;
    ssize_t n;

    if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "lstat %s", name); /* gone meanwhile */
    e.type = type_of(st.st_mode);
    if (!e.type)
        return 0;
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
        fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
            return err_errno(err, errno, "open %s", name);
        e.type = type_of(st.st_mode);
        n = fgetxattr(fd, capability.name, value, sizeof(value));
        if (n > 0) {
            capability.value = value;
            capability.len = (size_t)n;
            e.xattrs = &capability;
            e.n_xattrs = 1;
        }
    } else if (S_ISLNK(st.st_mode)) {
        n = readlinkat(dir, file, target, sizeof(target) - 1);
        if (n < 0)
            return err_errno(err, errno, "readlink %s", name);
        e.link = target;
    }
    if (st.st_nlink > 1 && !S_ISDIR(st.st_mode)) {
        twin = find_seen(p, &st);
        if (!twin)
            remember(p, &st, name);
    }
    slashed = xasprintf("%s%s", name, S_ISDIR(st.st_mode) ? "/" : "");
    e.path = slashed;
    e.type = twin ? TAR_HARDLINK : e.type;
    e.link = twin ? (char *)twin : e.link;
    e.mode = st.st_mode & 07777;
    e.uid = st.st_uid;
    e.gid = st.st_gid;
    e.size = e.type == TAR_FILE ? st.st_size : 0;
    e.mtime = st.st_mtim.tv_sec;
    e.mtime_ns = (int32_t)st.st_mtim.tv_nsec;
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
        e.dev_major = major(st.st_rdev);
        e.dev_minor = minor(st.st_rdev);
    }
    if (tar_write_header(p->sink, &e, err) < 0)
        return -1;
    if (e.type == TAR_FILE)
        return pack_data(p, fd, e.size, name, err);
    return e.type == TAR_DIR ? pack_children(p, take_fd(&fd), name, err) : 0;
}

int copy_pack(struct sink *sink, const char *path, const char *name, struct err *err)
{
    struct packer p = {.sink = sink};
    int r = pack(&p, AT_FDCWD, path, name, err);

    for (size_t i = 0; i < p.seen_count; i++)
        free(p.seen[i].name);
    free(p.seen);
    if (r < 0 || tar_write_end(sink, err) < 0)
        return -1;
    return sink_flush(sink, err);
}
