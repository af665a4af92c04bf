/* Project quotas and btrfs's qgroups. */
#include "storage/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Ids that people give projects by hand are small. */
enum { PROJECT_FIRST = 0x10000000, PROJECT_BITS = 0x3fffffff, ATTEMPTS = 100, BLOCK = 512 };

/* quotactl(2) on what fd is on (Linux 5.14), as the C library doesn't have it yet. */
static int quota_call(int fd, int command, uint32_t id, void *data)
{
    return syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), id, data) < 0 ? -errno : 0;
}

/* ---- projects ---- */

int quota_projects_available(int fd)
{
    struct fs_quota_statv state = {.qs_version = FS_QSTATV_VERSION1};
    struct fsxattr attributes;

    if (quota_call(fd, Q_XGETQSTATV, 0, &state) < 0 || !(state.qs_flags & FS_QUOTA_PDQ_ENFD))
        return -EOPNOTSUPP;
    return ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0 ? -EOPNOTSUPP : 0;
}

static int set_limit(int fd, uint32_t project, uint64_t bytes)
{
    struct fs_disk_quota limit = {
        .d_version = FS_DQUOT_VERSION,
        .d_flags = FS_PROJ_QUOTA,
        .d_fieldmask = FS_DQ_BHARD | FS_DQ_BSOFT,
        .d_id = project,
        .d_blk_hardlimit = (bytes + BLOCK - 1) / BLOCK,
        .d_blk_softlimit = (bytes + BLOCK - 1) / BLOCK,
    };

    return quota_call(fd, Q_XSETQLIM, project, &limit);
}

/* Nobody has anything in it, nor a limit: so no other store on the same file system has chosen it. */
static bool is_free(int fd, uint32_t project)
{
    struct fs_disk_quota quota = {0};
    int r = quota_call(fd, Q_XGETQUOTA, project, &quota);

    return r == -ENOENT || r == -ESRCH ||
           (r == 0 && quota.d_bcount == 0 && quota.d_icount == 0 && quota.d_blk_hardlimit == 0);
}

static int choose_project(int fd, uint32_t *ret)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        if (getrandom(ret, sizeof(*ret), 0) != sizeof(*ret))
            return -EAGAIN;
        *ret = PROJECT_FIRST + (*ret & PROJECT_BITS);
        if (is_free(fd, *ret))
            return 0;
    }
    return -EAGAIN;
}

static int open_below(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* 0: none of ours. */
static uint32_t project_of(int dir, const char *name)
{
    _cleanup_close_ int fd = open_below(dir, name);
    struct fsxattr attributes;

    if (fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0 ||
        !(attributes.fsx_xflags & FS_XFLAG_PROJINHERIT) || attributes.fsx_projid < PROJECT_FIRST)
        return 0;
    return attributes.fsx_projid;
}

static int put_into(int dir, const char *name, uint32_t project)
{
    _cleanup_close_ int fd = open_below(dir, name);
    struct fsxattr attributes;

    if (fd < 0)
        return fd;
    if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
        return -errno;
    attributes.fsx_projid = project;
    attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
    return ioctl(fd, FS_IOC_FSSETXATTR, &attributes) < 0 ? -errno : 0;
}

int quota_project_make(int dir, const char *const *names, size_t n, uint64_t bytes)
{
    uint32_t project = n ? project_of(dir, names[0]) : 0; /* one that is mended keeps its own */
    int r = quota_projects_available(dir);

    if (r == 0 && !project)
        r = choose_project(dir, &project);
    if (r == 0)
        r = set_limit(dir, project, bytes);
    for (size_t i = 0; i < n && r == 0; i++)
        r = put_into(dir, names[i], project);
    return r;
}

int quota_project_join(int dir, const char *from, const char *to)
{
    uint32_t project = project_of(dir, from);

    return project ? put_into(dir, to, project) : 0;
}

void quota_project_end(int dir, const char *name)
{
    uint32_t project = project_of(dir, name);

    if (project)
        (void)set_limit(dir, project, 0);
}

/* ---- qgroups ---- */

int quota_subvolume_limit(int subvolume, uint64_t bytes)
{
    struct btrfs_ioctl_quota_ctl_args on = {.cmd = BTRFS_QUOTA_CTL_ENABLE};
    struct btrfs_ioctl_qgroup_limit_args limit = {
        .lim = {.flags = BTRFS_QGROUP_LIMIT_MAX_RFER, .max_rfer = bytes}};

    if (ioctl(subvolume, BTRFS_IOC_QUOTA_CTL, &on) < 0)
        return -errno;
    if (ioctl(subvolume, BTRFS_IOC_QUOTA_RESCAN_WAIT) < 0) /* what is there already has to be counted first */
        return -errno;
    return ioctl(subvolume, BTRFS_IOC_QGROUP_LIMIT, &limit) < 0 ? -errno : 0;
}
