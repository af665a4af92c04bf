/* Giving up what a worker doesn't need. */
#ifndef KEG_IMAGE_WORKER_PRIVILEGES_H
#define KEG_IMAGE_WORKER_PRIVILEGES_H

#include "base/err.h"

/* Dies with kegd, gains no privileges, and when root becomes nobody: no capability, no right to any file of
 * kegd's. `parent` is kegd's pid; 0 skips that check. Before threads are made. */
int privileges_drop(pid_t parent, struct err *err);
/* After privileges_drop: only the system calls that reading a descriptor and talking over a socket need.
 * Everything else kills the process. */
int privileges_confine(struct err *err);

#endif
