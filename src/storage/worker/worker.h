/* The verbs of keg-layer. Each runs in a process of its own that ends with it. */
#ifndef KEG_STORAGE_WORKER_WORKER_H
#define KEG_STORAGE_WORKER_WORKER_H

#include <stdbool.h>

#include "base/err.h"
#include "storage/worker/protocol.h"

struct worker_options {
    int64_t max_entries, max_bytes, max_ratio;
    enum worker_store store;
    int64_t n_lower; /* descriptors from WORKER_FD_LOWER on */
    struct worker_shared *shared;
};

struct sandbox_root;
/* Sets root's lower layers from the options. `lower` has room for WORKER_LOWER_MAX and outlives root. */
void worker_lower(const struct worker_options *o, struct sandbox_root *root, int *lower);

/* Tar stream (WORKER_FD_INPUT) into WORKER_FD_TREE. */
int worker_unpack(const struct worker_options *o, struct worker_report *ret, struct err *err);
/* What WORKER_FD_PENDING lists is done in WORKER_FD_TREE with the layers below (lower, WORKER_FD_WORK). */
int worker_settle(const struct worker_options *o, struct worker_report *ret, struct err *err);
/* WORKER_FD_TREE, one layer, as an OCI tar stream to WORKER_FD_OUTPUT. */
int worker_pack(const struct worker_options *o, struct worker_report *ret, struct err *err);
/* The same without the times of directories and whiteouts, which an archive may leave open: two trees that came from one
 * archive give the same bytes. */
int worker_digest(const struct worker_options *o, struct worker_report *ret, struct err *err);
/* The merged tree of all lower (of one alone: that tree as it is) as a plain tar stream to WORKER_FD_OUTPUT. */
int worker_export(const struct worker_options *o, struct worker_report *ret, struct err *err);
/* The merged tree of all lower, or one alone in overlay's form, put over WORKER_FD_TREE. */
int worker_apply(const struct worker_options *o, struct worker_report *ret, struct err *err);
/* What WORKER_FD_TREE has that the merged tree of all lower hasn't, and the other way round, as an OCI tar stream to
 * WORKER_FD_OUTPUT. */
int worker_compare(const struct worker_options *o, struct worker_report *ret, struct err *err);
/* What the layer WORKER_FD_TREE (in overlay's form) changes of the merged lower, as a list to WORKER_FD_OUTPUT: "A", "C" or "D"
 * (added, changed, deleted), an absolute path and a NUL for each. */
int worker_changes(const struct worker_options *o, struct worker_report *ret, struct err *err);
/* The same of a whole tree beside what it was made of: by comparing. */
int worker_differences(const struct worker_options *o, struct worker_report *ret, struct err *err);
/* In the tree of a container (WORKER_FD_PENDING says which, and the path): struct worker_stat of the path to
 * WORKER_FD_OUTPUT; … and the path as a tar stream behind it; a tar stream (WORKER_FD_INPUT) into the path. */
int worker_look(const struct worker_options *o, struct worker_report *ret, struct err *err);
int worker_take(const struct worker_options *o, struct worker_report *ret, struct err *err);
int worker_put(const struct worker_options *o, struct worker_report *ret, struct err *err);
/* WORKER_FD_TREE, one layer, as an EROFS image into the empty file WORKER_FD_OUTPUT (readable too). The report's blob is
 * the image. */
int worker_erofs(const struct worker_options *o, struct worker_report *ret, struct err *err);

#endif
