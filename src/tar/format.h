/* The tar header block (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format"). */
#ifndef KEG_TAR_FORMAT_H
#define KEG_TAR_FORMAT_H

struct tar_sparse_field {
    char offset[12];
    char len[12];
};

struct tar_header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6]; /* "ustar\0" POSIX, "ustar " GNU */
    char version[2];
    char uname[32];
    char gname[32];
    char dev_major[8];
    char dev_minor[8];
    union {
        char prefix[155]; /* POSIX */
        struct {          /* GNU, type 'S' */
            char unused[41];
            struct tar_sparse_field sparse[4];
            char extended;
            char real_size[12];
        } gnu;
    };
    char padding[12]; /* star: "tar\0" at the end */
};

/* Continues a GNU sparse map. */
struct tar_sparse_block {
    struct tar_sparse_field sparse[21];
    char extended;
    char padding[7];
};

_Static_assert(sizeof(struct tar_header) == 512, "tar header");
_Static_assert(sizeof(struct tar_sparse_block) == 512, "tar sparse block");

#endif
