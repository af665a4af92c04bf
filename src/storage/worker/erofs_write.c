/* keg-layer erofs: a layer's tree becomes an EROFS image. */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/str.h"
#include "storage/worker/erofs.h"
#include "storage/worker/erofs_format.h"
#include "storage/worker/sandbox.h"

enum { PIECE = 256 * 1024 };

struct writer {
    struct erofs_image *image;
    int out;
    uint8_t *piece; /* PIECE bytes */
};

static int put(struct writer *w, const void *data, size_t len, uint64_t at, struct err *err)
{
    const uint8_t *p = data;

    while (len > 0) {
        ssize_t n = pwrite(w->out, p, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot write the EROFS image");
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

static uint64_t data_place(const struct writer *w, const struct erofs_node *node)
{
    return ((uint64_t)erofs_first_block(w->image) + node->block) * EROFS_BLOCK;
}

static uint64_t tail_place(const struct erofs_node *node)
{
    return node->place + sizeof(struct erofs_inode) + node->xattrs_size;
}

/* Data that is in memory, which starts at `offset` of the node's and doesn't cross the end of its whole blocks. */
static int put_data(struct writer *w, const struct erofs_node *node, uint64_t offset, const void *data,
                    size_t len, struct err *err)
{
    bool tail = node->inlined && offset >= node->size - node->size % EROFS_BLOCK;

    return put(w, data, len, tail ? tail_place(node) : data_place(w, node) + offset, err);
}

/* ---- Inodes ---- */

static uint64_t nid_of(const struct erofs_node *node)
{
    return node->place / EROFS_SLOT;
}

/* As the kernel writes device numbers. */
static uint32_t device_number(dev_t dev)
{
    uint32_t major = major(dev), minor = minor(dev);

    return (minor & 0xff) | major << 8 | (minor & ~0xffU) << 12;
}

static int put_inode(struct writer *w, size_t number, struct err *err)
{
    const struct erofs_node *node = &w->image->nodes[number];
    const struct stat *st = &node->st;
    bool device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
    uint32_t block =
        node->size >= EROFS_BLOCK || !node->inlined ? (uint32_t)(data_place(w, node) / EROFS_BLOCK) : 0;
    struct erofs_inode inode = {
        .format = htole16((uint16_t)(1 | (node->inlined ? EROFS_INLINE : EROFS_PLAIN) << EROFS_LAYOUT_BIT)),
        .mode = htole16((uint16_t)st->st_mode),
        .size = htole64(node->size),
        .place = htole32(device           ? device_number(st->st_rdev)
                         : node->size > 0 ? block
                                          : 0),
        .ino = htole32((uint32_t)number + 1),
        .uid = htole32(st->st_uid),
        .gid = htole32(st->st_gid),
        .mtime = htole64((uint64_t)st->st_mtim.tv_sec),
        .mtime_ns = htole32((uint32_t)st->st_mtim.tv_nsec),
        .nlink = htole32(node->nlink),
    };

    if (node->xattrs_size > 0)
        inode.xattr_count =
            htole16((uint16_t)((node->xattrs_size - sizeof(struct erofs_xattr_header)) / 4 + 1));
    if (put(w, &inode, sizeof(inode), node->place, err) < 0)
        return -1;
    return put(w, node->xattrs, node->xattrs_size, node->place + sizeof(inode), err);
}

/* ---- Data ---- */

static uint8_t type_of(const struct erofs_node *node)
{
    static const uint8_t types[] = {
        [S_IFREG >> 12] = 1, [S_IFDIR >> 12] = 2,  [S_IFCHR >> 12] = 3, [S_IFBLK >> 12] = 4,
        [S_IFIFO >> 12] = 5, [S_IFSOCK >> 12] = 6, [S_IFLNK >> 12] = 7,
    };

    return types[(node->st.st_mode & S_IFMT) >> 12];
}

static int put_directory(struct writer *w, const struct erofs_node *node, struct err *err)
{
    uint64_t offset = 0;

    for (size_t i = 0, n; i < node->n_names; i += n, offset += EROFS_BLOCK) {
        uint8_t block[EROFS_BLOCK] = {};
        size_t size, at;

        n = erofs_names_in_block(node->names + i, node->n_names - i, &size);
        at = n * sizeof(struct erofs_dirent);
        for (size_t k = 0; k < n; k++) {
            const struct erofs_node *child = &w->image->nodes[node->names[i + k].node];
            size_t len = strlen(node->names[i + k].name);
            struct erofs_dirent d = {htole64(nid_of(child)), htole16((uint16_t)at), type_of(child), 0};

            memcpy(block + k * sizeof(d), &d, sizeof(d));
            memcpy(block + at, node->names[i + k].name, len);
            at += len;
        }
        if (put_data(w, node, offset, block, i + n < node->n_names ? EROFS_BLOCK : size, err) < 0)
            return -1;
    }
    return 0;
}

/* Shared where the file system can, else copied. The bytes, or -errno. */
static ssize_t copy_piece(struct writer *w, int fd, uint64_t from, uint64_t to, size_t len)
{
    off_t in = (off_t)from, out = (off_t)to;
    ssize_t n = copy_file_range(fd, &in, w->out, &out, len, 0);
    struct err err;

    if (n > 0 || (n < 0 && errno != EXDEV && errno != EOPNOTSUPP && errno != EINVAL))
        return n < 0 ? -errno : n;
    n = pread(fd, w->piece, MIN_OF(len, (size_t)PIECE), (off_t)from);
    if (n <= 0)
        return n < 0 ? -errno : -EIO;
    return put(w, w->piece, (size_t)n, to, &err) < 0 ? -err.errnum : n;
}

/* The whole blocks of a file (all of it, if its end isn't behind the inode). */
static int put_blocks(struct writer *w, const struct erofs_node *node, int fd, uint64_t size)
{
    uint64_t at = 0;

    while (at < size) {
        off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
        uint64_t end = (uint64_t)MIN_OF(hole, (off_t)size);

        if ((data < 0 && errno == ENXIO) || data >= (off_t)size)
            return 0;
        if (data < 0 || hole < 0)
            return -errno;
        for (at = (uint64_t)data; at < end;) {
            ssize_t n = copy_piece(w, fd, at, data_place(w, node) + at, end - at);

            if (n < 0 && n != -EINTR)
                return (int)n;
            at += n > 0 ? (uint64_t)n : 0;
        }
    }
    return 0;
}

static int put_file(struct writer *w, const struct erofs_node *node, int dir, const char *name,
                    struct err *err)
{
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    uint64_t tail = node->inlined ? node->size % EROFS_BLOCK : 0;
    int r = fd < 0 ? -errno : put_blocks(w, node, fd, node->size - tail);

    if (r == 0 && tail > 0) {
        ssize_t n = pread(fd, w->piece, tail, (off_t)(node->size - tail));

        r = n < 0 ? -errno : (uint64_t)n != tail ? -EIO : 0;
    }
    if (r < 0)
        return err_errno(err, r, "%s: cannot copy it into the image", name);
    return tail > 0 ? put_data(w, node, node->size - tail, w->piece, tail, err) : 0;
}

/* ---- The walk ---- */

static int put_node(struct writer *w, size_t number, int dir, const char *name, struct err *err);

static int put_children(struct writer *w, const struct erofs_node *node, int dir, const char *name,
                        struct err *err)
{
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 ? err_errno(err, errno, "%s: cannot open", name) : 0;

    for (size_t i = 0; i < node->n_names && r == 0; i++)
        if (!str_eq(node->names[i].name, ".") && !str_eq(node->names[i].name, ".."))
            r = put_node(w, node->names[i].node, fd, node->names[i].name, err);
    return r;
}

static int put_node(struct writer *w, size_t number, int dir, const char *name, struct err *err)
{
    struct erofs_node *node = &w->image->nodes[number];

    if (node->written)
        return 0;
    node->written = true;
    if (put_inode(w, number, err) < 0)
        return -1;
    if (node->target)
        return put_data(w, node, 0, node->target, node->size, err);
    if (S_ISREG(node->st.st_mode))
        return put_file(w, node, dir, name, err);
    if (!S_ISDIR(node->st.st_mode))
        return 0;
    return put_directory(w, node, err) < 0 ? -1 : put_children(w, node, dir, name, err);
}

/* ---- The superblock ---- */

static uint32_t crc32c(const uint8_t *data, size_t len)
{
    uint32_t crc = ~0U;

    while (len-- > 0) {
        crc ^= *data++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78U : 0);
    }
    return crc;
}

static int put_super(struct writer *w, uint64_t blocks, struct err *err)
{
    uint8_t block[EROFS_BLOCK - EROFS_SUPER_OFFSET];
    struct erofs_super super = {
        .magic = htole32(EROFS_MAGIC),
        .compat = htole32(EROFS_COMPAT_CHECKSUM | EROFS_COMPAT_MTIME),
        .block_bits = EROFS_BLOCK_BITS,
        .root_nid = htole16((uint16_t)nid_of(&w->image->nodes[0])),
        .inodes = htole64(w->image->n),
        .blocks = htole32((uint32_t)blocks),
    };

    if (pread(w->out, block, sizeof(block), EROFS_SUPER_OFFSET) != (ssize_t)sizeof(block))
        return err_errno(err, EIO, "cannot read the EROFS image");
    memcpy(block, &super, sizeof(super));
    super.checksum = htole32(crc32c(block, sizeof(block)));
    return put(w, &super, sizeof(super), EROFS_SUPER_OFFSET, err);
}

int erofs_write_image(struct erofs_image *image, int root, int out, int64_t *ret_size, struct err *err)
{
    struct writer w = {.image = image, .out = out, .piece = xmalloc(PIECE)};
    uint64_t blocks = (uint64_t)erofs_first_block(image) + image->data_blocks;
    int r;

    *ret_size = (int64_t)(blocks * EROFS_BLOCK);
    r = ftruncate(out, *ret_size) < 0 ? err_errno(err, errno, "cannot write the EROFS image")
                                      : put_node(&w, 0, root, ".", err);
    if (r == 0)
        r = put_super(&w, blocks, err);
    free(w.piece);
    return r;
}

/* ---- The verb ---- */

static int digest(int fd, struct worker_report *ret, struct err *err)
{
    struct sha256 *hash = sha256_new();
    _cleanup_free_ uint8_t *piece = xmalloc(PIECE);
    ssize_t n = 0;

    for (off_t at = 0; (n = pread(fd, piece, PIECE, at)) > 0; at += n)
        sha256_update(hash, piece, (size_t)n);
    sha256_hex(hash, ret->blob_hex);
    sha256_free(hash);
    return n < 0 ? err_errno(err, errno, "cannot read the EROFS image") : 0;
}

int worker_erofs(const struct worker_options *o, struct worker_report *ret, struct err *err)
{
    const struct sandbox_root sandbox = {.tree = WORKER_FD_TREE, .read_only = true, .work = -EBADF};
    struct erofs_image image = {.p = packer_new(o, ret)};
    _cleanup_close_ int root = -EBADF;

    if (sandbox_enter(&sandbox, WORKER_FD_TREE, err) < 0 || sandbox_seal(err) < 0)
        return -1;
    root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return err_errno(err, errno, "cannot open the tree");
    if (erofs_read_tree(&image, root, err) < 0 ||
        erofs_write_image(&image, root, WORKER_FD_OUTPUT, &ret->blob_size, err) < 0)
        return -1;
    return digest(WORKER_FD_OUTPUT, ret, err);
}
