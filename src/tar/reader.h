/* Reads a tar stream: ustar, pax, GNU (long names, base-256 numbers, all four sparse forms), v7, star's
 * prefix.
 *
 * Why not a library's reader: names here are bytes. The reader that Debian ships converts names of pax
 * headers to the locale's character set in normalization form C, so that a layer with decomposed names would
 * unpack to other names.
 *
 * Everything is bounded (TAR_*_MAX), and nothing is trusted: checksums are verified, numbers are
 * range-checked, sparse maps have to be ordered, disjoint and as long as the data. Errors are ERR_INVALID and
 * name the entry. */
#ifndef KEG_TAR_READER_H
#define KEG_TAR_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    TAR_BLOCK = 512,
    TAR_PATH_MAX = 4095,             /* bytes of a name or link target */
    TAR_PAX_MAX = 4 * 1024 * 1024,   /* bytes of one extended header */
    TAR_XATTRS_MAX = 512,            /* attributes of one entry */
    TAR_XATTR_NAME_MAX = 255,        /* the kernel's */
    TAR_XATTR_VALUE_MAX = 64 * 1024, /* the kernel's */
    TAR_SPARSE_MAX = 1024 * 1024,    /* segments of one file */
};

#define TAR_SIZE_MAX (INT64_MAX / 2) /* of one file: sums of it and a block don't overflow */

/* Entry types, by their character in the header. */
enum tar_type {
    TAR_FILE = '0',
    TAR_HARDLINK = '1',
    TAR_SYMLINK = '2',
    TAR_CHAR = '3',
    TAR_BLOCKDEV = '4',
    TAR_DIR = '5',
    TAR_FIFO = '6',
};

struct tar_xattr {
    char *name;
    void *value;
    size_t len;
};

struct tar_segment {
    int64_t offset;
    int64_t len;
};

struct tar_entry {
    enum tar_type type;
    char *path;  /* as in the archive: not cleaned */
    char *link;  /* target of hard and symbolic links; "" otherwise */
    mode_t mode; /* 07777 at most */
    uint32_t uid, gid;
    int64_t size; /* of the file; 0 for everything else */
    int64_t mtime;
    int32_t mtime_ns;
    uint32_t dev_major, dev_minor;
    struct tar_xattr *xattrs;
    size_t n_xattrs;
    struct tar_segment *segments; /* where data is; NULL: one piece */
    size_t n_segments;
};

/* Where bytes come from. span() gives at least one byte of what comes next without consuming it (valid until
 * consume()): the number of bytes at *data, 0 at the end, -1 on failure. */
struct tar_input {
    ssize_t (*span)(void *arg, const uint8_t **data, struct err *err);
    void (*consume)(void *arg, size_t n);
    void *arg;
};

struct tar_reader;

struct tar_reader *tar_reader_new(const struct tar_input *input);
void tar_reader_free(struct tar_reader *r);
DEFINE_CLEANUP_PTR(struct tar_reader, tar_reader_free)

/* The next entry (what is left of the last one's data is passed over): 1, 0 at the end of the archive, -1.
 * The entry belongs to the reader and is good until the next call. */
int tar_reader_next(struct tar_reader *r, const struct tar_entry **ret, struct err *err);
/* The next piece of the current file's data, to be written at *ret_offset; everything between pieces is a
 * hole. Returns its length, 0 when there is no more, -1. The piece is consumed by the next call. */
ssize_t tar_reader_data(struct tar_reader *r, const uint8_t **ret_data, int64_t *ret_offset, struct err *err);
/* Consumes what comes behind the end of the archive, up to the end of the input. 0 or -1. */
int tar_reader_drain(struct tar_reader *r, struct err *err);

#endif
