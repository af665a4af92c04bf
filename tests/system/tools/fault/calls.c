/* Tables of kernel calls. */
#include "calls.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* They take no argument that could be wrong, end the process, or are the C library's: its malloc() takes a brk(2) that works
 * after one that failed for its own fault. */
static const long never_fail[] = {
    SYS_exit,       SYS_exit_group, SYS_rt_sigreturn,    SYS_rt_sigaction,    SYS_getpid,
    SYS_gettid,     SYS_getppid,    SYS_getuid,          SYS_geteuid,         SYS_getgid,
    SYS_getegid,    SYS_umask,      SYS_setsid,          SYS_set_tid_address, SYS_sched_yield,
    SYS_munmap,     SYS_futex,      SYS_restart_syscall, SYS_rt_sigprocmask,  SYS_brk,
#ifdef SYS_arch_prctl
    SYS_arch_prctl,
#endif
};

/* To make a call fail in another way: a row. */
static const struct {
    long nr;
    int errors[2];
} errors[] = {
    {SYS_openat, {EMFILE, EIO}},
    {SYS_openat2, {ENFILE, EIO}},
    {SYS_read, {EIO, ENOMEM}},
    {SYS_write, {ENOSPC, EIO}},
    {SYS_close, {EIO, EIO}},
    {SYS_mmap, {ENOMEM, ENOMEM}},
    {SYS_mkdirat, {ENOSPC, EIO}},
    {SYS_mknodat, {ENOSPC, EIO}},
    {SYS_symlinkat, {ENOSPC, EIO}},
    {SYS_unlinkat, {EIO, EPERM}},
    {SYS_newfstatat, {EIO, ENOMEM}},
    {SYS_clone3, {EAGAIN, ENOMEM}},
    {SYS_clone, {EAGAIN, ENOMEM}},
    {SYS_fcntl, {EMFILE, EIO}},
    {SYS_socket, {EMFILE, ENOBUFS}},
    {SYS_socketpair, {EMFILE, ENOBUFS}},
    {SYS_sendmsg, {ENOBUFS, ENOMEM}},
    {SYS_recvmsg, {ENOMEM, EMFILE}},
    {SYS_accept4, {EMFILE, ENOMEM}},
    {SYS_connect, {EAGAIN, ECONNREFUSED}},
    {SYS_bind, {ENOSPC, EACCES}},
    {SYS_waitid, {ENOMEM, ECHILD}},
    {SYS_execve, {ENOMEM, EIO}},
    {SYS_execveat, {ENOMEM, EIO}},
    {SYS_unshare, {ENOSPC, EPERM}},
    {SYS_setns, {ENOMEM, EPERM}},
    {SYS_keyctl, {EDQUOT, ENOMEM}},
    {SYS_getrandom, {EAGAIN, EIO}},
    {SYS_pidfd_open, {EMFILE, ENOMEM}},
    {SYS_pivot_root, {EBUSY, EPERM}},
    {SYS_getdents64, {EIO, ENOMEM}},
    {SYS_fstatfs, {ENOMEM, EIO}},
    {SYS_renameat, {ENOSPC, EIO}},
#ifdef SYS_mkdir
    {SYS_mkdir, {ENOSPC, EIO}},
    {SYS_unlink, {EIO, EPERM}},
    {SYS_rmdir, {EBUSY, EIO}},
    {SYS_open, {EMFILE, EIO}},
    {SYS_rename, {ENOSPC, EIO}},
    {SYS_dup2, {EMFILE, EBUSY}},
#endif
};

static const int other_errors[2] = {ENOMEM, EPERM};

/* Calls that take a path, and where. */
static const struct {
    long nr;
    int dirfd, path;
} paths[] = {
    {SYS_openat, 0, 1},      {SYS_openat2, 0, 1},   {SYS_newfstatat, 0, 1},    {SYS_statx, 0, 1},
    {SYS_mkdirat, 0, 1},     {SYS_mknodat, 0, 1},   {SYS_unlinkat, 0, 1},      {SYS_symlinkat, 1, 2},
    {SYS_readlinkat, 0, 1},  {SYS_fchownat, 0, 1},  {SYS_fchmodat, 0, 1},      {SYS_faccessat, 0, 1},
    {SYS_faccessat2, 0, 1},  {SYS_open_tree, 0, 1}, {SYS_mount, -1, 1},        {SYS_umount2, -1, 0},
    {SYS_pivot_root, -1, 0}, {SYS_chdir, -1, 0},    {SYS_chroot, -1, 0},       {SYS_execve, -1, 0},
    {SYS_execveat, 0, 1},    {SYS_statfs, -1, 0},   {SYS_mount_setattr, 0, 1}, {SYS_move_mount, 2, 3},
    {SYS_renameat, 0, 1},    {SYS_renameat2, 0, 1}, {SYS_linkat, 2, 3},        {SYS_truncate, -1, 0},
    {SYS_setxattr, -1, 0},   {SYS_utimensat, 0, 1},
#ifdef SYS_open
    {SYS_open, -1, 0},       {SYS_stat, -1, 0},     {SYS_lstat, -1, 0},        {SYS_mkdir, -1, 0},
    {SYS_rmdir, -1, 0},      {SYS_unlink, -1, 0},   {SYS_symlink, -1, 1},      {SYS_readlink, -1, 0},
    {SYS_chmod, -1, 0},      {SYS_chown, -1, 0},    {SYS_lchown, -1, 0},       {SYS_access, -1, 0},
    {SYS_mknod, -1, 0},      {SYS_rename, -1, 0},   {SYS_link, -1, 1},         {SYS_creat, -1, 0},
#endif
};

bool call_can_fail(long nr)
{
    for (size_t i = 0; i < COUNT(never_fail); i++)
        if (never_fail[i] == nr)
            return false;
    return true;
}

int call_error(long nr, unsigned variant)
{
    for (size_t i = 0; i < COUNT(errors); i++)
        if (errors[i].nr == nr)
            return errors[i].errors[variant % 2];
    return other_errors[variant % 2];
}

bool call_is_done_anyway(long nr)
{
    return nr == SYS_close;
}

bool call_path_arguments(long nr, int *ret_dirfd, int *ret_path)
{
    for (size_t i = 0; i < COUNT(paths); i++)
        if (paths[i].nr == nr) {
            *ret_dirfd = paths[i].dirfd;
            *ret_path = paths[i].path;
            return true;
        }
    return false;
}
