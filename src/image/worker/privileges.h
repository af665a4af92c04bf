/* Giving up what a worker doesn't need. */
#ifndef KEG_IMAGE_WORKER_PRIVILEGES_H
#define KEG_IMAGE_WORKER_PRIVILEGES_H

#include "base/err.h"

/* Dies with kegd, gains no privileges, and when root becomes nobody: no capability, no right to any file of
 * kegd's. `parent` is kegd's pid; 0 skips that check. Before threads are made. */
int privileges_drop(pid_t parent, struct err *err);
/* keg-archive, after privileges_drop: only the system calls that reading a descriptor and talking over a socket
 * need, no executable memory, 2 GiB of address space. Everything else kills the process; opening a file fails. */
int privileges_confine(struct err *err);
/* keg-registry, after privileges_drop: files are read only, and only where configuration, certificates and libraries
 * are (Landlock, from Linux 5.13 on); sockets are of the Internet (and netlink, for the resolver), never local ones; threads,
 * but no processes; no signal to others, no memory that is written and executed. Everything else fails with EPERM. */
int privileges_confine_client(struct err *err);

#endif
