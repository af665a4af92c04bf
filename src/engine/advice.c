/* What can be done about a data root that takes no more. */
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "engine/internal.h"
#include "engine/system.h"

/* With less than that a disk is called full: what was half-made has just been removed again. */
enum { ROOM_LITTLE = 64 << 20, INODES_FEW = 64 };

#define MAKE_ROOM "\"keg system df\" shows what takes it, \"keg system prune\" frees what isn't used"

/* Also one whose kernel has stopped writing after an error, which no flag tells. */
static bool is_read_only(const char *data)
{
    _cleanup_close_ int fd = open(data, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    return fd < 0 && errno == EROFS;
}

static void advise_full(const char *data, struct err *err)
{
    struct statvfs st;

    if (statvfs(data, &st) < 0)
        return;
    if (st.f_files > 0 && st.f_favail < INODES_FEW)
        err_add(err, "the file system of %s has no inodes left: make room: " MAKE_ROOM, data);
    else if ((double)st.f_bavail * (double)st.f_frsize < ROOM_LITTLE)
        err_add(err, "the disk of %s is full: " MAKE_ROOM, data);
}

void engine_advise(const struct engine *e, struct err *err)
{
    const char *data = e->options.data_root;

    if (err->errnum == ENOSPC)
        advise_full(data, err);
    else if (err->errnum == EDQUOT)
        err_add(err, "the quota for %s is used up: raise it, or make room: " MAKE_ROOM, data);
    else if (err->errnum == EROFS && is_read_only(data))
        err_add(err, "%s is read-only: mount it for writing; the kernel's log says if an error made it so",
                data);
}
