/* The options of the driver "local": what is mounted on a volume's directory while containers use it. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <netdb.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "volume/volume.h"

enum { DATA_MAX = 4096, MOUNTS_MAX = 16 };

/* What of "o" is a flag; the rest is the filesystem's. To add one: a row. */
static const struct {
    const char *name;
    bool clear;
    unsigned long flag;
} flags[] = {
    {"defaults", false, 0},
    {"ro", false, MS_RDONLY},
    {"rw", true, MS_RDONLY},
    {"suid", true, MS_NOSUID},
    {"nosuid", false, MS_NOSUID},
    {"dev", true, MS_NODEV},
    {"nodev", false, MS_NODEV},
    {"exec", true, MS_NOEXEC},
    {"noexec", false, MS_NOEXEC},
    {"sync", false, MS_SYNCHRONOUS},
    {"async", true, MS_SYNCHRONOUS},
    {"dirsync", false, MS_DIRSYNC},
    {"mand", false, MS_MANDLOCK},
    {"nomand", true, MS_MANDLOCK},
    {"atime", true, MS_NOATIME},
    {"noatime", false, MS_NOATIME},
    {"diratime", true, MS_NODIRATIME},
    {"nodiratime", false, MS_NODIRATIME},
    {"relatime", false, MS_RELATIME},
    {"norelatime", true, MS_RELATIME},
    {"strictatime", false, MS_STRICTATIME},
    {"nostrictatime", true, MS_STRICTATIME},
    {"bind", false, MS_BIND},
    {"rbind", false, MS_BIND | MS_REC},
};

int volume_local_check(const json_t *options, struct err *err)
{
    static const char *const known[] = {"type", "device", "o", NULL};
    static const char *const required[] = {"device", "type"};
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)options, key, value) {
        if (str_eq(key, "size"))
            return err_set(
                err, ERR_INVALID,
                "quota size requested but no quota support: the option \"size\" needs a filesystem "
                "with project quotas; a tmpfs takes o=size=…");
        if (!strv_contains((char *const *)known, key) || !json_is_string(value))
            return err_set(err, ERR_INVALID, "invalid option: \"%s\"", key);
    }
    for (size_t i = 0; json_object_size(options) && i < ARRAY_SIZE(required); i++)
        if (!json_str(options, required[i]))
            return err_set(err, ERR_INVALID, "missing required option: \"%s\"", required[i]);
    return 0;
}

/* "addr=HOST": the kernel takes addresses only. */
static int put_address(struct buf *data, const char *host, struct err *err)
{
    struct addrinfo *found = NULL;
    char text[INET6_ADDRSTRLEN];
    int r = getaddrinfo(host, NULL, NULL, &found);

    if (r == 0)
        r = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
    if (found)
        freeaddrinfo(found);
    if (r != 0)
        return err_set(err, ERR_INVALID, "error resolving passed in network volume address: %s: %s", host,
                       gai_strerror(r));
    buf_printf(data, "addr=%s", text);
    return 0;
}

static int split_options(const char *text, unsigned long *ret_flags, struct buf *data, struct err *err)
{
    _cleanup_strv_ char **words = strv_split(text, ',');

    *ret_flags = 0;
    for (char **w = words; *w; w++) {
        size_t i = 0;

        while (i < ARRAY_SIZE(flags) && !str_eq(flags[i].name, *w))
            i++;
        if (i < ARRAY_SIZE(flags)) {
            *ret_flags = flags[i].clear ? *ret_flags & ~flags[i].flag : *ret_flags | flags[i].flag;
            continue;
        }
        if (!**w)
            continue;
        if (data->len)
            buf_putc(data, ',');
        if (!str_starts(*w, "addr="))
            buf_puts(data, *w);
        else if (put_address(data, *w + strlen("addr="), err) < 0)
            return -1;
    }
    return 0;
}

static bool is_mounted(const char *path)
{
    struct statx st;

    return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st) == 0 &&
           (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

int volume_local_mount(const json_t *options, const char *path, struct err *err)
{
    _cleanup_(buf_finish) struct buf data = BUF_INIT(DATA_MAX);
    const char *type = json_str_or(options, "type", ""), *device = json_str_or(options, "device", "");
    const unsigned long of_binds = MS_BIND | MS_REC;
    unsigned long set;
    int r;

    if (!json_object_size(options) || is_mounted(path))
        return 0;
    if (split_options(json_str_or(options, "o", ""), &set, &data, err) < 0)
        return -1;
    r = mount(device, path, set & MS_BIND ? NULL : type, set & MS_BIND ? set & of_binds : set,
              buf_str(&data));
    if (r == 0 && (set & MS_BIND) && (set & ~of_binds))
        r = mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | (set & ~of_binds), NULL);
    if (r < 0) {
        err_errno(err, errno, "failed to mount local volume: mount %s:%s, flags: 0x%lx%s%s", device, path,
                  set, data.len ? ", data: " : "", buf_str(&data));
        umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
        return -1;
    }
    return 0;
}

int volume_local_unmount(const char *path, struct err *err)
{
    for (int i = 0; i < MOUNTS_MAX && is_mounted(path); i++)
        if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
            return err_errno(err, errno, "unmount %s", path);
    return 0;
}
