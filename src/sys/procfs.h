/* /proc, written through a descriptor whose filesystem was checked: no symlink, mount or other filesystem
 * between. */
#ifndef KEG_SYS_PROCFS_H
#define KEG_SYS_PROCFS_H

#include <stdbool.h>

/* Opens the host's /proc; -ELOOP when that is no procfs. */
int procfs_open(void);
/* Opens a file of it ("self" is followed, nothing else). -errno. */
int procfs_open_file(int procfs, const char *path, int flags);
/* One write() to an existing file. 0 or -errno. */
int procfs_write(int procfs, const char *path, const char *value);
/* Whether the kernel has AppArmor in force. Asked of procfs, as a container's /sys could say anything. */
bool procfs_has_apparmor(int procfs);

#endif
