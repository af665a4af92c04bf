/* The default profile: system calls that containers need, as Docker's default profile of 2026 allows them;
 * what isn't named gets EPERM (and what is younger than the newest one named, ENOSYS: see seccomp_compile.c).
 *
 * Two rules say it more strictly than Docker's file. socket() is decided by the lower 32 bits of its
 * argument, which is all that the kernel looks at: comparing 64 bits lets AF_ALG pass with a bit set above.
 * And socketcall(), the 32-bit multiplexer, isn't allowed as such, for its arguments lie in memory where a
 * filter can't look: its calls are allowed one by one as their own names are, but SYS_SOCKET isn't.
 *
 * To add a system call: its name in the group it belongs to; or, if it needs a capability, in that
 * capability's row. */
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include <seccomp.h>

#include "base/hash.h"
#include "base/json.h"
#include "sys/capability.h"
#include "sys/seccomp_internal.h"

/* clang-format off */
static const char always[] =
    /* clocks, timers, sleeping */
    "adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer "
    "time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime "
    "timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 "
    "times "
    /* System V and POSIX message queues, semaphores, shared memory */
    "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
    "mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop "
    "semtimedop_time64 shmat shmctl shmdt shmget "
    /* futexes and threads */
    "futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list get_thread_area "
    "gettid membarrier rseq set_robust_list set_thread_area set_tid_address "
    /* extended attributes */
    "fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat "
    "llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat "
    /* sockets */
    "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg "
    "recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketpair "
    /* waiting for descriptors */
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
    "epoll_wait_old eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 "
    "inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup "
    "io_submit _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4 "
    /* signals */
    "kill pause pidfd_send_signal restart_syscall rt_sigaction rt_sigpending rt_sigprocmask "
    "rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
    "sigaltstack sigprocmask sigreturn tgkill tkill "
    /* users and groups */
    "capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid "
    "getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid "
    "setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 setresuid setresuid32 "
    "setreuid setreuid32 setuid setuid32 "
    /* scheduling and limits */
    "getcpu getpriority getrlimit getrusage ioprio_get ioprio_set prlimit64 sched_getaffinity "
    "sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler "
    "sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield setpriority setrlimit ugetrlimit "
    /* memory */
    "brk madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 "
    "mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect "
    "process_mrelease remap_file_pages "
    /* processes */
    "execve execveat exit exit_group fork getpgid getpgrp getpid getppid getrandom getsid "
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self pidfd_open prctl riscv_hwprobe "
    "seccomp setpgid setsid sysinfo umask uname vfork wait4 waitid waitpid "
    /* reading and writing */
    "cachestat close close_range copy_file_range dup dup2 dup3 fadvise64 fadvise64_64 fallocate fcntl "
    "fcntl64 fdatasync flock fsync ioctl _llseek lseek pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev "
    "pwritev2 read readahead readv sendfile sendfile64 splice sync sync_file_range syncfs tee vmsplice "
    "write writev "
    /* files and directories */
    "access chdir chmod chown chown32 creat faccessat faccessat2 fchdir fchmod fchmodat fchmodat2 fchown "
    "fchown32 fchownat fstat fstat64 fstatat64 fstatfs fstatfs64 ftruncate ftruncate64 futimesat getcwd "
    "getdents getdents64 lchown lchown32 link linkat listmount lstat lstat64 mkdir mkdirat mknod mknodat "
    "name_to_handle_at newfstatat open openat openat2 readlink readlinkat rename renameat renameat2 rmdir "
    "stat stat64 statfs statfs64 statmount statx symlink symlinkat truncate truncate64 unlink unlinkat "
    "utime utimensat utimensat_time64 utimes ";
/* clang-format on */

enum { ALWAYS = -1, ARGUMENT_NONE = -1 };
enum machine_bits {
    ON_ANY = 0,
    ON_X86 = 1,
    ON_ARM = 2,
    ON_PPC = 4,
    ON_S390 = 8,
    ON_RISCV = 16,
    NOT_S390 = 32
};

/* Namespace flags of clone(2): CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}. */
#define CLONE_NAMESPACES UINT64_C(0x7e020000)

struct default_row {
    const char *names; /* blank-separated */
    int with;          /* needs this capability; ALWAYS */
    int without;       /* not with this capability; ALWAYS */
    int machines;      /* enum machine_bits */
    int argument;      /* index, or ARGUMENT_NONE */
    uint64_t mask;     /* of the argument: allowed if (argument & mask) == value */
    uint64_t value;
    int errnum; /* refuse with this errno instead of allowing */
};

#define ROW(text)                                                                                            \
    {                                                                                                        \
        .names = (text), .with = ALWAYS, .without = ALWAYS, .argument = ARGUMENT_NONE                        \
    }
#define ROW_CAP(cap, text)                                                                                   \
    {                                                                                                        \
        .names = (text), .with = (cap), .without = ALWAYS, .argument = ARGUMENT_NONE                         \
    }
#define ROW_ON(bits, text)                                                                                   \
    {                                                                                                        \
        .names = (text), .with = ALWAYS, .without = ALWAYS, .machines = (bits), .argument = ARGUMENT_NONE    \
    }
#define ROW_ARG(text, m, v)                                                                                  \
    {                                                                                                        \
        .names = (text), .with = ALWAYS, .without = ALWAYS, .argument = 0, .mask = (m), .value = (v)         \
    }

static const struct default_row rows[] = {
    ROW(always),
    ROW("process_vm_readv process_vm_writev ptrace"), /* safe since Linux 4.8, older than what keg runs on */

    /* Address families 0…63 without AF_ALG (38) and AF_VSOCK (40), as ranges of powers of two. */
    ROW_ARG("socket", 0xffffffe0, 0),  /*  0…31 */
    ROW_ARG("socket", 0xfffffffc, 32), /* 32…35 */
    ROW_ARG("socket", 0xfffffffe, 36), /* 36, 37 */
    ROW_ARG("socket", 0xffffffff, 39),
    ROW_ARG("socket", 0xffffffff, 41),
    ROW_ARG("socket", 0xfffffffe, 42), /* 42, 43 */
    ROW_ARG("socket", 0xfffffffc, 44), /* 44…47 */
    ROW_ARG("socket", 0xfffffff0, 48), /* 48…63 */

    /* Linux, Linux 32-bit, both with UNAME26, and the question what it is. */
    ROW_ARG("personality", UINT64_MAX, 0x0),
    ROW_ARG("personality", UINT64_MAX, 0x8),
    ROW_ARG("personality", UINT64_MAX, 0x20000),
    ROW_ARG("personality", UINT64_MAX, 0x20008),
    ROW_ARG("personality", UINT64_MAX, 0xffffffff),

    ROW_ON(ON_PPC, "sync_file_range2 swapcontext"),
    ROW_ON(ON_ARM, "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"),
    ROW_ON(ON_X86, "arch_prctl modify_ldt"),
    ROW_ON(ON_S390, "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"),
    ROW_ON(ON_RISCV, "riscv_flush_icache"),

    ROW_CAP(CAP_DAC_READ_SEARCH, "open_by_handle_at"),
    ROW_CAP(CAP_SYS_ADMIN,
            "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
            "lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount "
            "open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog "
            "umount umount2 unshare"),
    ROW_CAP(CAP_SYS_BOOT, "reboot"),
    ROW_CAP(CAP_SYS_CHROOT, "chroot"),
    ROW_CAP(CAP_SYS_MODULE, "delete_module init_module finit_module"),
    ROW_CAP(CAP_SYS_PACCT, "acct"),
    ROW_CAP(CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise"),
    ROW_CAP(CAP_SYS_RAWIO, "iopl ioperm"),
    ROW_CAP(CAP_SYS_TIME, "settimeofday stime clock_settime clock_settime64"),
    ROW_CAP(CAP_SYS_TTY_CONFIG, "vhangup"),
    ROW_CAP(CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    ROW_CAP(CAP_SYSLOG, "syslog"),
    ROW_CAP(CAP_BPF, "bpf"),
    ROW_CAP(CAP_PERFMON, "perf_event_open"),

    /* Without CAP_SYS_ADMIN: new processes, but no new namespaces. clone3 has its flags in memory, where a
     * filter can't look; ENOSYS makes the C library take clone. */
    {"clone", ALWAYS, CAP_SYS_ADMIN, NOT_S390, 0, CLONE_NAMESPACES, 0, 0},
    {"clone", ALWAYS, CAP_SYS_ADMIN, ON_S390, 1, CLONE_NAMESPACES, 0, 0},
    {"clone3", ALWAYS, CAP_SYS_ADMIN, ON_ANY, ARGUMENT_NONE, 0, 0, ENOSYS},
};

/* To add a machine: a row here, and its bit below if it has system calls of its own. */
static const struct seccomp_machine machines[] = {
    {SCMP_ARCH_X86_64, "SCMP_ARCH_X86_64", "amd64", {"SCMP_ARCH_X86", "SCMP_ARCH_X32"}},
    {SCMP_ARCH_AARCH64, "SCMP_ARCH_AARCH64", "arm64", {"SCMP_ARCH_ARM"}},
    {SCMP_ARCH_S390X, "SCMP_ARCH_S390X", "s390x", {"SCMP_ARCH_S390"}},
    {SCMP_ARCH_PPC64LE, "SCMP_ARCH_PPC64LE", "ppc64le", {NULL}},
    {SCMP_ARCH_RISCV64, "SCMP_ARCH_RISCV64", "riscv64", {NULL}},
    {SCMP_ARCH_X86, "SCMP_ARCH_X86", "x86", {NULL}},
    {SCMP_ARCH_ARM, "SCMP_ARCH_ARM", "arm", {NULL}},
};

const struct seccomp_machine *seccomp_machine(void)
{
    uint32_t native = seccomp_arch_native();
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
        if (machines[i].token == native)
            return &machines[i];
    return NULL;
}

static int default_machine_bits(void)
{
    switch (seccomp_arch_native()) {
    case SCMP_ARCH_X86_64:
    case SCMP_ARCH_X86:
        return ON_X86 | NOT_S390;
    case SCMP_ARCH_AARCH64:
    case SCMP_ARCH_ARM:
        return ON_ARM | NOT_S390;
    case SCMP_ARCH_PPC64LE:
        return ON_PPC | NOT_S390;
    case SCMP_ARCH_S390X:
        return ON_S390;
    case SCMP_ARCH_RISCV64:
        return ON_RISCV | NOT_S390;
    default:
        return NOT_S390;
    }
}

static bool default_row_holds(const struct default_row *row, uint64_t capabilities, int machine)
{
    if (row->with != ALWAYS && !(capabilities & CAPABILITY_BIT(row->with)))
        return false;
    if (row->without != ALWAYS && (capabilities & CAPABILITY_BIT(row->without)))
        return false;
    return !row->machines || (row->machines & machine);
}

static json_t *default_row_rule(const struct default_row *row)
{
    json_t *rule = json_object(), *names = json_array();
    for (const char *p = row->names; *p;) {
        size_t len = strcspn(p, " ");
        json_array_append_new(names, json_stringn(p, len));
        p += len + strspn(p + len, " ");
    }
    json_object_set_new(rule, "names", names);
    json_set_str(rule, "action", row->errnum ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW");
    if (row->errnum)
        json_set_int(rule, "errnoRet", row->errnum);
    if (row->argument == ARGUMENT_NONE)
        return rule;
    json_t *arg = json_object();
    json_set_int(arg, "index", row->argument);
    if (row->mask == UINT64_MAX) {
        json_set_int(arg, "value", (int64_t)row->value);
        json_set_str(arg, "op", "SCMP_CMP_EQ");
    } else {
        json_set_int(arg, "value", (int64_t)row->mask);
        json_set_int(arg, "valueTwo", (int64_t)row->value);
        json_set_str(arg, "op", "SCMP_CMP_MASKED_EQ");
    }
    json_object_set_new(rule, "args", json_pack("[o]", arg));
    return rule;
}

json_t *seccomp_default_profile(uint64_t capabilities)
{
    const struct seccomp_machine *host = seccomp_machine();
    json_t *profile = json_object(), *architectures = json_array(), *syscalls = json_array();
    json_set_str(profile, "defaultAction", "SCMP_ACT_ERRNO");
    json_set_int(profile, "defaultErrnoRet", EPERM);
    if (host)
        json_array_append_new(architectures, json_string(host->oci));
    for (size_t i = 0; host && i < SECCOMP_SUB_ARCHITECTURES_MAX && host->sub[i]; i++)
        json_array_append_new(architectures, json_string(host->sub[i]));
    json_object_set_new(profile, "architectures", architectures);
    int machine = default_machine_bits();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (default_row_holds(&rows[i], capabilities, machine))
            json_array_append_new(syscalls, default_row_rule(&rows[i]));
    json_object_set_new(profile, "syscalls", syscalls);
    return profile;
}

void seccomp_default_key(uint64_t capabilities, struct buf *out)
{
    int machine = default_machine_bits();
    buf_puts(out, "default");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct default_row *row = &rows[i];
        if (default_row_holds(row, capabilities, machine))
            buf_printf(out, "\n%zx %d %llx %llx %d", (size_t)hash64(row->names, strlen(row->names)),
                       row->argument, (unsigned long long)row->mask, (unsigned long long)row->value,
                       row->errnum);
    }
}
