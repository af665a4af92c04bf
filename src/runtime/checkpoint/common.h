/* What checkpoint and restore have in common. */
#ifndef KEG_RUNTIME_CHECKPOINT_COMMON_H
#define KEG_RUNTIME_CHECKPOINT_COMMON_H

#include "base/buf.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/criu.h"
#include "runtime/internal.h"

#define DESCRIPTORS_FILE "descriptors.json"

/* The directories. CRIU has them as its first two descriptors, in this order. */
struct checkpoint_files {
    int images, work;
    char *log; /* path of CRIU's log */
};
enum { CHECKPOINT_FILES = 2 };
#define CHECKPOINT_FILES_INIT                                                                                \
    {                                                                                                        \
        .images = -EBADF, .work = -EBADF                                                                     \
    }
int checkpoint_files_open(struct checkpoint_files *f, const struct checkpoint_options *o, bool make,
                          const char *log, struct err *err);
void checkpoint_files_finish(struct checkpoint_files *f);

/* The options of both directions. */
int checkpoint_put_options(struct buf *b, const struct runtime_container *c,
                           const struct checkpoint_options *o, const char *log, struct err *err);
/* A mount that CRIU doesn't save: its name and what is mounted there. */
void checkpoint_put_mount(struct buf *b, const char *name, const char *value);
/* All of them. Saving, CRIU is told that the mount at a place goes by a name (the place itself, but for the null device,
 * which covers files); restoring, what that name is now. ERR_INVALID for a place in which CRIU could read another name:
 * its own syntax is "mnt[PLACE]:NAME". */
int checkpoint_put_mounts(struct buf *b, const struct runtime_container *c, bool restoring, struct err *err);

/* Namespaces with a path: of these kinds CRIU takes one from outside under a name; others are joined. */
const char *checkpoint_external_namespace(enum namespace_kind kind);

/* Adds to an error what CRIU's log says about it. Returns -1. */
int checkpoint_explain(const struct checkpoint_files *f, struct err *err);

/* What is at descriptors 0, 1, 2 of a process ("pipe:[123]", "/dev/null"): an array of three strings. */
json_t *checkpoint_descriptors(pid_t pid);

#endif
