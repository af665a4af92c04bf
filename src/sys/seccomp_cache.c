/* Compiled filters on disk. A file holds the whole key and is used only if that is equal, so its name, a
 * 64-bit hash, may collide without harm. Files that aren't ours alone to write are ignored. */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "sys/seccomp_internal.h"

#define CACHE_MAGIC UINT64_C(0x3170636373676b01) /* changes with the layout below */
enum {
    CACHE_FLAGS_KNOWN = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
                        SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
};

/* Followed by the instructions, then by the key. */
struct cache_header {
    uint64_t magic;
    uint64_t key_length;
    uint32_t flags;
    uint16_t count;
    uint16_t wants_listener;
};

static void cache_name(const struct buf *key, char out[32])
{
    snprintf(out, 32, "%016llx.bpf", (unsigned long long)hash64(key->data, key->len));
}

/* Whether only we can have written it. */
static bool cache_is_ours(const struct stat *st)
{
    return st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static int cache_open_directory(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !cache_is_ours(&st))
        return -1;
    return take_fd(&fd);
}

struct seccomp_filter *seccomp_cache_load(const char *path, const struct buf *key)
{
    _cleanup_close_ int dir = cache_open_directory(path);
    char name[32];
    if (dir < 0)
        return NULL;
    cache_name(key, name);
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    struct cache_header h;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !cache_is_ours(&st))
        return NULL;
    if (fd_read_full(fd, &h, sizeof(h)) != sizeof(h) || h.magic != CACHE_MAGIC || h.key_length != key->len ||
        h.count == 0 || h.count > BPF_MAXINSNS || (h.flags & ~(uint32_t)CACHE_FLAGS_KNOWN))
        return NULL;
    size_t code_size = h.count * sizeof(struct sock_filter);
    if ((uint64_t)st.st_size != sizeof(h) + code_size + key->len)
        return NULL;
    _cleanup_(seccomp_filter_free_p) struct seccomp_filter *f = seccomp_filter_new(h.count);
    _cleanup_free_ char *stored = xmalloc(key->len + 1);
    if (fd_read_full(fd, f->code, code_size) != (ssize_t)code_size ||
        fd_read_full(fd, stored, key->len) != (ssize_t)key->len || memcmp(stored, key->data, key->len) != 0)
        return NULL;
    f->flags = h.flags;
    f->wants_listener = h.wants_listener;
    return take_ptr(&f);
}

void seccomp_cache_store(const char *path, const struct buf *key, const struct seccomp_filter *f)
{
    _cleanup_close_ int dir = cache_open_directory(path);
    char name[32];
    struct cache_header h = {.magic = CACHE_MAGIC,
                             .key_length = key->len,
                             .flags = f->flags,
                             .count = f->count,
                             .wants_listener = f->wants_listener};
    if (dir < 0)
        return;
    cache_name(key, name);
    _cleanup_(buf_finish) struct buf content =
        BUF_INIT(sizeof(h) + sizeof(f->code[0]) * BPF_MAXINSNS + key->len);
    buf_append(&content, &h, sizeof(h));
    buf_append(&content, f->code, f->count * sizeof(f->code[0]));
    buf_append(&content, key->data, key->len);
    if (!buf_failed(&content))
        (void)file_replace(dir, name, content.data, content.len, 0600, /* sync= */ false);
}
