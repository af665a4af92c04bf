/* What a container has changed, as a list: see worker_changes(). */
#ifndef KEG_STORAGE_WORKER_CHANGES_H
#define KEG_STORAGE_WORKER_CHANGES_H

#include "storage/worker/packer.h"

/* Writes the first `len` bytes of p->path, without a slash at their end, as changed in that way. */
int changes_entry_of(struct packer *p, size_t len, char kind, struct err *err);
/* The same for the current entry, `name` in `dir`, and as added everything below it. */
int changes_tree(struct packer *p, int dir, const char *name, char kind, struct err *err);

#endif
