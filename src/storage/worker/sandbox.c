/* Shuts the worker in; sandbox.h tells the order and why. */
#include "storage/worker/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/overlay.h"
#include "storage/worker/protocol.h"
#include "storage/worker/worker.h"

enum { FD_LIMIT = 4096, ADDRESS_SPACE_GIB = 2 };

/* Sanitizers need terabytes of address space, and system calls of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

/* ---- Namespaces ---- */

/* Nobody reads the report any more: kegd has died, and whoever starts next sweeps what was being made. The child must
 * not go on writing into it. */
static void await_end_or_orphaning(pid_t child)
{
    _cleanup_close_ int pidfd = pidfd_open(child, 0);
    struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN}, {.fd = WORKER_FD_REPORT}};

    while (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno == EINTR)
        ;
    if (fds[1].revents)
        kill(child, SIGKILL);
}

static _noreturn_ void await_child(pid_t child)
{
    int status;

    close_range(0, WORKER_FD_REPORT - 1, 0);
    close_range(WORKER_FD_REPORT + 1, ~0U, 0);
    await_end_or_orphaning(child);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status)) {
        const struct rlimit no_core = {0, 0};

        setrlimit(RLIMIT_CORE, &no_core);
        signal(WTERMSIG(status), SIG_DFL);
        kill(getpid(), WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128);
}

int sandbox_fork(struct err *err)
{
    pid_t child;

    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return err_errno(err, errno, "cannot make namespaces for the layer worker");
    child = fork();
    if (child < 0)
        return err_errno(err, errno, "cannot fork the layer worker");
    if (child > 0)
        await_child(child);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return err_errno(err, errno, "cannot tie the layer worker to its parent");
    return 0;
}

/* ---- The root ---- */

int sandbox_clone_tree(int fd, bool recursive, bool read_only, struct err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                              .propagation = MS_PRIVATE};
    const unsigned int below = recursive ? AT_RECURSIVE : 0;
    _cleanup_close_ int tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | below);

    if (read_only)
        attr.attr_set |= MOUNT_ATTR_RDONLY;
    if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH | below, &attr, sizeof(attr)) < 0)
        return err_errno(err, errno, "cannot take hold of the layer's directory");
    return take_fd(&tree);
}

int sandbox_new_tmpfs(struct err *err)
{
    _cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    int fd;

    if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "size", "64k", 0) < 0 ||
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return err_errno(err, errno, "cannot make a tmpfs");
    fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    return fd < 0 ? err_errno(err, errno, "cannot make a tmpfs") : fd;
}

/* Makes a detached mount the root of this namespace and detaches everything of the old one. */
int sandbox_pivot(int mount, struct err *err)
{
    int r;

    /* pivot_root wants a mount that is attached: on top of the old root, entered, and swapped with what is
     * below. */
    r = move_mount(mount, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(mount) < 0 ? -errno : 0;
    if (r == 0 && syscall(SYS_pivot_root, ".", ".") == 0)
        r = umount2(".", MNT_DETACH) < 0 ? -errno : 0;
    else if (r == 0) /* an initial ramfs can't be swapped; CAP_SYS_CHROOT, which could undo this, goes soon */
        r = chroot(".") < 0 ? -errno : 0;
    if (r == 0 && chdir("/") < 0)
        r = -errno;
    return r < 0 ? err_errno(err, r, "cannot change the root") : 0;
}

static int attach(int mount, const char *at, struct err *err)
{
    if (mkdir(at, 0700) < 0 || move_mount(mount, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_errno(err, errno, "cannot mount %s", at);
    return 0;
}

/* Everything the new root will show, as detached mounts. */
struct mounts {
    int tree, merged, below, base;
};

static void mounts_finish(struct mounts *m)
{
    close_fd(&m->tree);
    close_fd(&m->merged);
    close_fd(&m->below);
    close_fd(&m->base);
}

/* In the mount namespace that the descriptors came from: in another one the kernel wouldn't take them. */
static int make_mounts(const struct sandbox_root *root, struct mounts *m, struct err *err)
{
    int upper = root->work >= 0 ? root->tree : -EBADF;

    if (root->tree >= 0 &&
        (m->tree = sandbox_clone_tree(root->tree, /* recursive= */ false, root->read_only, err)) < 0)
        return -1;
    if (root->n_lower == 1 && root->work < 0)
        m->merged = sandbox_clone_tree(root->lower[0], /* recursive= */ false, /* read_only= */ true, err);
    else if (root->n_lower > 0)
        m->merged = overlay_mount(root->lower, root->n_lower, upper, root->work, err);
    if (root->n_lower > 0 && m->merged < 0)
        return -1;
    if (root->below && (m->below = overlay_mount(root->lower, root->n_lower, -EBADF, -EBADF, err)) < 0)
        return -1;
    if ((root->at || root->n_lower > 0) && (m->base = sandbox_new_tmpfs(err)) < 0)
        return -1;
    return 0;
}

/* In the new namespace. */
static int make_root(const struct sandbox_root *root, const struct mounts *m, struct err *err)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_errno(err, errno, "cannot make mounts private");
    if (m->base < 0)
        return sandbox_pivot(m->tree, err);
    if (sandbox_pivot(m->base, err) < 0)
        return -1;
    if ((m->tree >= 0 && attach(m->tree, root->at, err) < 0) ||
        (m->merged >= 0 && attach(m->merged, "merged", err) < 0) ||
        (m->below >= 0 && attach(m->below, "below", err) < 0))
        return -1;
    return 0;
}

/* ---- Limits and privileges ---- */

static int set_limits(struct err *err)
{
    const struct rlimit core = {0, 0};
    const struct rlimit space = {(rlim_t)ADDRESS_SPACE_GIB << 30, (rlim_t)ADDRESS_SPACE_GIB << 30};
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return err_errno(err, errno, "cannot read limits");
    files.rlim_max = MIN_OF(files.rlim_max, FD_LIMIT);
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_CORE, &core) < 0 || (!sanitized && setrlimit(RLIMIT_AS, &space) < 0) ||
        setrlimit(RLIMIT_NOFILE, &files) < 0)
        return err_errno(err, errno, "cannot set limits");
    return 0;
}

#define CAP_BIT(cap) (1ULL << (cap))
#define CAPS_KEPT                                                                                            \
    (CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) | CAP_BIT(CAP_FOWNER) |   \
     CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_SETFCAP) | CAP_BIT(CAP_SYS_ADMIN))

static int drop_privileges(struct err *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)CAPS_KEPT, .permitted = (uint32_t)CAPS_KEPT},
        {.effective = (uint32_t)(CAPS_KEPT >> 32), .permitted = (uint32_t)(CAPS_KEPT >> 32)},
    };

    for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        if (!(CAPS_KEPT & CAP_BIT(cap)) && prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EPERM)
            return err_errno(err, errno, "cannot drop capability %d", cap);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
        syscall(SYS_capset, &header, data) < 0)
        return err_errno(err, errno, "cannot drop privileges");
    return 0;
}

/* An open directory of the old tree is a way out: its ".." isn't bound by the new root. */
static void close_directories(const struct sandbox_root *root)
{
    if (root->tree >= 0)
        close(root->tree);
    if (root->work >= 0)
        close(root->work);
    for (size_t i = 0; i < root->n_lower; i++)
        close(root->lower[i]);
}

int sandbox_confine(int last_fd, struct err *err)
{
    if (chdir("/") < 0 || close_range((unsigned int)last_fd + 1, ~0U, 0) < 0)
        return err_errno(err, errno, "cannot close descriptors");
    umask(0);
    if (set_limits(err) < 0)
        return -1;
    return drop_privileges(err);
}

int sandbox_enter(const struct sandbox_root *root, int last_fd, struct err *err)
{
    _cleanup_(mounts_finish) struct mounts m = {-EBADF, -EBADF, -EBADF, -EBADF};

    if (make_mounts(root, &m, err) < 0 || sandbox_fork(err) < 0 || make_root(root, &m, err) < 0)
        return -1;
    mounts_finish(&m);
    close_directories(root);
    return sandbox_confine(last_fd, err);
}

void worker_lower(const struct worker_options *o, struct sandbox_root *root, int *lower)
{
    for (int64_t i = 0; i < o->n_lower; i++)
        lower[i] = WORKER_FD_LOWER + (int)i;
    root->lower = lower;
    root->n_lower = (size_t)o->n_lower;
}

/* ---- System calls ---- */

/* What reading a stream, writing a tree, threads and malloc need. Everything else ends the process with
 * SIGSYS. */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(pwrite64),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(lseek),
    SCMP_SYS(openat),
    SCMP_SYS(openat2),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(newfstatat),
    SCMP_SYS(getdents64),
    SCMP_SYS(readlinkat),
    SCMP_SYS(fcntl),
    SCMP_SYS(ftruncate),
    SCMP_SYS(copy_file_range),
    /* trees */
    SCMP_SYS(mkdirat),
    SCMP_SYS(mknodat),
    SCMP_SYS(symlinkat),
    SCMP_SYS(linkat),
    SCMP_SYS(unlinkat),
    SCMP_SYS(renameat2),
    SCMP_SYS(fchdir),
    SCMP_SYS(fchown),
    SCMP_SYS(fchownat),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    SCMP_SYS(utimensat),
    SCMP_SYS(fremovexattr),
    SCMP_SYS(fsetxattr),
    SCMP_SYS(lsetxattr),
    SCMP_SYS(fgetxattr),
    SCMP_SYS(lgetxattr),
    SCMP_SYS(flistxattr),
    SCMP_SYS(llistxattr),
    /* memory, threads, time, the end */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sysinfo), /* qsort() asks how much memory there is */
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

static int add_rules(scmp_filter_ctx ctx)
{
    int r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);

    if (r == 0)
        r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree, not a list */
    for (size_t i = 0; i < ARRAY_SIZE(allowed) && r == 0; i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
    /* Memory, but nothing executable. */
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0));
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0));
    /* abort() may end the process itself, by the signal it is known by. */
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 2,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()), SCMP_A2(SCMP_CMP_EQ, SIGABRT));
    return r;
}

int sandbox_seal(struct err *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int r = ctx ? add_rules(ctx) : -ENOMEM;

    if (r == 0 && !sanitized)
        r = seccomp_load(ctx);
    if (ctx)
        seccomp_release(ctx);
    return r < 0 ? err_errno(err, r, "cannot load the layer worker's seccomp filter") : 0;
}
