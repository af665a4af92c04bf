/* How much a container's own layer may take, by the quotas of the file system that the data root is on.
 *
 *   projects  ext4 and xfs, mounted with project quotas: the layer's directories get a project id of their own, which all that is
 *             made in them inherits, and that project a limit
 *   qgroups   btrfs: the container's subvolume gets a limit, quotas are turned on for the file system if they weren't
 *
 * -EOPNOTSUPP where the file system has no such quotas, or isn't mounted with them. All return 0 or -errno. */
#ifndef KEG_STORAGE_QUOTA_H
#define KEG_STORAGE_QUOTA_H

#include <stddef.h>
#include <stdint.h>

/* Whether project quotas are enforced where fd is. */
int quota_projects_available(int fd);
/* Puts the empty directories `names` (n of them) below `dir` into one project with a limit of `bytes`: a new one, unless the first
 * is in one already. */
int quota_project_make(int dir, const char *const *names, size_t n, uint64_t bytes);
/* The same project for a directory that takes another one's place. 0 also where `from` is in none. */
int quota_project_join(int dir, const char *from, const char *to);
/* Takes the limit off the project that `name` below `dir` is in, if it is in one of ours; before it is removed. */
void quota_project_end(int dir, const char *name);

/* `subvolume` is its root's descriptor. */
int quota_subvolume_limit(int subvolume, uint64_t bytes);

#endif
