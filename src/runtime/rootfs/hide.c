/* Without pivot_root(2) the host's mounts stay in the container's mount namespace, beneath its root. Nobody gets at them, but
 * the kernel lets a user namespace mount procfs and sysfs anew where a whole one is already: none may be left. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/rootfs/rootfs.h"
#include "sys/procfs.h"

/* The fields of proc_pid_mountinfo(5) that matter here. */
struct mount_line {
    unsigned long id, parent;
    char *place;
    bool whole; /* a procfs or sysfs from its root on */
};

struct mount_table {
    struct mount_line *lines;
    size_t count;
};

static void table_finish(struct mount_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->lines[i].place);
    free(t->lines);
}

/* "\040" and the like. */
static void unescape(char *s)
{
    char *to = s;

    for (; *s; s++, to++) {
        unsigned n = s[0] == '\\' ? (unsigned)(s[1] - '0') : 8;

        *to = *s;
        if (n > 3 || s[2] < '0' || s[2] > '7' || s[3] < '0' || s[3] > '7')
            continue;
        *to = (char)(n << 6 | (unsigned)(s[2] - '0') << 3 | (unsigned)(s[3] - '0'));
        s += 3;
    }
    *to = '\0';
}

static bool line_parse(const char *text, struct mount_line *ret)
{
    enum { ID, PARENT, DEVICE, ROOT, PLACE, FIELDS_MIN };
    _cleanup_strv_ char **fields = strv_split(text, ' ');
    size_t dash = FIELDS_MIN, n = strv_len(fields);

    while (dash < n && !str_eq(fields[dash], "-"))
        dash++;
    if (dash + 1 >= n)
        return false;
    ret->id = strtoul(fields[ID], NULL, 10);
    ret->parent = strtoul(fields[PARENT], NULL, 10);
    ret->place = xstrdup(fields[PLACE]);
    unescape(ret->place);
    ret->whole =
        str_eq(fields[ROOT], "/") && (str_eq(fields[dash + 1], "proc") || str_eq(fields[dash + 1], "sysfs"));
    return true;
}

static int table_read(int procfs, struct mount_table *ret)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(64 << 20);
    _cleanup_close_ int fd = procfs_open_file(procfs, "self/mountinfo", O_RDONLY);
    _cleanup_strv_ char **lines = NULL;
    int result = fd < 0 ? fd : fd_read_all(fd, &text);

    if (result < 0)
        return result;
    lines = strv_split(buf_str(&text), '\n');
    ret->lines = xcalloc(strv_len(lines) + 1, sizeof(*ret->lines));
    for (char **line = lines; *line; line++)
        ret->count += line_parse(*line, &ret->lines[ret->count]);
    return 0;
}

static bool is_below(const struct mount_table *t, unsigned long id, unsigned long above)
{
    for (size_t steps = 0; id != above && steps <= t->count; steps++) {
        size_t i = 0;

        while (i < t->count && t->lines[i].id != id)
            i++;
        if (i == t->count)
            return false;
        id = t->lines[i].parent;
    }
    return id == above;
}

/* What can't be unmounted, as it came with another user namespace's mounts, is covered. */
static int hide(const char *place)
{
    if (umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        return 0;
    if (errno != EINVAL && errno != EPERM)
        return errno == ENOENT ? 0 : -errno; /* it went with a mount above it */
    if (mount("tmpfs", place, "tmpfs", MS_RDONLY, "size=4k") < 0 && errno != ENOENT)
        return -errno;
    return 0;
}

int rootfs_hide_host(struct rootfs *r, struct err *err)
{
    _cleanup_(table_finish) struct mount_table table = {0};
    struct statx stx;
    int result = table_read(r->procfs, &table);

    if (result < 0)
        return err_errno(err, result, "read /proc/self/mountinfo");
    if (statx(r->root, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
        return err_errno(err, errno, "find the mount of the root filesystem");
    for (size_t i = 0; i < table.count; i++) {
        const struct mount_line *line = &table.lines[i];

        if (!line->whole || is_below(&table, line->id, stx.stx_mnt_id))
            continue;
        result = hide(line->place);
        if (result < 0)
            return err_errno(err, result, "take away the host's %s, which --no-pivot would leave",
                             line->place);
    }
    return 0;
}
