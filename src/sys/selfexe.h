/* A program that containers can't write to.
 *
 * A container's process can be made to execute, and then to open for writing, the runtime's own program by way of
 * /proc/PID/exe (CVE-2019-5736). So the program that clones containers must run from something nobody can write. */
#ifndef KEG_SYS_SELFEXE_H
#define KEG_SYS_SELFEXE_H

#include <stdbool.h>

/* Whether /proc/self/exe can't be written: a sealed memfd or a read-only mount. */
bool selfexe_is_protected(void);
/* Whether a command of keg-runtime's clones processes for a container, so that it has to be protected. */
bool selfexe_command_clones(const char *command);
/* Executes this program again, from a detached read-only copy of its mount (one system call and an exec; nothing is
 * copied), or from a sealed memfd where that can't be had. Returns at once if there is nothing to do; comes back with
 * -errno only when nothing worked. */
int selfexe_protect(char **argv);

#endif
