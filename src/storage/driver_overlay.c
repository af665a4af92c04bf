/* The overlay driver. Layers are directories in overlay's own form, and the runtime mounts them, so there is little
 * here. What would make an upper directory more than a plain tree of changes (metacopy, redirects, the index) is
 * switched off at every mount, whatever the module's defaults are. */
#include "base/str.h"
#include "storage/internal.h"

/* Opaque directories need trusted.* attributes, and another overlay can't hold an upper directory. */
static int overlay_probe(struct storage *s, struct err *err)
{
    const char *on = filesystem_name(s->layers_fd);
    int r;

    if (str_eq(on, "overlayfs") || str_eq(on, "nfs"))
        return err_set(err, ERR_INVALID,
                       "the overlay driver can't keep layers on %s: choose a data root on ext4, xfs or btrfs",
                       on);
    r = driver_probe_overlay_form(s);
    if (r == -EROFS || r == -ENOSPC || r == -EDQUOT)
        return err_errno(err, r, "cannot write to the data root");
    return r < 0 ? err_errno(err, r, "the overlay driver needs trusted extended attributes on the data root")
                 : 0;
}

static void overlay_status(const struct storage *s, char ***rows)
{
    const char *const texts[] = {
        "Backing Filesystem",  filesystem_name(s->layers_fd),
        "Supports d_type",     "true",
        "Using metacopy",      "false",
        "Native Overlay Diff", "true",
        "userxattr",           "false",
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        strv_push(rows, texts[i]);
}

static const char *const overlay_names[] = {"overlay2", "overlay", NULL};

const struct storage_driver overlay_driver = {
    .name = "overlay2",
    .names = overlay_names,
    .probe = overlay_probe,
    .status = overlay_status,
    .limit = driver_limit_layered,
};
