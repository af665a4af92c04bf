/* Trees that hold everything: copies of merged layers, and what has changed in them. For drivers whose containers are
 * whole (driver.h). */
#ifndef KEG_STORAGE_WHOLE_H
#define KEG_STORAGE_WHOLE_H

#include "storage/internal.h"

/* The init layer and the image's layers below it, topmost first, appended to *paths. */
int whole_origin(struct storage *s, const char *top, char ***paths, struct err *err);
/* Puts the merged *paths (several: layers in overlay's form; to these two empty ones are added) over the tree `name` in
 * `dir`, which is made if it isn't there. A single path is one layer in overlay's form: what it removes is removed. */
int whole_copy(struct storage *s, char ***paths, int dir, const char *name, struct err *err);
/* Makes the tree `name` in the directory `dir` (below DATA/layers) as whole_copy() does, under another name first, and
 * synced: it is whole or not there. Another thread may make it too. */
int whole_make(struct storage *s, const char *dir, const char *name, char ***paths, struct err *err);
/* The end of that: the tree `made` in DATA/layers becomes `name` in the open directory, or goes: when it wasn't made (r < 0), or when
 * somebody was faster. */
int whole_name(struct storage *s, const char *made, int dir, const char *name, int r, struct err *err);
/* A worker that is to compare the container's root with what it was made of: its directories are opened; close_dirs() and
 * close_fd(&worker->tree) them. */
int whole_comparison(struct storage *s, const char *id, const char *top, struct worker_spec *worker,
                     int **ret_fds, struct err *err);
/* What the container's root has that its origin hasn't, and the other way round, as an OCI layer tar. out < 0: it is only
 * measured. *ret_changed (may be NULL): bytes of the files in it. */
int whole_diff(struct storage *s, const char *id, const char *top, int out, struct storage_pack_result *ret,
               int64_t *ret_changed, struct err *err);

#endif
