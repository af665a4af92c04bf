/* Writes a tree as an EROFS image: first the tree is read into memory, all but the files' data, and everything gets its
 * place; then it is written from the first byte to the last. The same tree gives the same bytes.
 *
 *     superblock | inodes, in the order of the walk, each with its attributes and, where it fits in the block, the end
 *     of its data | data, in the same order: holes stay holes of the image
 *
 * Of overlay's own attributes the image keeps the one that makes directories opaque. */
#ifndef KEG_STORAGE_WORKER_EROFS_H
#define KEG_STORAGE_WORKER_EROFS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "storage/worker/link_map.h"
#include "storage/worker/packer.h"

/* A name in a directory. */
struct erofs_name {
    char *name;
    size_t node;
};

struct erofs_node {
    struct stat st;
    uint32_t nlink;
    uint64_t size;      /* of the data; a directory's is that of its entries */
    uint64_t place;     /* of the inode, in the image */
    uint32_t block;     /* of the data, counted from the first */
    bool inlined;       /* its end is behind the inode */
    bool written;       /* under its first name */
    uint8_t *xattrs;    /* as they are on disk */
    size_t xattrs_size; /* with the header; 0: none */
    char *target;       /* of a symlink */
    struct erofs_name *names;
    size_t n_names; /* with "." and ".." */
};

struct erofs_image {
    struct packer *p; /* for its path, and reading attributes */
    struct link_map links;
    struct erofs_node *nodes; /* the first is the root */
    size_t n;
    uint64_t meta_end;    /* bytes up to the last inode */
    uint32_t data_blocks; /* so far */
};

/* Reads the tree below the open directory, and gives everything its place. ERR_INVALID for what an image can't hold. */
int erofs_read_tree(struct erofs_image *image, int root, struct err *err);
/* Writes it to the empty file `out`; *ret_size: its size. */
int erofs_write_image(struct erofs_image *image, int root, int out, int64_t *ret_size, struct err *err);

/* The first block of data. */
uint32_t erofs_first_block(const struct erofs_image *image);
/* How many of a directory's names, from names[0] on, are in its next block; *ret_size: their bytes. */
size_t erofs_names_in_block(const struct erofs_name *names, size_t n, size_t *ret_size);

#endif
