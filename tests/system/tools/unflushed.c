/* A disk with a write cache that loses power: a FUSE file system with one file, "disk", for a loop device, and what was
 * written but not flushed is kept apart.
 *
 *   unflushed DIRECTORY MEGABYTES SCRATCH     serves until DIRECTORY is unmounted; SCRATCH gets two sparse files
 *
 * A flush (fsync of the file, which is what a loop device makes of a disk's flush) makes everything before it last. Writing
 * "PATH SEED PERCENT" to the file "cut" makes PATH what the disk would hold if the power went now: all that was flushed, and
 * of the blocks of 4 KiB written since then a random PERCENT of 100, as drives that reorder leave it. The disk itself goes
 * on, so that one run can be cut many times. Speaks the kernel's protocol by hand (linux/fuse.h). */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    INO_ROOT = 1,
    INO_DISK,
    INO_CUT,
    BLOCK = 4096,
    WRITE_MAX = 128 * 1024,
    REQUEST_MAX = WRITE_MAX + 4096
};

struct pending {
    uint64_t offset;
    uint32_t size;
    char *data;
};

static struct {
    int fuse, current, stable;
    uint64_t size;
    struct pending *pending; /* in the order of writing */
    size_t n_pending, room;
} disk;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void reply(uint64_t unique, int error, const void *data, size_t len)
{
    struct fuse_out_header head = {.len = (uint32_t)(sizeof(head) + len), .error = -error, .unique = unique};
    struct iovec parts[2] = {{&head, sizeof(head)}, {(void *)data, len}};

    if (writev(disk.fuse, parts, 2) < 0 && errno != ENOENT) /* ENOENT: who asked was interrupted */
        die("reply");
}

/* ---- the disk ---- */

static int disk_write(uint64_t offset, const char *data, uint32_t size)
{
    struct pending *p;

    if (offset + size > disk.size)
        return ENOSPC;
    if (pwrite(disk.current, data, size, (off_t)offset) != (ssize_t)size)
        return EIO;
    if (disk.n_pending == disk.room) {
        disk.room = disk.room ? disk.room * 2 : 1024;
        disk.pending = realloc(disk.pending, disk.room * sizeof(*disk.pending));
    }
    p = disk.pending ? &disk.pending[disk.n_pending++] : NULL;
    if (!p || !(p->data = malloc(size)))
        die("malloc");
    p->offset = offset;
    p->size = size;
    memcpy(p->data, data, size);
    return 0;
}

/* Writes to `to` what is pending: each block with a chance of `percent`. */
static int apply(int to, unsigned percent)
{
    for (size_t i = 0; i < disk.n_pending; i++)
        for (uint32_t at = 0; at < disk.pending[i].size; at += BLOCK) {
            const struct pending *p = &disk.pending[i];
            uint32_t len = p->size - at < BLOCK ? p->size - at : BLOCK;

            if (percent < 100 && (unsigned)(random() % 100) >= percent)
                continue;
            if (pwrite(to, p->data + at, len, (off_t)(p->offset + at)) != (ssize_t)len)
                return EIO;
        }
    return 0;
}

static int disk_flush(void)
{
    int r = apply(disk.stable, 100);

    for (size_t i = 0; i < disk.n_pending; i++)
        free(disk.pending[i].data);
    disk.n_pending = 0;
    return r;
}

static int copy_sparse(int from, int to)
{
    static char piece[256 * 1024];
    off_t at = 0, end;

    if (ftruncate(to, (off_t)disk.size) < 0)
        return errno;
    while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
        end = lseek(from, at, SEEK_HOLE);
        while (at < end) {
            size_t want = (size_t)(end - at) < sizeof(piece) ? (size_t)(end - at) : sizeof(piece);
            ssize_t n = pread(from, piece, want, at);

            if (n <= 0 || pwrite(to, piece, (size_t)n, at) != n)
                return EIO;
            at += n;
        }
    }
    return 0;
}

static int cut(const char *text, size_t len)
{
    char line[512], path[400];
    unsigned seed, percent;
    int to, r;

    snprintf(line, sizeof(line), "%.*s", (int)len, text);
    if (sscanf(line, "%399s %u %u", path, &seed, &percent) != 3)
        return EINVAL;
    to = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0)
        return errno;
    srandom(seed);
    r = copy_sparse(disk.stable, to);
    if (r == 0)
        r = apply(to, percent < 100 ? percent : 99);
    close(to);
    fprintf(stderr, "cut: %zu writes were unflushed\n", disk.n_pending);
    return r;
}

/* ---- the protocol ---- */

static void fill_attr(uint64_t ino, struct fuse_attr *attr)
{
    *attr = (struct fuse_attr){.ino = ino, .nlink = 1, .mode = S_IFREG | 0600, .blksize = BLOCK};
    if (ino == INO_ROOT)
        attr->mode = S_IFDIR | 0700;
    if (ino == INO_DISK) {
        attr->size = disk.size;
        attr->blocks = disk.size / 512;
    }
}

static void do_init(uint64_t unique, const struct fuse_init_in *in)
{
    struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
                                .minor = FUSE_KERNEL_MINOR_VERSION,
                                .max_readahead = in->max_readahead,
                                .flags = in->flags & (FUSE_BIG_WRITES | FUSE_MAX_PAGES),
                                .max_background = 16,
                                .congestion_threshold = 12,
                                .max_write = WRITE_MAX,
                                .max_pages = WRITE_MAX / 4096,
                                .time_gran = 1};

    reply(unique, 0, &out, sizeof(out));
}

static void do_lookup(uint64_t unique, const char *name)
{
    struct fuse_entry_out out = {.nodeid = strcmp(name, "disk") == 0  ? INO_DISK
                                           : strcmp(name, "cut") == 0 ? INO_CUT
                                                                      : 0,
                                 .entry_valid = 3600,
                                 .attr_valid = 3600};

    if (!out.nodeid) {
        reply(unique, ENOENT, NULL, 0);
        return;
    }
    fill_attr(out.nodeid, &out.attr);
    reply(unique, 0, &out, sizeof(out));
}

static void do_read(uint64_t unique, uint64_t ino, const struct fuse_read_in *in)
{
    static char data[1024 * 1024];
    ssize_t n = ino == INO_DISK && in->size <= sizeof(data)
                    ? pread(disk.current, data, in->size, (off_t)in->offset)
                    : 0;

    if (n < 0)
        reply(unique, errno, NULL, 0);
    else
        reply(unique, 0, data, (size_t)n);
}

static void do_write(uint64_t unique, uint64_t ino, const struct fuse_write_in *in)
{
    const char *data = (const char *)(in + 1);
    struct fuse_write_out out = {.size = in->size};
    int r = ino == INO_DISK ? disk_write(in->offset, data, in->size) : cut(data, in->size);

    reply(unique, r, &out, r ? 0 : sizeof(out));
}

static void do_attr(uint64_t unique, uint64_t ino)
{
    struct fuse_attr_out out = {.attr_valid = 3600};

    fill_attr(ino, &out.attr);
    reply(unique, 0, &out, sizeof(out));
}

static void handle(const char *request)
{
    const struct fuse_in_header *head = (const struct fuse_in_header *)request;
    const void *body = head + 1;
    const struct fuse_open_out opened = {.open_flags = head->nodeid == INO_CUT ? FOPEN_DIRECT_IO : 0};
    const struct fuse_statfs_out statfs = {.st = {.bsize = BLOCK, .namelen = 255, .frsize = BLOCK}};

    switch (head->opcode) {
    case FUSE_INIT:
        do_init(head->unique, body);
        return;
    case FUSE_LOOKUP:
        do_lookup(head->unique, body);
        return;
    case FUSE_GETATTR:
    case FUSE_SETATTR: /* truncation of "cut" by a shell's > */
        do_attr(head->unique, head->nodeid);
        return;
    case FUSE_OPEN:
    case FUSE_OPENDIR:
        reply(head->unique, 0, &opened, sizeof(opened));
        return;
    case FUSE_READ:
        do_read(head->unique, head->nodeid, body);
        return;
    case FUSE_WRITE:
        do_write(head->unique, head->nodeid, body);
        return;
    case FUSE_FSYNC:
        reply(head->unique, head->nodeid == INO_DISK ? disk_flush() : 0, NULL, 0);
        return;
    case FUSE_STATFS:
        reply(head->unique, 0, &statfs, sizeof(statfs));
        return;
    case FUSE_FLUSH: /* a close: no flush of the disk */
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_DESTROY:
        reply(head->unique, 0, NULL, 0);
        return;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        return; /* have no reply */
    default:
        reply(head->unique, ENOSYS, NULL, 0);
    }
}

static int sparse_file(const char *dir, const char *name)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)disk.size) < 0)
        die(path);
    return fd;
}

int main(int argc, char **argv)
{
    static char request[REQUEST_MAX + 4096];
    char options[128];
    ssize_t n;

    if (argc != 4) {
        fputs("usage: unflushed DIRECTORY MEGABYTES SCRATCH\n", stderr);
        return 2;
    }
    disk.size = strtoull(argv[2], NULL, 10) << 20;
    disk.current = sparse_file(argv[3], "current");
    disk.stable = sparse_file(argv[3], "stable");
    disk.fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (disk.fuse < 0)
        die("/dev/fuse");
    snprintf(options, sizeof(options), "fd=%d,rootmode=40700,user_id=0,group_id=0,max_read=131072",
             disk.fuse);
    if (mount("unflushed", argv[1], "fuse.unflushed", MS_NOSUID | MS_NODEV, options) < 0)
        die("mount");
    while ((n = read(disk.fuse, request, sizeof(request))) >= 0 || errno == EINTR || errno == ENOENT)
        if (n > 0)
            handle(request);
    return errno == ENODEV ? 0 : 1; /* unmounted */
}
