/* The vfs driver. Layers are directories, as overlay's are; each container has a whole copy of its image: slow and
 * large, but a plain directory, on which nothing is mounted. */
#include "base/str.h"
#include "storage/internal.h"
#include "storage/whole.h"

static int vfs_probe(struct storage *s, struct err *err)
{
    int r = driver_probe_overlay_form(s);

    return r < 0 ? err_errno(err, r,
                             "the vfs driver needs device nodes and trusted extended attributes on the data "
                             "root (%s)",
                             filesystem_name(s->layers_fd))
                 : 0;
}

static void vfs_status(const struct storage *s, char ***rows)
{
    strv_push(rows, "Backing Filesystem");
    strv_push(rows, filesystem_name(s->layers_fd));
}

static int vfs_root_make(struct storage *s, int dir, const char *top, struct err *err)
{
    _cleanup_strv_ char **origin = NULL;

    return whole_origin(s, top, &origin, err) < 0 ? -1 : whole_copy(s, &origin, dir, "root", err);
}

static const char *const vfs_names[] = {"vfs", NULL};

const struct storage_driver vfs_driver = {
    .name = "vfs",
    .names = vfs_names,
    .probe = vfs_probe,
    .status = vfs_status,
    .root_make = vfs_root_make,
};
