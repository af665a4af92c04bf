/* The mappings of a new user namespace. */
#ifndef KEG_RUNTIME_MAPPINGS_H
#define KEG_RUNTIME_MAPPINGS_H

#include <sys/types.h>

#include "base/err.h"
#include "runtime/spec.h"

/* Writes the uid and gid mappings of the configuration for process `pid`, whose user namespace is new. What the caller may
 * not write itself (an ordinary user: more than the own id) is left to newuidmap(1) and newgidmap(1), looked for in the
 * caller's PATH, then in the usual places; they allow what /etc/subuid and /etc/subgid give to that user. The errors name
 * the program or the line that is missing. */
int mappings_write(int procfs, pid_t pid, const struct spec *spec, struct err *err);

#endif
