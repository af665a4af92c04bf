/* Extended headers: what they say about the next entry. */
#ifndef KEG_TAR_PAX_H
#define KEG_TAR_PAX_H

#include "tar/reader.h"

/* Values of pax records and of GNU long-name entries, which replace the header's. */
struct tar_pax {
    char *path, *link;
    bool real_path; /* path is GNU.sparse.name, which no other record replaces */
    bool has_size, has_uid, has_gid, has_mtime;
    int64_t size, uid, gid, mtime;
    int32_t mtime_ns;
    struct tar_xattr *xattrs;
    size_t n_xattrs;
    /* GNU.sparse.*: version 1.0 keeps the map in front of the data, 0.x in records. */
    bool sparse, sparse_in_data;
    bool has_real_size;
    int64_t real_size;
    int64_t half_offset; /* version 0.0: an offset waiting for its length; -1: none */
    struct tar_segment *segments;
    size_t n_segments;
};

#define TAR_PAX_INIT                                                                                         \
    {                                                                                                        \
        .half_offset = -1                                                                                    \
    }

void tar_pax_finish(struct tar_pax *pax);
/* Takes in the records of one extended header. 0 or ERR_INVALID. */
int tar_pax_parse(struct tar_pax *pax, const char *text, size_t len, struct err *err);
/* Appends a sparse segment. 0 or ERR_INVALID when there are too many. */
int tar_pax_add_segment(struct tar_pax *pax, int64_t offset, int64_t len, struct err *err);

#endif
