/* seccomp: an OCI `linux.seccomp` object becomes a BPF program, is cached, and installed.
 *
 * Compiling a profile of 350 system calls for three architectures costs about ten milliseconds, loading it
 * from the cache well under a tenth of one. So the built-in default profile is named, not spelled out, in
 * configurations of keg's own: "linux": {"seccomp": {"kegProfile": "default"}} and what it means follows from
 * the container's capabilities. seccomp_get() takes both forms. */
#ifndef KEG_SYS_SECCOMP_H
#define KEG_SYS_SECCOMP_H

#include <jansson.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SECCOMP_PROFILE_KEY     "kegProfile"
#define SECCOMP_PROFILE_DEFAULT "default"

/* A program and how to install it. Opaque memory: free with seccomp_filter_free(). */
struct seccomp_filter {
    unsigned flags;       /* SECCOMP_FILTER_FLAG_… of the profile, without NEW_LISTENER */
    unsigned short count; /* instructions */
    bool wants_listener;  /* a rule uses SCMP_ACT_NOTIFY, or there is a listenerPath */
    struct sock_filter code[];
};

struct seccomp_filter *seccomp_filter_free(struct seccomp_filter *f);
DEFINE_CLEANUP_PTR(struct seccomp_filter, seccomp_filter_free)

/* The filter of an OCI seccomp object (or of {"kegProfile":"default"}) for a process whose bounding set is
 * `capabilities`, from `cache_dir` when it is there, else compiled and put there. cache_dir NULL: no cache; a
 * cache that can't be read or written is not an error. The directory must be root's (0700), as must its
 * files. NULL on failure: ERR_INVALID (the object), ERR_NOT_IMPLEMENTED (an action, flag or architecture that
 * libseccomp or the kernel lacks). System calls whose names libseccomp doesn't know are passed over, as the
 * specification allows. Source: config-linux.md, "Seccomp". */
struct seccomp_filter *seccomp_get(const json_t *seccomp, uint64_t capabilities, const char *cache_dir,
                                   struct err *err);
/* The same without a cache. */
struct seccomp_filter *seccomp_compile(const json_t *seccomp, uint64_t capabilities, struct err *err);

/* For those who don't want unknown names passed over: ERR_INVALID for the first one. */
int seccomp_check_names(const json_t *seccomp, struct err *err);

/* Puts the filter on the calling thread: needs no_new_privs or CAP_SYS_ADMIN. When the filter wants a
 * listener its descriptor is stored in *ret_listener (required then, -EINVAL otherwise). 0 or -errno. Safe
 * after fork: no allocation. */
int seccomp_install(const struct seccomp_filter *f, int *ret_listener);

/* The built-in default profile (what Docker's denies and allows, see seccomp_default.c) for a process with
 * these capabilities, spelled out as an OCI seccomp object. */
json_t *seccomp_default_profile(uint64_t capabilities);
/* A profile in Docker's file format (archMap, includes/excludes with arches, caps and minKernel, name or
 * names) as an OCI seccomp object for this machine and these capabilities. NULL: ERR_INVALID. An OCI object
 * passes unchanged. */
json_t *seccomp_profile_resolve(const json_t *profile, uint64_t capabilities, struct err *err);

/* What this build knows, for `features`: new arrays of names. */
json_t *seccomp_known_actions(void);
json_t *seccomp_known_operators(void);
json_t *seccomp_known_architectures(void);
json_t *seccomp_known_flags(void);
/* Those of them that the running kernel takes. */
json_t *seccomp_supported_flags(void);

#endif
