/* What sys/mount.h does, with mount(2). For mount.c only: same contracts. */
#ifndef KEG_SYS_MOUNT_LEGACY_H
#define KEG_SYS_MOUNT_LEGACY_H

#include "sys/mount.h"

int mount_legacy_place(const struct mount_request *request);
int mount_legacy_set(int mount, uint64_t set, uint64_t clear, unsigned long propagation, bool recursive);

#endif
