/* What the seccomp_*.c files share. Nobody else includes this, but for the unit tests. */
#ifndef KEG_SYS_SECCOMP_INTERNAL_H
#define KEG_SYS_SECCOMP_INTERNAL_H

#include "base/buf.h"
#include "sys/seccomp.h"

enum { SECCOMP_SUB_ARCHITECTURES_MAX = 2 };

/* A machine as profiles name it. */
struct seccomp_machine {
    uint32_t token;                                 /* libseccomp's SCMP_ARCH_… */
    const char *oci;                                /* "SCMP_ARCH_X86_64" */
    const char *docker;                             /* "amd64", as in includes.arches */
    const char *sub[SECCOMP_SUB_ARCHITECTURES_MAX]; /* whose programs it runs as well */
};

/* The machine this runs on; NULL for one without a row. */
const struct seccomp_machine *seccomp_machine(void);

/* Memory for a filter of `count` instructions. */
struct seccomp_filter *seccomp_filter_new(size_t count);

/* A text that stands for the default profile with these capabilities: it changes whenever the profile's table
 * does. */
void seccomp_default_key(uint64_t capabilities, struct buf *out);
/* Whether the object is {"kegProfile": "default"}. */
bool seccomp_is_default(const json_t *seccomp);

/* Numbers of system calls younger than libseccomp may be; they are the same on every architecture. -1: not in
 * the table.*/
int seccomp_recent_number(const char *name);

/* Finds the filter stored for exactly this key in the cache, or NULL. */
struct seccomp_filter *seccomp_cache_load(const char *dir, const struct buf *key);
/* Stores it; failure has no consequence. */
void seccomp_cache_store(const char *dir, const struct buf *key, const struct seccomp_filter *f);

#endif
