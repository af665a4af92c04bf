/* Capabilities: names, sets as 64-bit masks (bit n is capability n), and putting them on the calling thread.
 * Raw system calls: capset(2) and prctl(2). */
#ifndef KEG_SYS_CAPABILITY_H
#define KEG_SYS_CAPABILITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CAPABILITY_BIT(n) (UINT64_C(1) << (n))

/* The number of "CAP_NET_RAW", "net_raw", …: the prefix is optional, case doesn't matter. -EINVAL for an
 * unknown name. */
int capability_from_name(const char *name);
/* "CAP_NET_RAW"; NULL for a number keg doesn't know. */
const char *capability_name(int number);
/* The highest capability both the running kernel and keg know. */
int capability_last(void);
/* Every capability from 0 to capability_last(). */
uint64_t capability_all(void);
/* What this process could give to a child: capability_all() without what its bounding set lacks. */
uint64_t capability_available(void);
/* The 14 that a container has unless told otherwise (Docker's list). */
uint64_t capability_default(void);

/* Names to a mask: an array of strings. Names this kernel or keg doesn't know are passed over, as the OCI
 * specification asks, and appended to *ret_unknown (a strv, may be NULL). NULL or no array gives 0. */
uint64_t capability_mask_from_json(const json_t *names, char ***ret_unknown);
/* A mask to a new array of "CAP_…" names, in the order of their numbers. */
json_t *capability_mask_to_json(uint64_t mask);

/* Docker's arithmetic of --cap-add, --cap-drop and --privileged over the default set. `add` and `drop` are
 * NULL-terminated lists (NULL: empty) of names or "ALL" in any case. privileged gives everything available
 * and ignores both. "ALL" in add starts from everything, in drop from nothing; what is named explicitly on
 * the other side is then taken away or added. ERR_INVALID with Docker's text for an unknown name.
 * Capabilities this process cannot give are left out. */
int capability_merge(char *const *add, char *const *drop, bool privileged, uint64_t *ret_set,
                     struct err *err);

struct capability_sets {
    uint64_t bounding, permitted, effective, inheritable, ambient;
};

/* OCI process.capabilities; NULL gives five empty sets. */
struct capability_sets capability_sets_from_json(const json_t *capabilities);

/* The way to a process's final capabilities, in this order (capabilities(7)):
 *   1. capability_drop_bounding()  needs CAP_SETPCAP, so while still privileged
 *   2. capability_keep()           the permitted set would be cleared by leaving uid 0
 *   3. setgroups, setresgid, setresuid
 *   4. capability_apply()          effective is restored to permitted, then all of it; ambient last
 * All return 0 or -errno and act on the calling thread only. */

/* Takes everything but `keep` out of the bounding set. */
int capability_drop_bounding(uint64_t keep);
/* PR_SET_KEEPCAPS; execve() clears it. */
int capability_keep(void);
/* permitted, effective, inheritable, ambient. What the thread doesn't have is left out, not an error (as OCI
 * asks), and reported in *ret_refused (may be NULL). Ambient is limited to what is permitted and inheritable,
 * as the kernel does. */
int capability_apply(const struct capability_sets *sets, uint64_t *ret_refused);
/* The calling thread's sets. */
int capability_get(struct capability_sets *ret);

#endif
