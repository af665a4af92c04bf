/* The row of files, and who may not be removed from it. */
#include "monitor/logchain.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "monitor/gzip.h"
#include "sys/pidfd.h"

enum { COMPRESSOR_NICE = 10, COMPRESSOR_PATIENCE_MS = 1000, GAP_MAX = 2, RETRIES = 8, FILE_MODE = 0640 };

struct logchain {
    int fd;
    char *path;
    int64_t size, max_size;
    int64_t limit; /* where the next rotation is tried */
    unsigned max_file;
    unsigned last; /* the highest number there is */
    bool compress;
    int compressor; /* pidfd */
};

/* path, path.N, path.N.gz; the caller frees */
static char *file_name(const struct logchain *l, unsigned n, bool gzip)
{
    return n ? xasprintf("%s.%u%s", l->path, n, gzip ? ".gz" : "") : xstrdup(l->path);
}

static int open_file(const char *path, int flags)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, FILE_MODE);

    return fd < 0 ? -errno : fd;
}

/* What earlier lives left: the highest number; of two forms the plain one. */
static void find_last(struct logchain *l)
{
    unsigned gap = 0;

    for (unsigned n = 1; gap < GAP_MAX; n++) {
        _cleanup_free_ char *plain = file_name(l, n, false), *gzip = file_name(l, n, true);
        bool is_plain = access(plain, F_OK) == 0;

        if (is_plain)
            unlink(gzip);
        if (is_plain || access(gzip, F_OK) == 0) {
            l->last = n;
            gap = 0;
        } else {
            gap++;
        }
    }
}

struct logchain *logchain_open(const struct logchain_options *options, struct err *err)
{
    _cleanup_(logchain_close_p) struct logchain *l = xcalloc(1, sizeof(*l));

    *l = (struct logchain){.fd = -EBADF,
                           .compressor = -EBADF,
                           .path = xstrdup(options->path),
                           .max_size = options->max_size,
                           .limit = options->max_size,
                           .max_file = options->max_file ? options->max_file : 1,
                           .compress = options->compress};
    l->fd = open_file(l->path, 0);
    if (l->fd < 0) {
        err_errno(err, l->fd, "open log %s", l->path);
        return NULL;
    }
    logchain_resized(l);
    find_last(l);
    return take_ptr(&l);
}

/* --- compression --- */

static bool is_compressing(struct logchain *l)
{
    if (l->compressor >= 0 && pidfd_wait_exit(l->compressor, 0) != 0) {
        pidfd_reap(l->compressor, /* hang= */ false, &(int){0}); /* unless the monitor's own loop has */
        close_fd(&l->compressor);
    }
    return l->compressor >= 0;
}

static void stop_compressor(struct logchain *l, int patience_ms)
{
    _cleanup_free_ char *unfinished = NULL;

    if (!is_compressing(l))
        return;
    if (patience_ms == 0 || pidfd_wait_exit(l->compressor, patience_ms) == 0) {
        pidfd_signal(l->compressor, SIGKILL);
        pidfd_wait_exit(l->compressor, -1);
        unfinished = xasprintf("%s.gz.new", l->path);
        unlink(unfinished);
    }
    is_compressing(l);
}

/* The child. Readers know a file by its inode: one that is being read isn't exchanged. */
static int compress_first(const struct logchain *l)
{
    _cleanup_free_ char *plain = file_name(l, 1, false), *gzip = file_name(l, 1, true);
    _cleanup_free_ char *unfinished = xasprintf("%s.gz.new", l->path);
    _cleanup_close_ int from = -EBADF, to = -EBADF;
    struct stat st;

    close_range(0, ~0U, 0); /* above all the clients' streams, which others wait to see closed */
    fd_open_standard();
    setpriority(PRIO_PROCESS, 0, COMPRESSOR_NICE);
    from = open(plain, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    to = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (from < 0 || to < 0 || fstat(from, &st) < 0 || gzip_copy(from, to) < 0 ||
        futimens(to, (struct timespec[]){st.st_atim, st.st_mtim}) < 0 || flock(from, LOCK_EX | LOCK_NB) < 0 ||
        rename(unfinished, gzip) < 0) {
        unlink(unfinished);
        return EXIT_FAILURE;
    }
    unlink(plain);
    return EXIT_SUCCESS;
}

static void start_compressor(struct logchain *l)
{
    pid_t pid = process_clone(0, -1, &l->compressor);

    if (pid == 0)
        _exit(compress_first(l));
    if (pid < 0)
        l->compressor = -EBADF;
}

struct logchain *logchain_close(struct logchain *l)
{
    if (!l)
        return NULL;
    stop_compressor(l, COMPRESSOR_PATIENCE_MS);
    close_fd(&l->fd);
    free(l->path);
    free(l);
    return NULL;
}

/* --- rotation --- */

/* Removes the file, under a lock: who waits for it finds out that it has gone. False when a reader holds it. */
static bool remove_file(const char *path, bool force)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && !force)
        return false;
    unlink(path);
    return true;
}

/* Removes what is beyond the row, oldest first. */
static void trim(struct logchain *l)
{
    int64_t extra = l->max_size > 0 ? LOGCHAIN_EXTRA_BYTES / l->max_size : 1;
    unsigned most = l->max_file + (unsigned)MIN_OF(extra, (int64_t)LOGCHAIN_EXTRA_FILES);

    while (l->last >= l->max_file) {
        _cleanup_free_ char *plain = file_name(l, l->last, false), *gzip = file_name(l, l->last, true);

        bool force = l->last >= most;

        if (!remove_file(plain, force) || !remove_file(gzip, force))
            break;
        l->last--;
    }
}

/* path.2 → path.3, path.1 → path.2, path → path.1: in this order a reader that looks from path on meets each. */
static void shift(struct logchain *l)
{
    for (unsigned n = l->last + 1; n > 0; n--) {
        _cleanup_free_ char *from = file_name(l, n - 1, false), *to = file_name(l, n, false);

        if (rename(from, to) < 0 && n > 1) {
            _cleanup_free_ char *from_gzip = file_name(l, n - 1, true), *to_gzip = file_name(l, n, true);

            (void)rename(from_gzip, to_gzip); /* a gap in the row is no error */
        }
    }
    l->last++;
}

/* A new file stands in the place of the one that has moved on; its descriptor, or -errno. */
static int begin_file(struct logchain *l)
{
    _cleanup_free_ char *next = xasprintf("%s.new", l->path);
    _cleanup_close_ int fd = open_file(next, O_TRUNC);

    if (fd < 0)
        return fd;
    shift(l);
    return rename(next, l->path) < 0 ? -errno : take_fd(&fd);
}

bool logchain_rotate(struct logchain *l)
{
    int fd;

    l->limit = l->size + l->max_size / RETRIES + 1;
    if (is_compressing(l)) {
        if (l->size < 2 * l->max_size)
            return false;
        stop_compressor(l, 0);
    }
    fd = begin_file(l);
    if (fd < 0)
        return false;
    close_fd(&l->fd);
    l->fd = fd;
    l->size = 0;
    l->limit = l->max_size;
    trim(l);
    if (l->compress && l->max_file > 1)
        start_compressor(l);
    return true;
}

/* --- the present file --- */

int64_t logchain_size(const struct logchain *l)
{
    return l->size;
}

int logchain_fd(const struct logchain *l)
{
    return l->fd;
}

void logchain_resized(struct logchain *l)
{
    struct stat st;

    if (fstat(l->fd, &st) == 0)
        l->size = st.st_size;
}

bool logchain_is_full(const struct logchain *l, size_t pending)
{
    return l->max_size > 0 && l->size + (int64_t)pending >= l->limit;
}

int logchain_append(struct logchain *l, const void *data, size_t len)
{
    int r = len ? fd_write_full(l->fd, data, len) : 0;

    if (r == 0)
        l->size += (int64_t)len;
    else
        (void)!ftruncate(l->fd, l->size);
    return r;
}
