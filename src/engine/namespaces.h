/* Whose namespaces a container gets, and the files that come with them: resolved at each start, because other containers
 * may have started anew since. */
#ifndef KEG_ENGINE_NAMESPACES_H
#define KEG_ENGINE_NAMESPACES_H

#include "engine/container.h"
#include "engine/oci.h"

struct namespaces {
    struct oci_namespace_choice choices[OCI_NS_COUNT];
    char *hostname;
    char *hosts_file, *hostname_file, *resolv_file;
    char *shm_dir; /* NULL: the container has its own */
};

/* Also writes the container's files, and mounts the directory behind a shareable /dev/shm. ERR_CONFLICT when another
 * container that is needed isn't running. */
int namespaces_resolve(struct container *c, struct namespaces *ret, struct err *err);
void namespaces_finish(struct namespaces *n);
/* What resolve left on the host for this container; also after its end. */
void namespaces_release(struct container *c);
/* The "network" member of the monitor's start request. */
const char *namespaces_network_word(const struct namespaces *n);

#endif
