/* EROFS on disk, as far as images without compression have it: a superblock, then inodes with their attributes and the
 * ends of their data, then blocks of data. All numbers are little-endian. Source: the kernel's erofs documentation and
 * on-disk format, version 1. */
#ifndef KEG_STORAGE_WORKER_EROFS_FORMAT_H
#define KEG_STORAGE_WORKER_EROFS_FORMAT_H

#include <stdint.h>

enum {
    EROFS_BLOCK = 4096,
    EROFS_BLOCK_BITS = 12,
    EROFS_SUPER_OFFSET = 1024,
    EROFS_SLOT = 32, /* an inode's number is its place in units of these */
};

#define EROFS_MAGIC 0xE0F5E1E2U

enum erofs_compat {
    EROFS_COMPAT_CHECKSUM = 1,
    EROFS_COMPAT_MTIME = 2, /* the inodes' time is that of the last modification */
};

struct erofs_super {
    uint32_t magic;
    uint32_t checksum; /* crc32c, without the last inversion, of this block from here on, as zero */
    uint32_t compat;
    uint8_t block_bits;
    uint8_t extra_slots;
    uint16_t root_nid;
    uint64_t inodes;
    uint64_t build_time;
    uint32_t build_time_ns;
    uint32_t blocks;
    uint32_t meta_block; /* where inode numbers are counted from */
    uint32_t xattr_block;
    uint8_t uuid[16];
    uint8_t volume[16];
    uint32_t incompat;
    uint16_t algorithms;
    uint16_t extra_devices;
    uint16_t device_slot;
    uint8_t dir_block_bits;
    uint8_t prefix_count;
    uint32_t prefix_start;
    uint64_t packed_nid;
    uint8_t reserved[24];
};
_Static_assert(sizeof(struct erofs_super) == 128, "the superblock has 128 bytes");

enum erofs_layout {
    EROFS_PLAIN = 0,      /* whole blocks */
    EROFS_INLINE = 2,     /* whole blocks, the rest behind the inode and in its block */
    EROFS_LAYOUT_BIT = 1, /* in `format`, above the bit for the extended form */
};

struct erofs_inode {
    uint16_t format; /* 1 | layout << EROFS_LAYOUT_BIT */
    uint16_t xattr_count;
    uint16_t mode;
    uint16_t reserved;
    uint64_t size;
    uint32_t place; /* the first block, or a device's number */
    uint32_t ino;
    uint32_t uid;
    uint32_t gid;
    uint64_t mtime;
    uint32_t mtime_ns;
    uint32_t nlink;
    uint8_t reserved2[16];
};
_Static_assert(sizeof(struct erofs_inode) == 64, "an extended inode has 64 bytes");

/* In front of an inode's own attributes: xattr_count is 1 + (their bytes / 4). */
struct erofs_xattr_header {
    uint32_t filter;
    uint8_t shared;
    uint8_t reserved[7];
};
_Static_assert(sizeof(struct erofs_xattr_header) == 12, "it has 12 bytes");

struct erofs_xattr {
    uint8_t name_len;
    uint8_t prefix;
    uint16_t value_size;
    /* name, value, and zeros up to a multiple of 4 */
};

struct erofs_dirent {
    uint64_t nid;
    uint16_t name; /* where it is in the block; the first one's says how many entries there are */
    uint8_t type;
    uint8_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_dirent) == 12, "an entry has 12 bytes");

#endif
