/* Whether a bind can be what it is asked to be: shared or slave takes a mount on the host that is shared. */
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/mounts.h"

/* The fields of a line of mountinfo up to its dash: "36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/root rw". */
enum { FIELD_ID = 0, FIELD_POINT = 4, FIELD_TAGS = 6 };

/* Tags of the mount that `path` is on, as "shared:1 master:2"; the caller frees both. False: it can't be told. */
static bool find_mount(const char *path, char **ret_point, char **ret_tags)
{
    struct statx st;
    _cleanup_free_ char *line = NULL;
    size_t size = 0;
    bool found = false;
    if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
        return false;
    FILE *f = fopen("/proc/thread-self/mountinfo", "re");
    while (f && !found && getline(&line, &size, f) > 0) {
        _cleanup_strv_ char **fields = strv_split(line, ' ');
        char *dash = strstr(line, " - ");
        size_t n = strv_len(fields);
        found = dash && n > FIELD_TAGS && strtoull(fields[FIELD_ID], NULL, 10) == st.stx_mnt_id;
        if (!found)
            continue;
        *dash = '\0';
        char *tags = line;
        for (size_t i = 0; i < FIELD_TAGS && tags; i++)
            tags = strchr(tags, ' ') ? strchr(tags, ' ') + 1 : NULL;
        *ret_tags = xstrdup(tags && !str_eq(tags, "-") ? tags : "");
        *ret_point = xstrdup(fields[FIELD_POINT]);
    }
    if (f)
        fclose(f);
    return found;
}

int mounts_check_propagation(const json_t *m, struct err *err)
{
    const char *asked = json_str_or(m, "Propagation", ""), *source = json_str_or(m, "Source", "");
    bool shared = str_ends(asked, "shared"), slave = str_ends(asked, "slave");
    _cleanup_free_ char *point = NULL, *tags = NULL;
    /* Ours is a slave of the host's namespace: what is shared there has a master here. */
    if (!(shared || slave) || !find_mount(source, &point, &tags) || strstr(tags, "shared:") ||
        strstr(tags, "master:"))
        return 0;
    return err_set(err, ERR_INVALID, "path %.512s is mounted on %.512s but it is not a shared%s mount",
                   source, point, slave ? " or slave" : "");
}
