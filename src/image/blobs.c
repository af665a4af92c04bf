/* The blob store. A blob gets its name by linkat() of an unnamed file, so a crash leaves nothing behind. */
#include "image/blobs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

struct blobs {
    int dir;
};

struct blob_writer {
    struct blobs *blobs;
    struct sha256 *hash;
    int fd;
    int64_t size;
};

struct blobs *blobs_open(const char *data_dir, struct err *err)
{
    _cleanup_free_ char *path = path_join(data_dir, "blobs/sha256");
    _cleanup_close_ int dir = -EBADF;
    struct blobs *b;
    int r = path_mkdir_all(path, 0700);

    if (r == 0) {
        dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = dir < 0 ? -errno : 0;
    }
    if (r < 0) {
        err_errno(err, r, "open the blob store %s", path);
        return NULL;
    }
    b = xcalloc(1, sizeof(*b));
    b->dir = take_fd(&dir);
    return b;
}

void blobs_close(struct blobs *b)
{
    if (!b)
        return;
    close_fd(&b->dir);
    free(b);
}

static int check_digest(const char *digest, struct err *err)
{
    if (!digest_valid(digest))
        return err_set(err, ERR_INVALID, "invalid digest \"%.100s\"", digest ? digest : "");
    return 0;
}

bool blobs_has(struct blobs *b, const char *digest)
{
    return digest_valid(digest) && faccessat(b->dir, digest_hex(digest), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int blobs_get(struct blobs *b, const char *digest, int64_t *ret_size, struct err *err)
{
    _cleanup_close_ int fd = -EBADF;
    struct stat st;

    if (check_digest(digest, err) < 0)
        return -1;
    fd = openat(b->dir, digest_hex(digest), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "blob %s not found in the blob store", digest);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, errno, "open blob %s", digest);
    if (ret_size)
        *ret_size = st.st_size;
    return take_fd(&fd);
}

int blobs_read(struct blobs *b, const char *digest, struct buf *into, struct err *err)
{
    _cleanup_close_ int fd = blobs_get(b, digest, NULL, err);
    char actual[DIGEST_SIZE];
    size_t start = into->len;
    int r;

    if (fd < 0)
        return -1;
    r = fd_read_all(fd, into);
    if (r == -E2BIG)
        return err_set(err, ERR_INVALID, "blob %s is larger than %zu bytes", digest, into->max);
    if (r < 0)
        return err_errno(err, r, "read blob %s", digest);
    digest_of(buf_str(into) + start, into->len - start, actual);
    if (!str_eq(actual, digest))
        return err_set(err, ERR_SYSTEM,
                       "blob %s is damaged on disk: its bytes hash to %s; remove and pull its images again",
                       digest, actual);
    return 0;
}

int blobs_put(struct blobs *b, const void *data, size_t len, char ret_digest[DIGEST_SIZE], struct err *err)
{
    _cleanup_(blob_writer_free_p) struct blob_writer *w = NULL;
    char digest[DIGEST_SIZE];

    digest_of(data, len, digest);
    if (ret_digest)
        memcpy(ret_digest, digest, DIGEST_SIZE);
    if (blobs_has(b, digest))
        return 0;
    w = blob_writer_new(b, err);
    if (!w || blob_writer_write(w, data, len, err) < 0)
        return -1;
    return blob_writer_commit(w, digest, (int64_t)len, NULL, err);
}

int blobs_remove(struct blobs *b, const char *digest, struct err *err)
{
    if (check_digest(digest, err) < 0)
        return -1;
    if (unlinkat(b->dir, digest_hex(digest), 0) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove blob %s", digest);
    return 0;
}

int blobs_each(struct blobs *b, int (*each)(void *arg, const char *digest, int64_t size), void *arg,
               struct err *err)
{
    int fd = openat(b->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        r = err_errno(err, errno, "read the blob store");
        close_fd(&fd);
        return r;
    }
    while (r == 0 && (entry = readdir(dir))) {
        char digest[DIGEST_SIZE];
        struct stat st;

        if (!digest_hex_valid(entry->d_name) || fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        digest_from_hex(entry->d_name, digest);
        r = each(arg, digest, st.st_size);
    }
    closedir(dir);
    return r;
}

int blobs_scratch(struct blobs *b, struct err *err)
{
    int fd = openat(b->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0400);

    if (fd < 0)
        return err_errno(err, errno, "create a file in the blob store");
    return fd;
}

int blobs_adopt(struct blobs *b, int fd, const char *digest, int64_t size, bool sync, struct err *err)
{
    char self[64];
    struct stat st;

    if (check_digest(digest, err) < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "store blob %s", digest);
    if (size >= 0 && st.st_size != size)
        return err_set(err, ERR_INVALID, "blob %s has %lld bytes instead of %lld", digest,
                       (long long)st.st_size, (long long)size);
    if (sync && fsync(fd) < 0)
        return err_errno(err, errno, "write blob %s to disk", digest);
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, b->dir, digest_hex(digest), AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
        return err_errno(err, errno, "store blob %s", digest);
    return sync ? blobs_sync(b, err) : 0;
}

int blobs_sync(struct blobs *b, struct err *err)
{
    return fsync(b->dir) < 0 ? err_errno(err, errno, "write the blob store to disk") : 0;
}

struct blob_writer *blob_writer_new(struct blobs *b, struct err *err)
{
    _cleanup_close_ int fd = blobs_scratch(b, err);
    struct blob_writer *w;

    if (fd < 0)
        return NULL;
    w = xcalloc(1, sizeof(*w));
    w->blobs = b;
    w->fd = take_fd(&fd);
    w->hash = sha256_new();
    return w;
}

void blob_writer_free(struct blob_writer *w)
{
    if (!w)
        return;
    close_fd(&w->fd);
    sha256_free(w->hash);
    free(w);
}

int blob_writer_write(struct blob_writer *w, const void *data, size_t len, struct err *err)
{
    int r = fd_write_full(w->fd, data, len);

    if (r < 0)
        return err_errno(err, r, "write to the blob store");
    sha256_update(w->hash, data, len);
    w->size += (int64_t)len;
    return 0;
}

int blob_writer_commit(struct blob_writer *w, const char *expect_digest, int64_t expect_size,
                       char ret_digest[DIGEST_SIZE], struct err *err)
{
    char hex[SHA256_HEX_SIZE], digest[DIGEST_SIZE];

    sha256_hex(w->hash, hex);
    digest_from_hex(hex, digest);
    if (expect_size >= 0 && w->size != expect_size)
        return err_set(err, ERR_INVALID, "blob %s has %lld bytes instead of %lld",
                       expect_digest ? expect_digest : digest, (long long)w->size, (long long)expect_size);
    if (expect_digest && !str_eq(expect_digest, digest))
        return err_set(err, ERR_INVALID, "blob verification failed: expected %s, got %s", expect_digest,
                       digest);
    if (blobs_adopt(w->blobs, w->fd, digest, w->size, /* sync= */ true, err) < 0)
        return -1;
    if (ret_digest)
        memcpy(ret_digest, digest, DIGEST_SIZE);
    return 0;
}
