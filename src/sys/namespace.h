/* The kinds of namespaces, and joining them. All return 0 or more, or -errno. */
#ifndef KEG_SYS_NAMESPACE_H
#define KEG_SYS_NAMESPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* In the order in which they are joined: the user namespace gives the privileges over the others, the mount
 * namespace changes what paths mean. To add one: a row in namespace.c, in this order. */
enum namespace_kind {
    NAMESPACE_USER,
    NAMESPACE_CGROUP,
    NAMESPACE_IPC,
    NAMESPACE_UTS,
    NAMESPACE_NETWORK,
    NAMESPACE_PID,
    NAMESPACE_TIME,
    NAMESPACE_MOUNT,
    NAMESPACE_COUNT
};

struct namespace_info {
    const char *name; /* OCI's: "network" */
    const char *file; /* below /proc/PID/ns: "net" */
    uint64_t flag;    /* CLONE_NEW… */
};

extern const struct namespace_info namespaces[NAMESPACE_COUNT];

/* By OCI's name; -EINVAL when there is none such. */
int namespace_from_name(const char *name);
/* Opens the file of a namespace and checks that it is of that kind (-EINVAL when not). */
int namespace_open(const char *path, enum namespace_kind kind);
/* That of a process of this pid namespace; 0 is the caller. */
int namespace_open_of(pid_t pid, enum namespace_kind kind);
int namespace_join(int fd, uint64_t flags);
/* Brings up the loopback device of the caller's network namespace, as a new one doesn't have it. */
int namespace_loopback_up(void);

/* Identity mappings of a user namespace. */
struct id_mapping {
    uint32_t container, host, size;
};

/* Whether the caller's user namespace is the first one, where all ids are themselves. True when /proc can't tell. */
bool namespace_user_is_initial(void);
/* Writes one of uid_map and gid_map (`file`) of a process whose user namespace is new; -EPERM when the caller may not. */
int namespace_write_map(int procfs, pid_t pid, const char *file, const struct id_mapping *map, size_t count);
/* Writes uid_map and gid_map of a process whose user namespace is new. procfs is a checked descriptor of
 * /proc (sys/procfs.h). setgroups is denied when the caller lacks CAP_SETGID, as the kernel wants. */
int namespace_write_mappings(int procfs, pid_t pid, const struct id_mapping *uids, size_t uid_count,
                             const struct id_mapping *gids, size_t gid_count);
/* A user namespace that exists only for its mappings (idmapped mounts). A descriptor of it. */
int namespace_new_user(int procfs, const struct id_mapping *uids, size_t uid_count,
                       const struct id_mapping *gids, size_t gid_count);

#endif
