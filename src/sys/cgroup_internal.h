/* What the cgroup_*.c files share. Nobody else includes this, but for the unit tests. */
#ifndef KEG_SYS_CGROUP_INTERNAL_H
#define KEG_SYS_CGROUP_INTERNAL_H

#include "sys/cgroup.h"

/* To add a controller: a bit here and its row in cgroup_layout.c. */
enum cgroup_controller {
    CTL_CPU = 1 << 0,
    CTL_CPUACCT = 1 << 1,
    CTL_CPUSET = 1 << 2,
    CTL_MEMORY = 1 << 3,
    CTL_DEVICES = 1 << 4,
    CTL_FREEZER = 1 << 5,
    CTL_IO = 1 << 6, /* v1: blkio */
    CTL_PIDS = 1 << 7,
    CTL_HUGETLB = 1 << 8,
    CTL_NET_CLS = 1 << 9,
    CTL_NET_PRIO = 1 << 10,
    CTL_RDMA = 1 << 11,
    CTL_PERF_EVENT = 1 << 12,
    CTL_MISC = 1 << 13,
};

enum { CGROUP_TREES_MAX = 16, CGROUP_PROCS_CHUNK = 4096 };

/* One hierarchy as found on the host. */
struct cgroup_tree {
    struct cgroup_hierarchy info;
    unsigned controllers; /* enum cgroup_controller */
    int fd;               /* the mount point's directory */
};

/* Where v2_vacate() puts the processes of a cgroup that is to have children with controllers. */
#define CGROUP_LEAF "keg.leaf"

struct cgroup_layout {
    enum cgroup_mode mode;
    size_t count;
    struct cgroup_tree trees[CGROUP_TREES_MAX];
    struct cgroup_hierarchy infos[CGROUP_TREES_MAX]; /* the same infos in one row, for the public side */
};

struct cgroup {
    char *path;                  /* as given */
    char *rel[CGROUP_TREES_MAX]; /* below the tree's mount point, no leading slash; NULL where it isn't */
    int fd[CGROUP_TREES_MAX];    /* directories; -EBADF where it isn't */
    int join[CGROUP_TREES_MAX];  /* where a single-threaded process writes "0" to join; -EBADF before prepare
                                  */
    bool lenient;                /* hierarchies that refuse are left out */
    char *unit, *slice;          /* systemd's, which makes and removes the cgroup; NULL without it */
    bool unit_started;           /* it is there, and ours */
    bool user_manager;           /* it is the user's own systemd that does */
    bool is_new[CGROUP_TREES_MAX]; /* made by this handle, so removed when making the rest fails */
};

/* A handle without directories. */
struct cgroup *cgroup_new(const char *path);
/* Leaves out of the handle what it hasn't made: that is somebody else's, and not to be removed with it. */
void cgroup_disown(struct cgroup *cg);

/* The host's layout, found once. */
const struct cgroup_layout *cgroup_layout(void);
/* Tests: a directory that poses as a pure v2 mount with these controllers. NULL goes back to the host's. */
void cgroup_layout_pretend_v2(const char *root);
/* Finds mounts below `root` by their filesystem types, or in the text of a mountinfo file. 0 or -errno. */
int cgroup_layout_probe(const char *root, struct cgroup_layout *ret);
int cgroup_layout_parse_mountinfo(const char *text, struct cgroup_layout *ret);
void cgroup_layout_finish(struct cgroup_layout *l);
/* "memory" → CTL_MEMORY; 0 for an unknown name. "blkio" and "io" are the same. */
unsigned cgroup_controller_from_name(const char *name, size_t len);
/* The v2 name of one controller ("memory", "io"); its v1 name if v2 has none. */
const char *cgroup_controller_name(unsigned controller);
/* Bits of a blank-separated list, as in cgroup.controllers. */
unsigned cgroup_controllers_from_text(const char *text);
/* The cgroup of a process (0: the caller) in a tree as /proc has it, without leading slash. 0 or -errno; the caller frees. */
int cgroup_path_of(const struct cgroup_tree *tree, pid_t pid, char **ret);
/* The caller's own cgroup in a tree, as seen from its mount, without leading slash. 0 or -errno; the caller frees. */
int cgroup_own_path(const struct cgroup_tree *tree, char **ret);

/* The index of the tree that has a controller and in which cg exists, or -1. */
int cgroup_tree_of(const struct cgroup *cg, unsigned controller);
/* The index of the v2 tree, if cg is in it, or -1. */
int cgroup_tree_v2(const struct cgroup *cg);

/* The processes of the directory dir/name and those below it; none when it isn't there. 0 or -errno; the caller frees. */
int cgroup_pids_below(int dir, const char *name, pid_t **ret_pids, size_t *ret_count);
/* v1: thaws the groups in which the processes of cg are, which may be others than its own: in a frozen one not even SIGKILL
 * ends them. */
void cgroup_v1_thaw_all(struct cgroup *cg);
/* v2: enables every controller for the directory tree/rel, along the path. */
void cgroup_v2_enable(const struct cgroup_tree *tree, const char *rel, int fd);
/* v1: fills cpuset.cpus and cpuset.mems of tree/rel from its parents where they are empty. 0 or -errno. */
int cgroup_v1_seed_cpuset(const struct cgroup_tree *tree, const char *rel, int fd);

/* OCI's numbers, which are v1's, as v2 has them: shares 2…262144 as 1…10000, block I/O weight 10…1000 as 1…10000, and swap
 * without the memory that OCI counts with it (ERR_INVALID without a limit of the memory). */
int64_t cgroup_weight_from_shares(int64_t shares);
int64_t cgroup_weight_from_blkio(int64_t weight);
int cgroup_swap_alone(int64_t limit, int64_t swap, int64_t *ret, struct err *err);

/* Small files below a directory descriptor. */
/* Reads up to size-1 bytes, NUL-terminated, trailing newline cut. Bytes read or -errno. */
ssize_t cgroup_read(int dirfd, const char *file, char *buf, size_t size);
/* One number; "max" is UINT64_MAX. 0 or -errno. */
int cgroup_read_u64(int dirfd, const char *file, uint64_t *ret);
/* The number behind "key " at the start of a line; `otherwise` when there is none. */
uint64_t cgroup_text_value(const char *text, const char *key, uint64_t otherwise);
/* The next "d" entry of a directory that isn't dot: calls fn(arg, dirfd, name) for each subdirectory; stops
 * at < 0. */
int cgroup_each_child(int dirfd, int (*fn)(void *arg, int dirfd, const char *name), void *arg);

#endif
