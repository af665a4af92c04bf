/* What an entry says about its file: owner, mode, extended attributes, time.
 *
 * Errors name the entry; ERR_SYSTEM. */
#ifndef KEG_STORAGE_WORKER_ATTRIBUTES_H
#define KEG_STORAGE_WORKER_ATTRIBUTES_H

#include "base/err.h"
#include "tar/reader.h"

/* Where attributes are set: an open file or directory, or (fd < 0) a name in the parent, for what can't be
 * opened. */
struct attributes_target {
    int fd;
    int parent;
    const char *name;
};

/* Owner, mode, attributes, in this order: a new owner takes setuid bits and capabilities away. What
 * xattr_policy.h drops is passed over. For something that isn't open the working directory changes. */
int attributes_set(const struct attributes_target *at, const struct tar_entry *e, struct err *err);
int attributes_set_times(const struct attributes_target *at, const struct tar_entry *e, struct err *err);

#endif
