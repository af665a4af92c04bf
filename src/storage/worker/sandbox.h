/* The worker shuts itself in before it reads the first hostile byte.
 *
 * In order: namespaces of its own (mount, network, pid, ipc, uts) and a fork into the pid namespace; a root
 * directory that is the layer, by pivot_root, with everything else of the host detached; no descriptors but
 * the verb's own; limits; only the capabilities that trees need, no_new_privs; and at last a seccomp
 * allow-list for all threads, in which there is no mount, no namespace, no socket, no exec, no new process,
 * no ptrace, no bpf, no ioctl.
 *
 * CAP_SYS_ADMIN is kept for one thing: trusted.overlay.* attributes can't be set without it. What else it
 * would open is closed by the allow-list. */
#ifndef KEG_STORAGE_WORKER_SANDBOX_H
#define KEG_STORAGE_WORKER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* What the new root shows: the directory `tree` itself; or, with `at`, an empty root with up to three names
 * in it. */
struct sandbox_root {
    int tree;       /* the layer; -EBADF: none */
    bool read_only; /* of tree */
    const char *at; /* "layer": where tree is; NULL: it is the root */

    /* "merged": these layers, topmost first, as one tree: read-only, or with work >= 0 writable, changes
     * going into tree. One alone, without work, is shown as it is. "below": the same without tree, read-only. */
    const int *lower;
    size_t n_lower;
    int work;   /* overlay's work directory; -EBADF: none */
    bool below; /* wanted */
};

/* The steps of sandbox_enter() for those who make the root themselves (place.c), in this order. */
/* A copy of the directory's mount and, where asked, of what is mounted below it, detached: nosuid, nodev, noexec, private.
 * From the mount namespace that the descriptor came from. */
int sandbox_clone_tree(int fd, bool recursive, bool read_only, struct err *err);
int sandbox_new_tmpfs(struct err *err);
/* Makes the namespaces and forks; only the child returns. */
int sandbox_fork(struct err *err);
/* Makes a detached mount the root, and detaches all else. */
int sandbox_pivot(int mount, struct err *err);
/* Descriptors above last_fd, limits, capabilities. The working directory is "/". */
int sandbox_confine(int last_fd, struct err *err);

/* Makes the namespaces and forks. The child returns: in the new root, with the working directory "/", without
 * root's descriptors (they are closed) and those above `last_fd`, with limits and few capabilities. The
 * parent doesn't return: it waits, and ends as the child does. */
int sandbox_enter(const struct sandbox_root *root, int last_fd, struct err *err);
/* The seccomp filter, over all threads there are by now; no more can be made. */
int sandbox_seal(struct err *err);

#endif
