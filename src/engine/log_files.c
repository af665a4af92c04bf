/* Opening files that move on meanwhile. The monitor renames the oldest first, so that who looks from the newest on meets
 * each at least once; one that is met twice its inode tells. */
#include "engine/log_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/fd.h"

enum {
    FILES_MAX = 4000,
    GAP_MAX = 2,         /* numbers in a row that are free for a moment */
    NEXT_ATTEMPTS = 100, /* rotations that come in between */
    PIECE = 64 * 1024,
    GZIP_WINDOW = 15 + 16,
};

static char *file_name(const struct log_files *f, size_t n, bool gzip)
{
    return n ? xasprintf("%s.%zu%s", f->path, n, gzip ? ".gz" : "") : xstrdup(f->path);
}

/* Opens and locks. -ESTALE: it was removed in between. */
static int open_form(const char *path, bool gzip, struct log_file *ret)
{
    struct stat st;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_SH) < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (st.st_nlink == 0)
        return -ESTALE;
    *ret = (struct log_file){.held = -EBADF,
                             .inode = st.st_ino,
                             .last = st.st_mtim.tv_sec * CLOCK_NS_PER_S + st.st_mtim.tv_nsec,
                             .gzip = gzip};
    ret->fd = take_fd(&fd);
    return 0;
}

static int open_number(const struct log_files *f, size_t n, struct log_file *ret)
{
    int r = -ESTALE;

    for (int attempt = 0; r == -ESTALE && attempt < NEXT_ATTEMPTS; attempt++) {
        _cleanup_free_ char *plain = file_name(f, n, false), *gzip = file_name(f, n, true);

        r = open_form(plain, false, ret);
        if (r == -ENOENT && n > 0)
            r = open_form(gzip, true, ret);
    }
    return r;
}

static bool is_open(const struct log_files *f, ino_t inode)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].inode == inode)
            return true;
    return false;
}

void log_files_open(struct log_files *f)
{
    for (size_t n = 0, gap = 0; n < FILES_MAX && gap < GAP_MAX; n++) {
        struct log_file file = {.fd = -EBADF};

        if (open_number(f, n, &file) < 0) {
            gap++;
            continue;
        }
        gap = 0;
        if (is_open(f, file.inode)) {
            log_file_close(&file);
            continue;
        }
        f->list = xrealloc(f->list, (f->count + 1) * sizeof(*f->list));
        f->list[f->count++] = file;
    }
}

void log_file_close(struct log_file *file)
{
    close_fd(&file->fd);
    close_fd(&file->held);
}

void log_files_close(struct log_files *f)
{
    for (size_t i = 0; i < f->count; i++)
        log_file_close(&f->list[i]);
    free(f->list);
    f->list = NULL;
    f->count = 0;
}

/* ---- gzip ---- */

static int inflate_piece(z_stream *z, int to)
{
    unsigned char out[PIECE];
    int r;

    do {
        z->next_out = out;
        z->avail_out = sizeof(out);
        r = inflate(z, Z_NO_FLUSH);
        if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
            return -EBADMSG;
        int w = fd_write_full(to, out, sizeof(out) - z->avail_out);
        if (w < 0)
            return w;
    } while (r != Z_STREAM_END && z->avail_out == 0);
    return r == Z_STREAM_END;
}

/* What is there of a file that is cut off counts. */
static int inflate_copy(int from, int to)
{
    unsigned char in[PIECE];
    z_stream z = {0};
    ssize_t n;
    int r = 0;

    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        return -ENOMEM;
    while (r == 0 && (n = fd_read_full(from, in, sizeof(in))) > 0) {
        z.next_in = in;
        z.avail_in = (uInt)n;
        r = inflate_piece(&z, to);
    }
    inflateEnd(&z);
    return r < 0 ? r : 0;
}

int log_file_prepare(const struct log_files *f, struct log_file *file, struct err *err)
{
    if (!file->gzip)
        return 0;
    const char *slash = strrchr(f->path, '/');
    _cleanup_free_ char *directory = xstrndup(f->path, slash ? (size_t)(slash - f->path) : 0);
    _cleanup_close_ int plain = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (plain < 0)
        plain = memfd_create("log", MFD_CLOEXEC);
    if (plain < 0)
        return err_errno(err, errno, "decompress a log");
    int r = inflate_copy(file->fd, plain);
    if (r == -EBADMSG)
        return err_set(err, ERR_INVALID, "a compressed file of the log %s is damaged", f->path);
    if (r < 0)
        return err_errno(err, r, "decompress a log");
    lseek(plain, 0, SEEK_SET);
    file->held = file->fd;
    file->fd = take_fd(&plain);
    file->gzip = false;
    return 0;
}

/* ---- the next ---- */

static bool has_inode(const char *path, ino_t inode, bool *ret_exists)
{
    struct stat st;

    *ret_exists = stat(path, &st) == 0;
    return *ret_exists && st.st_ino == inode;
}

static bool is_at(const struct log_files *f, size_t n, ino_t inode, bool *ret_exists)
{
    _cleanup_free_ char *plain = file_name(f, n, false), *gzip = file_name(f, n, true);
    bool other = false, found = has_inode(plain, inode, ret_exists) || has_inode(gzip, inode, &other);

    *ret_exists = *ret_exists || other;
    return found;
}

/* The number that list[0] has now, or -1; *ret_last: the highest there is. */
static int find_number(const struct log_files *f, size_t *ret_last)
{
    *ret_last = 0;
    for (size_t n = 0, gap = 0; n < FILES_MAX && gap < GAP_MAX; n++) {
        bool exists;

        if (is_at(f, n, f->list[0].inode, &exists))
            return (int)n;
        if (exists)
            *ret_last = n;
        gap = exists ? 0 : gap + 1;
    }
    return -1;
}

bool log_files_next(const struct log_files *f, struct log_file *ret)
{
    for (int attempt = 0; attempt < NEXT_ATTEMPTS; attempt++) {
        struct stat st;
        size_t last;
        int number = find_number(f, &last);
        bool exists;

        if (number == 0)
            return false;
        bool removed =
            number < 0 &&
            (fstat(f->list[0].held >= 0 ? f->list[0].held : f->list[0].fd, &st) < 0 || st.st_nlink == 0);
        if (number < 0 && !removed)
            continue; /* it moved while it was looked for */
        /* Ours was removed: what is left is all younger. */
        if (open_number(f, removed ? last : (size_t)number - 1, ret) < 0)
            continue;
        /* The older is renamed first: if ours is still in its place, so was the younger when it was opened. */
        if (removed || is_at(f, (size_t)number, f->list[0].inode, &exists))
            return true;
        log_file_close(ret);
    }
    return false;
}
