/* Who the process is: descriptors, ids, directory, capabilities, seccomp. */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "runtime/init/init.h"
#include "sys/procfs.h"
#include "sys/pty.h"

/* A pipe belongs to the user of the process, who may want to open it again as /dev/stdout. */
static void give_pipe(int fd, uid_t uid, gid_t gid)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) || st.st_uid == uid)
        return;
    if (fchown(fd, uid, gid) < 0)
        return; /* somebody else's pipe still works as it is */
}

/* The host's null device is the container's own instead, where it has one: then all that the process has open is inside, and
 * can be told by a path of its own (for a checkpoint). */
static void take_own_null(int fd)
{
    _cleanup_close_ int own = -EBADF;
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
        return;
    own = open("/dev/null", O_RDWR | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    if (own >= 0 && fstat(own, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
        dup2(own, fd);
}

int process_set_stdio(const struct spec_process *p, const int stdio[3], int slave, struct err *err)
{
    int copies[3];

    if (slave >= 0) {
        int result = pty_control(slave);

        if (result < 0)
            return err_errno(err, result, "make the terminal controlling");
    }
    for (int i = 0; i < 3; i++) { /* out of the way first: a source may be 0, 1 or 2 itself */
        int source = slave >= 0 ? slave : stdio[i];

        copies[i] = source < 0 ? -EBADF : fcntl(source, F_DUPFD_CLOEXEC, 3);
        if (source >= 0 && copies[i] < 0)
            return err_errno(err, errno, "duplicate descriptor %d", source);
    }
    for (int i = 0; i < 3; i++) {
        if (copies[i] >= 0 && dup2(copies[i], i) < 0)
            return err_errno(err, errno, "set descriptor %d", i);
        if (copies[i] >= 0)
            close(copies[i]);
        take_own_null(i);
        if (p->uid)
            give_pipe(i, p->uid, p->gid);
    }
    return 0;
}

int process_new_keyring(const char *id, struct err *err)
{
    _cleanup_free_ char *name = xasprintf("_ses.%s", id);

    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) >= 0 || errno == ENOSYS)
        return 0;
    return err_errno(err, errno, "join a new session keyring (kernel.keys.maxkeys may be too low)");
}

int process_set_identity(const struct spec_process *p, struct err *err)
{
    int result = capability_drop_bounding(p->capabilities.bounding);

    if (result == 0)
        result = capability_keep();
    if (result < 0)
        return err_errno(err, result, "limit capabilities");
    if (!p->keep_groups && setgroups(p->group_count, p->groups) < 0 &&
        !(errno == EPERM && p->group_count == 0))
        return err_errno(err, errno, "set the %zu additional groups", p->group_count);
    if (process_set_rlimits(p, /* of_user= */ true, err) < 0)
        return -1;
    if (setresgid(p->gid, p->gid, p->gid) < 0)
        return err_errno(err, errno, "become group %u", p->gid);
    if (setresuid(p->uid, p->uid, p->uid) < 0)
        return err_errno(err, errno, "become user %u", p->uid);
    if (p->umask >= 0)
        umask((mode_t)p->umask);
    return 0;
}

/* /proc/self/fd and the like are refused by the way of opening; that the result lies inside the root, by
 * asking the kernel for its path. */
int process_set_directory(const struct spec_process *p, struct err *err)
{
    _cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = root < 0 ? -errno : path_open_in_root(root, p->cwd, O_PATH | O_DIRECTORY, 0);
    char cwd[4096], text[100];
    int result = fd < 0 ? fd : fchdir(fd) < 0 ? -errno : 0;

    if (result < 0) /* the exit status is as if the program were missing, or couldn't be executed */
        return err_set(err, result == -ENOENT ? ERR_NO_PROGRAM : ERR_CANNOT_INVOKE,
                       "chdir to cwd (\"%s\") set in config.json failed: %s", p->cwd,
                       process_reason(-result, text, sizeof(text)));
    if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0 || *cwd != '/')
        return err_set(err, ERR_INVALID, "the working directory \"%s\" is outside of the container's root",
                       p->cwd);
    return 0;
}

int process_set_label(const struct spec_process *p, int procfs, struct err *err)
{
    int result;

    if (!str_empty(p->selinux_label)) {
        result = procfs_write(procfs, "self/attr/exec", p->selinux_label);
        if (result < 0)
            return err_errno(err, result, "set the SELinux label %s", p->selinux_label);
    }
    /* its lack is a warning: runtime_process_warnings() */
    if (!str_empty(p->apparmor_profile) && !str_eq(p->apparmor_profile, "unconfined") &&
        procfs_has_apparmor(procfs)) {
        _cleanup_free_ char *text = xasprintf("exec %s", p->apparmor_profile);

        result = procfs_write(procfs, "self/attr/apparmor/exec", text);
        if (result == -ENOENT)
            result = procfs_write(procfs, "self/attr/exec", text);
        if (result < 0)
            return err_errno(err, result,
                             "set the AppArmor profile %s (is AppArmor enabled, the profile loaded?)",
                             p->apparmor_profile);
    }
    return 0;
}

/* Without no_new_privs the kernel wants CAP_SYS_ADMIN of whoever installs a filter, and the filter may forbid to give
 * it up afterwards. So it is kept beyond what the process is to have, until execve(), which makes the new sets from
 * the bounding, inheritable and ambient ones alone (capabilities(7)): these are final by then. */
static struct capability_sets sets_for_filter(const struct spec_process *p)
{
    struct capability_sets sets = p->capabilities;

    if (!p->no_new_privileges) {
        sets.permitted |= CAPABILITY_BIT(CAP_SYS_ADMIN);
        sets.effective |= CAPABILITY_BIT(CAP_SYS_ADMIN);
    }
    return sets;
}

int process_confine(const struct spec_process *p, const struct seccomp_filter *filter, int sync,
                    struct err *err)
{
    struct capability_sets sets = filter ? sets_for_filter(p) : p->capabilities;
    int result;

    if (process_set_rlimits(p, /* of_user= */ false, err) < 0)
        return -1;
    if (p->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(err, errno, "set no_new_privs");
    result = capability_apply(&sets, NULL);
    if (result < 0)
        return err_errno(err, result, "set capabilities");
    return filter ? process_install_filter(filter, sync, err) : 0;
}
