/* What can be done about a data root that takes no more. */
#include <errno.h>
#include <sys/statvfs.h>

#include "base/str.h"
#include "engine/internal.h"
#include "engine/system.h"

enum {
    ROOM_LITTLE = 64 << 20
}; /* with less room than that a disk is called full: something has just been removed again */

#define MAKE_ROOM "\"keg system df\" shows what takes it, \"keg system prune\" frees what isn't used"

void engine_advise(const struct engine *e, struct err *err)
{
    const char *data = e->options.data_root;
    struct statvfs st;

    if ((err->errnum != ENOSPC && err->errnum != EDQUOT && err->errnum != EROFS) || statvfs(data, &st) < 0)
        return;
    if (err->errnum == EDQUOT)
        err_add(err, "the quota for %s is used up: raise it, or make room: " MAKE_ROOM, data);
    else if (st.f_flag & ST_RDONLY)
        err_add(err,
                "%s is mounted read-only: mount it for writing (the kernel's log says if it had to be made "
                "read-only)",
                data);
    else if (err->errnum == ENOSPC && st.f_files > 0 && st.f_favail == 0)
        err_add(err, "the file system of %s has no inodes left: remove files, " MAKE_ROOM, data);
    else if (err->errnum == ENOSPC && (double)st.f_bavail * (double)st.f_frsize < ROOM_LITTLE)
        err_add(err, "the disk of %s is full: " MAKE_ROOM, data);
}
