/* Names of resource limits (getrlimit(2)). */
#ifndef KEG_SYS_RLIMIT_H
#define KEG_SYS_RLIMIT_H

/* "RLIMIT_NOFILE" to its number, -EINVAL for an unknown name. */
int rlimit_from_name(const char *name);
const char *rlimit_name(int resource);

#endif
