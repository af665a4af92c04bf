/* EROFS images, mounted from files. */
#ifndef KEG_STORAGE_EROFS_MOUNT_H
#define KEG_STORAGE_EROFS_MOUNT_H

#include <stdbool.h>

#include "base/err.h"

/* Mounts the image file `image` read-only on the directory `target`: from the file itself (Linux 6.12), else by a loop
 * device, which goes with the mount. Needs CAP_SYS_ADMIN. */
int erofs_mount(const char *image, const char *target, struct err *err);
/* Whether an EROFS is mounted on the directory. */
bool erofs_is_mounted(const char *target);
/* Takes it away from there; whoever still uses it keeps it. What isn't mounted is left alone. */
void erofs_unmount(const char *target);
/* Whether this kernel has EROFS at all. */
bool erofs_is_known(void);

/* Makes the kernel check every read of the image file against its fs-verity digest, from now on; its file system and
 * the kernel have to know how. 0 or -errno. */
int image_enable_verity(const char *image);
/* Whether that is so. */
bool image_has_verity(int fd);

#endif
