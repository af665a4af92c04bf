/* What storage and its worker keg-layer say to each other: which descriptors the worker is born with, the
 * page of counters they share, and the one report it sends at its end. Both are the same build, so structs
 * travel as they are; storage still believes nothing of them (the worker has read hostile bytes): text is
 * terminated by the reader, numbers are only shown. */
#ifndef KEG_STORAGE_WORKER_PROTOCOL_H
#define KEG_STORAGE_WORKER_PROTOCOL_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

/* Descriptor numbers in the worker. Which of them a verb takes is said in keg-layer's verb table. */
enum worker_fd {
    WORKER_FD_REPORT = 3, /* pipe: struct worker_report, once */
    WORKER_FD_SHARED,     /* memfd: struct worker_shared */
    WORKER_FD_INPUT,      /* tar stream in */
    WORKER_FD_OUTPUT,     /* blob out (may be closed), or tar stream out */
    WORKER_FD_TREE,       /* the layer's directory */
    WORKER_FD_PENDING,    /* file: what has to be settled with the layers below, see pending.h */
    WORKER_FD_WORK,       /* empty directory beside the layer, for overlay */
    WORKER_FD_LOWER,      /* the first of the directories of the layers below, topmost first */
    WORKER_LOWER_MAX = 500,
};

/* What becomes of the bytes that unpack reads, and what WORKER_FD_OUTPUT is. */
enum worker_store {
    WORKER_STORE_NOT, /* nothing; it is closed */
    WORKER_STORE_GROWS, /* nothing; the input is a file that is being written, it a pipe from who does that: a byte comes
                          * when there is more, its end is the file's. Who writes the file hashes it: the digest of the input,
                          * and that of the tar where this is the input, are reported as "" */
    WORKER_STORE_AS_IS,  /* every byte */
    WORKER_STORE_USABLE, /* the tar, where no media type tells of the compression */
};

/* Written by the worker while it runs. */
struct worker_shared {
    _Atomic int64_t consumed;
    _Atomic int64_t unpacked;
    _Atomic int64_t entries;
};

/* What "look", "take" and "put" are told (WORKER_FD_PENDING is a file that begins with it), and behind it, each with its NUL:
 * the path as asked for, the name that it shall have in the archive, then for each mount "r" or "w" and its destination. */
struct worker_place {
    int32_t namespace; /* WORKER_FD_TREE is the mount namespace to enter: there is nothing to make */
    int32_t writable;  /* the root is made of WORKER_FD_TREE (and WORKER_FD_WORK); else a view of all lower */
    int32_t read_only; /* though writable, the tree can't be written to: the container's root is read-only */
    int32_t keep_kind; /* put: a directory isn't replaced by something else, nor the other way round */
    int64_t uid, gid;  /* put: whose everything shall be; -1: as the archive says */
    int64_t n_mounts;  /* the descriptors behind those of the layers */
};
enum { WORKER_PLACE_MAX = 1024 * 1024 };

/* What is at the path: before the archive of "take", all of what "look" writes. */
struct worker_stat {
    int64_t size, mtime, mtime_ns;
    uint32_t mode;     /* st_mode */
    char target[4096]; /* of a symbolic link, as far as it leads; else "" */
};

#define WORKER_REPORT_MAGIC 0x6b65676c61796572ULL

struct worker_report {
    uint64_t magic;
    int32_t failed; /* then only err counts */
    int32_t compressed;
    struct err err;
    char blob_hex[SHA256_HEX_SIZE];
    char diff_hex[SHA256_HEX_SIZE];
    int64_t blob_size;
    int64_t tar_size;
    int64_t unpacked_size; /* bytes of regular files */
    int64_t entries;
    int64_t pending;        /* rows written to WORKER_FD_PENDING */
    int64_t pending_links;  /* of them, hard links */
    int32_t root_described; /* the archive says what attributes the layer's root has */
};

#endif
