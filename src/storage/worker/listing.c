/* Which names a directory has. */
#include "storage/worker/listing.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/str.h"

enum { MISSES = 32, NAMES_MAX = 128 * 1024 };

void listing_finish(struct listing *l)
{
    free(l->dir);
    free(l->hashes);
    *l = (struct listing)LISTING_INIT;
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool is_in(const struct listing *l, size_t dir_len, const char *path)
{
    return l->dir && strncmp(l->dir, path, dir_len) == 0 && l->dir[dir_len] == '\0';
}

bool listing_lacks(struct listing *l, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t dir_len = slash ? (size_t)(slash - path) : 0;
    uint64_t hash;

    if (!is_in(l, dir_len, path)) {
        listing_finish(l);
        l->dir = xstrndup(path, dir_len);
    }
    if (!l->known)
        return false;
    hash = hash64(name, strlen(name));
    return !bsearch(&hash, l->hashes, l->n, sizeof(hash), compare_hashes);
}

/* False: too many, or it can't be read. */
static bool read_names(struct listing *l, DIR *dir)
{
    struct dirent *entry;

    while ((errno = 0, entry = readdir(dir))) {
        if (l->n == NAMES_MAX)
            return false;
        if (l->n % 1024 == 0)
            l->hashes = xreallocarray(l->hashes, l->n + 1024, sizeof(*l->hashes));
        l->hashes[l->n++] = hash64(entry->d_name, strlen(entry->d_name));
    }
    return errno == 0;
}

void listing_missed(struct listing *l, int root, int (*open_dir)(int root, const char *path))
{
    int fd;
    DIR *dir;

    if (++l->misses != MISSES)
        return;
    fd = open_dir(root, l->dir);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        close_fd(&fd);
        return;
    }
    l->known = read_names(l, dir);
    closedir(dir);
    if (l->known)
        qsort(l->hashes, l->n, sizeof(*l->hashes), compare_hashes);
}
