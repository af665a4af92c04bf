/* A tree read for an EROFS image, and where everything goes. */
#include "storage/worker/erofs.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/worker/erofs_format.h"
#include "storage/worker/xattr_policy.h"

enum { XATTRS_MAX = sizeof(struct erofs_xattr_header) + 4 * (UINT16_MAX - 1) };

/* ---- Attributes ---- */

/* The first row that fits; an ACL's name is all prefix. */
static const struct {
    const char *prefix;
    uint8_t index;
} prefixes[] = {
    {"user.", 1},     {"system.posix_acl_access", 2}, {"system.posix_acl_default", 3}, {"trusted.", 4},
    {"security.", 6},
};

static void put_xattr(struct erofs_node *node, uint8_t prefix, const char *name, const void *value,
                      size_t len)
{
    struct erofs_xattr x = {(uint8_t)strlen(name), prefix, htole16((uint16_t)len)};
    size_t used = node->xattrs_size ? node->xattrs_size : sizeof(struct erofs_xattr_header);
    size_t size = (sizeof(x) + x.name_len + len + 3) & ~(size_t)3;
    uint8_t *at;

    node->xattrs = xrealloc(node->xattrs, used + size);
    if (node->xattrs_size == 0)
        memset(node->xattrs, 0, used);
    at = node->xattrs + used;
    memset(at, 0, size);
    memcpy(at, &x, sizeof(x));
    memcpy(at + sizeof(x), name, x.name_len);
    if (len > 0)
        memcpy(at + sizeof(x) + x.name_len, value, len);
    node->xattrs_size = used + size;
}

static int add_xattr(const struct erofs_image *image, struct erofs_node *node, const struct tar_xattr *x,
                     struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        const char *name = str_after(x->name, prefixes[i].prefix);

        if (!name)
            continue;
        if (x->len > UINT16_MAX || node->xattrs_size + x->len + strlen(name) + 8 > XATTRS_MAX)
            break;
        put_xattr(node, prefixes[i].index, name, x->value, x->len);
        return 0;
    }
    return err_set(err, ERR_INVALID, "%s: an EROFS image can't hold the extended attribute %s (%zu bytes)",
                   image->p->path, x->name, x->len);
}

/* Of the open fd, or of `name` in dir. */
static int read_xattrs(struct erofs_image *image, struct erofs_node *node, int dir, int fd, const char *name,
                       struct err *err)
{
    struct tar_entry e = {.path = image->p->path};
    bool opaque = false;
    int r;

    if (fd < 0 && fchdir(dir) < 0)
        return err_errno(err, errno, "%s: cannot enter its directory", image->p->path);
    r = packer_read_xattrs(image->p, fd, name, &e, &opaque, err);
    if (r == 0 && opaque)
        put_xattr(node, 4, str_after(XATTR_OPAQUE, "trusted."), "y", 1);
    for (size_t i = 0; i < e.n_xattrs && r == 0; i++)
        r = add_xattr(image, node, &e.xattrs[i], err);
    packer_free_xattrs(&e);
    return r;
}

/* ---- Places ---- */

uint32_t erofs_first_block(const struct erofs_image *image)
{
    return (uint32_t)((image->meta_end + EROFS_BLOCK - 1) / EROFS_BLOCK);
}

size_t erofs_names_in_block(const struct erofs_name *names, size_t n, size_t *ret_size)
{
    size_t count = 0, size = 0;

    while (count < n) {
        size_t more = sizeof(struct erofs_dirent) + strlen(names[count].name);

        if (size + more > EROFS_BLOCK)
            break;
        size += more;
        count++;
    }
    *ret_size = size;
    return count;
}

static uint64_t directory_size(const struct erofs_node *node)
{
    uint64_t size = 0;

    for (size_t i = 0; i < node->n_names;) {
        size_t bytes;

        i += erofs_names_in_block(node->names + i, node->n_names - i, &bytes);
        size += i < node->n_names ? EROFS_BLOCK : bytes;
    }
    return size;
}

/* The end of the data goes behind the inode when the block has room for both, and never over its end. */
static void place(struct erofs_image *image, struct erofs_node *node)
{
    uint64_t at = (image->meta_end + EROFS_SLOT - 1) & ~(uint64_t)(EROFS_SLOT - 1);
    uint64_t head = sizeof(struct erofs_inode) + node->xattrs_size, tail = node->size % EROFS_BLOCK;
    uint64_t blocks = node->size / EROFS_BLOCK;

    node->inlined = tail > 0 && head + tail <= EROFS_BLOCK;
    if (at % EROFS_BLOCK + (node->inlined ? head + tail : sizeof(struct erofs_inode)) > EROFS_BLOCK)
        at = (at + EROFS_BLOCK - 1) & ~(uint64_t)(EROFS_BLOCK - 1);
    node->place = at;
    image->meta_end = at + head + (node->inlined ? tail : 0);
    node->block = image->data_blocks;
    image->data_blocks += (uint32_t)blocks + (tail > 0 && !node->inlined);
}

static int check_room(const struct erofs_image *image, const struct erofs_node *node, struct err *err)
{
    if (node->size / EROFS_BLOCK + image->data_blocks + image->meta_end / EROFS_BLOCK + 2 < UINT32_MAX)
        return 0;
    return err_set(err, ERR_INVALID, "%s: an EROFS image can't hold that much", image->p->path);
}

/* ---- The walk ---- */

static size_t new_node(struct erofs_image *image)
{
    image->nodes = xreallocarray(image->nodes, image->n + 1, sizeof(*image->nodes));
    image->nodes[image->n] = (struct erofs_node){};
    return image->n++;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct erofs_name *)a)->name, ((const struct erofs_name *)b)->name);
}

static int read_node(struct erofs_image *image, int dir, const char *name, size_t parent, size_t *ret,
                     struct err *err);

static int read_names(struct erofs_image *image, size_t self, size_t parent, int fd, struct err *err)
{
    _cleanup_strv_ char **names = packer_list(fd, err);
    size_t n = strv_len(names), dir_len = image->p->path_len;
    struct erofs_name *rows;

    if (!names)
        return err_wrap(err, "%s", image->p->path);
    rows = xcalloc(n + 2, sizeof(*rows));
    for (size_t i = 0; i < n; i++)
        if (packer_set_path(image->p, dir_len, names[i], err) < 0 ||
            read_node(image, fd, names[i], self, &rows[i].node, err) < 0)
            return -1; /* the process ends */
        else
            rows[i].name = xstrdup(names[i]);
    rows[n] = (struct erofs_name){xstrdup("."), self};
    rows[n + 1] = (struct erofs_name){xstrdup(".."), parent};
    qsort(rows, n + 2, sizeof(*rows), compare_names);
    image->nodes[self].names = rows;
    image->nodes[self].n_names = n + 2;
    image->p->path_len = dir_len;
    image->p->path[dir_len] = '\0';
    return 0;
}

static int read_directory(struct erofs_image *image, size_t self, size_t parent, int fd, struct err *err)
{
    size_t subdirs = 0;

    if (read_xattrs(image, &image->nodes[self], -EBADF, fd, NULL, err) < 0 ||
        (image->p->path_len > 0 && packer_set_path(image->p, image->p->path_len, "/", err) < 0) ||
        read_names(image, self, parent, fd, err) < 0)
        return -1;
    for (size_t i = 0; i < image->nodes[self].n_names; i++)
        subdirs += S_ISDIR(image->nodes[image->nodes[self].names[i].node].st.st_mode);
    image->nodes[self].nlink = (uint32_t)subdirs; /* "." and "..", and the ".." of each */
    image->nodes[self].size = directory_size(&image->nodes[self]);
    return 0;
}

static int read_other(struct erofs_image *image, struct erofs_node *node, int dir, const char *name,
                      struct err *err)
{
    char target[TAR_PATH_MAX + 1];
    ssize_t n;

    if (S_ISREG(node->st.st_mode)) {
        node->size = (uint64_t)node->st.st_size;
    } else if (S_ISLNK(node->st.st_mode)) {
        n = readlinkat(dir, name, target, sizeof(target));
        if (n < 0 || n == sizeof(target))
            return err_errno(err, n < 0 ? errno : ENAMETOOLONG, "%s: cannot read the link", image->p->path);
        node->target = xstrndup(target, (size_t)n);
        node->size = (uint64_t)n;
    }
    return read_xattrs(image, node, dir, -EBADF, name, err);
}

/* The node of a file that was met under another name: true. */
static bool find_link(struct erofs_image *image, const struct stat *st, size_t *ret)
{
    char number[24];
    const char *first;

    if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
        return false;
    snprintf(number, sizeof(number), "%zu", image->n);
    first = link_map_put(&image->links, st->st_dev, st->st_ino, number);
    if (!first)
        return false;
    *ret = strtoul(first, NULL, 10);
    image->nodes[*ret].nlink++;
    return true;
}

static int read_node(struct erofs_image *image, int dir, const char *name, size_t parent, size_t *ret,
                     struct err *err)
{
    _cleanup_close_ int fd = -EBADF;
    struct stat st;
    int r;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, errno, "%s: cannot look at it", image->p->path);
    if (find_link(image, &st, ret))
        return 0;
    *ret = new_node(image);
    image->nodes[*ret].st = st;
    image->nodes[*ret].nlink = 1;
    if (S_ISDIR(st.st_mode)) {
        fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? err_errno(err, errno, "%s: cannot open", image->p->path)
                   : read_directory(image, *ret, parent, fd, err);
    } else {
        r = read_other(image, &image->nodes[*ret], dir, name, err);
    }
    return r;
}

int erofs_read_tree(struct erofs_image *image, int root, struct err *err)
{
    size_t self;

    if (read_node(image, root, ".", 0, &self, err) < 0)
        return -1;
    image->meta_end = EROFS_SUPER_OFFSET + sizeof(struct erofs_super);
    for (size_t i = 0; i < image->n; i++) {
        if (check_room(image, &image->nodes[i], err) < 0)
            return -1;
        place(image, &image->nodes[i]);
    }
    return 0;
}
