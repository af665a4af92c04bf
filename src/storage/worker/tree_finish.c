/* What is left when the last entry has been read: directories' times, and what the layers below have to give. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "storage/worker/tree_internal.h"

static int finish_times(struct tree *t, struct err *err)
{
    const char *p = buf_str(&t->times), *end = p + t->times.len;

    while (p < end) {
        struct dir_time dt;
        _cleanup_close_ int fd = -EBADF;
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
        const char *path = p + sizeof(dt);

        memcpy(&dt, p, sizeof(dt));
        p = path + dt.path_len + 1;
        times[1] = dt.mtime;
        fd = tree_open_below(t->root, path, O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        if (fd < 0)
            continue; /* replaced by something else since, or reached by a symlink */
        if (futimens(fd, times) < 0)
            return tree_refused(err, path, "set its time");
    }
    return 0;
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The paths of all directories the archive described, hashed and sorted. */
static uint64_t *described_dirs(const struct tree *t, size_t *ret_n)
{
    const char *p = buf_str(&t->times), *end = p + t->times.len;
    uint64_t *hashes = xmalloc((t->times.len / sizeof(struct dir_time) + 1) * sizeof(*hashes));
    struct dir_time dt;
    size_t n = 0;

    for (; p < end; p += sizeof(dt) + dt.path_len + 1) {
        memcpy(&dt, p, sizeof(dt));
        hashes[n++] = hash64(p + sizeof(dt), dt.path_len);
    }
    qsort(hashes, n, sizeof(*hashes), compare_hashes);
    *ret_n = n;
    return hashes;
}

/* A directory that was made on the way to an entry and described later has its attributes. */
static int finish_pending(struct tree *t, struct pending *ret, struct err *err)
{
    size_t n, len = t->pending.text.len;
    _cleanup_free_ uint64_t *described = NULL;
    const char *text = buf_str(&t->pending.text);
    struct pending_row row;

    *ret = (struct pending)PENDING_INIT;
    if (buf_failed(&t->pending.text))
        return err_set(err, ERR_INVALID, "too many hard links to files that aren't in the archive");
    if (t->pending.rows == 0)
        return 0;
    described = described_dirs(t, &n);
    while (pending_next(&text, &len, &row) > 0) {
        uint64_t hash = hash64(row.path, strlen(row.path));

        if (row.target)
            pending_add_link(ret, row.path, row.target);
        else if (!bsearch(&hash, described, n, sizeof(hash), compare_hashes))
            pending_add_dir(ret, row.path);
    }
    return 0;
}

int tree_finish(struct tree *t, struct pending *ret, struct err *err)
{
    if (tree_finish_links(t, err) < 0 || finish_times(t, err) < 0)
        return -1;
    return finish_pending(t, ret, err);
}
