/* Namespaces: the table, joining, identity mappings. */
#include "sys/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

const struct namespace_info namespaces[NAMESPACE_COUNT] = {
    [NAMESPACE_USER] = {"user", "user", CLONE_NEWUSER},
    [NAMESPACE_CGROUP] = {"cgroup", "cgroup", CLONE_NEWCGROUP},
    [NAMESPACE_IPC] = {"ipc", "ipc", CLONE_NEWIPC},
    [NAMESPACE_UTS] = {"uts", "uts", CLONE_NEWUTS},
    [NAMESPACE_NETWORK] = {"network", "net", CLONE_NEWNET},
    [NAMESPACE_PID] = {"pid", "pid", CLONE_NEWPID},
    [NAMESPACE_TIME] = {"time", "time", CLONE_NEWTIME},
    [NAMESPACE_MOUNT] = {"mount", "mnt", CLONE_NEWNS},
};

int namespace_from_name(const char *name)
{
    for (int i = 0; i < NAMESPACE_COUNT; i++)
        if (str_eq(namespaces[i].name, name))
            return i;
    return -EINVAL;
}

int namespace_open(const char *path, enum namespace_kind kind)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int type;

    if (fd < 0)
        return -errno;
    type = ioctl(fd, NS_GET_NSTYPE);
    if (type < 0 || (uint64_t)type != namespaces[kind].flag)
        return -EINVAL;
    return take_fd(&fd);
}

int namespace_open_of(pid_t pid, enum namespace_kind kind)
{
    char path[48];

    if (pid)
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, namespaces[kind].file);
    else
        snprintf(path, sizeof(path), "/proc/self/ns/%s", namespaces[kind].file);
    return namespace_open(path, kind);
}

int namespace_join(int fd, uint64_t flags)
{
    return setns(fd, (int)flags) < 0 ? -errno : 0;
}

int namespace_loopback_up(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0 ? -errno : 0;
}

bool namespace_user_is_initial(void)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(65536);
    unsigned inside, outside, size;

    if (file_read(AT_FDCWD, "/proc/self/uid_map", &text) < 0)
        return true;
    return sscanf(buf_str(&text), "%u %u %u", &inside, &outside, &size) != 3 ||
           (inside == 0 && outside == 0 && size == UINT32_MAX);
}

int namespace_write_map(int procfs, pid_t pid, const char *file, const struct id_mapping *map, size_t count)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(65536);
    char path[48];

    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%u %u %u\n", map[i].container, map[i].host, map[i].size);
    if (buf_failed(&text))
        return text.error;
    snprintf(path, sizeof(path), "%d/%s", pid, file);
    return procfs_write(procfs, path, buf_str(&text));
}

int namespace_write_mappings(int procfs, pid_t pid, const struct id_mapping *uids, size_t uid_count,
                             const struct id_mapping *gids, size_t gid_count)
{
    char path[48];
    int r = uid_count ? namespace_write_map(procfs, pid, "uid_map", uids, uid_count) : 0;

    if (r < 0 || !gid_count)
        return r;
    r = namespace_write_map(procfs, pid, "gid_map", gids, gid_count);
    if (r != -EPERM)
        return r;
    snprintf(path, sizeof(path), "%d/setgroups",
             pid); /* without CAP_SETGID the kernel wants groups frozen first */
    r = procfs_write(procfs, path, "deny");
    return r < 0 ? r : namespace_write_map(procfs, pid, "gid_map", gids, gid_count);
}

int namespace_new_user(int procfs, const struct id_mapping *uids, size_t uid_count,
                       const struct id_mapping *gids, size_t gid_count)
{
    _cleanup_close_ int pidfd = -EBADF;
    pid_t pid = process_clone(CLONE_NEWUSER, -EBADF, &pidfd);
    int fd;

    if (pid < 0)
        return (int)pid;
    if (pid == 0)
        for (;;) /* only holds the namespace; is killed below */
            pause();
    fd = namespace_write_mappings(procfs, pid, uids, uid_count, gids, gid_count);
    if (fd == 0)
        fd = namespace_open_of(pid, NAMESPACE_USER);
    pidfd_signal(pidfd, SIGKILL);
    pidfd_reap(pidfd, /* hang= */ true, NULL);
    return fd;
}
