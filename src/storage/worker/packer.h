/* What pack, export and compare share: entries of a tree, written to a tar stream. */
#ifndef KEG_STORAGE_WORKER_PACKER_H
#define KEG_STORAGE_WORKER_PACKER_H

#include <stdbool.h>
#include <sys/stat.h>

#include "storage/worker/link_map.h"
#include "tar/sink.h"
#include "tar/reader.h"
#include "storage/worker/worker.h"

enum { XATTR_LIST_SIZE = 64 * 1024 };

struct packer {
    struct sink sink;
    struct link_map links;
    bool overlay_form; /* of the tree: char 0:0 and opaque attributes are whiteouts */
    bool undated;      /* directories and whiteouts have no times */
    bool hides;        /* the next directory is opaque, whatever its attributes are */
    bool layer;        /* what is written is one: names and devices that would be whiteouts can't be in it */
    bool live; /* a container's tree as it is: what the kernel shows in it has a directory and no content */
    struct worker_shared *shared;
    struct worker_report *report;
    char path[TAR_PATH_MAX + 2]; /* of the entry being written; a directory's ends with a slash */
    size_t path_len;
    char names[XATTR_LIST_SIZE];
};

/* Lives as long as the process; writes to WORKER_FD_OUTPUT. */
struct packer *packer_new(const struct worker_options *o, struct worker_report *report);
/* The end of the archive, and the report's size and digest. */
int packer_end(struct packer *p, struct err *err);

/* Puts `name` behind the first dir_len bytes of p->path. */
int packer_set_path(struct packer *p, size_t dir_len, const char *name, struct err *err);
/* Writes the entry p->path, which is `name` in `dir`, and all that is below it. dir_len: of the path of `dir`. */
int packer_entry(struct packer *p, int dir, const char *name, size_t dir_len, struct err *err);
/* The directory `fd` alone; appends a slash to p->path. */
int packer_directory(struct packer *p, int fd, struct err *err);
/* Everything below the directory `fd`, which is p->path ("" or ending with a slash). */
int packer_below(struct packer *p, int fd, struct err *err);
/* An empty file `marker` + `name` in `dir`, whose time it has: whiteouts have none of their own. */
int packer_marker(struct packer *p, int dir, size_t dir_len, const char *marker, const char *name,
                  struct err *err);

/* The names in an open directory, sorted; the caller frees. NULL on failure. */
char **packer_list(int fd, struct err *err);
/* Adds the extended attributes that go into archives to *e, sorted: of fd, or (fd < 0) of `name` in the working
 * directory. *ret_opaque: overlay says the directory is. */
int packer_read_xattrs(struct packer *p, int fd, const char *name, struct tar_entry *e, bool *ret_opaque,
                       struct err *err);
void packer_free_xattrs(struct tar_entry *e);

#endif
