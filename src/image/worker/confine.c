/* What a worker may still ask of the kernel and the host: keg-archive only reads, writes and asks for memory; keg-registry
 * besides makes threads, speaks to the network and reads what a TLS and a resolver library read. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/worker/privileges.h"

/* Sanitizers make system calls of their own, and need terabytes of address space. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

enum { ADDRESS_SPACE_GIB = 2 };

/* ---- System calls ---- */

/* Of both. */
static const int common[] = {
    SCMP_SYS(read),           SCMP_SYS(readv),
    SCMP_SYS(pread64),        SCMP_SYS(write),
    SCMP_SYS(writev),         SCMP_SYS(pwrite64),
    SCMP_SYS(lseek),          SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),     SCMP_SYS(statx),
    SCMP_SYS(close),          SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),        SCMP_SYS(poll),
    SCMP_SYS(ppoll),          SCMP_SYS(brk),
    SCMP_SYS(munmap),         SCMP_SYS(mremap),
    SCMP_SYS(madvise),        SCMP_SYS(futex),
    SCMP_SYS(getrandom),      SCMP_SYS(clock_gettime),
    SCMP_SYS(rt_sigreturn),   SCMP_SYS(exit),
    SCMP_SYS(exit_group),     SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid),
    SCMP_SYS(gettid),         SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq),           SCMP_SYS(set_robust_list), /* of threads that are only just starting */
    SCMP_SYS(sysinfo),        SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
};

/* Of keg-registry alone: libcurl, its TLS library, the C library's resolver. */
static const int of_client[] = {
    SCMP_SYS(connect),    SCMP_SYS(bind),         SCMP_SYS(shutdown),
    SCMP_SYS(sendto),     SCMP_SYS(recvfrom),     SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg),   SCMP_SYS(getsockname),  SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),   SCMP_SYS(socketpair),
    SCMP_SYS(pipe2),      SCMP_SYS(eventfd2),     SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),  SCMP_SYS(epoll_wait),   SCMP_SYS(epoll_pwait),
    SCMP_SYS(select),     SCMP_SYS(pselect6),     SCMP_SYS(dup),
    SCMP_SYS(fcntl),      SCMP_SYS(stat),         SCMP_SYS(lstat),
    SCMP_SYS(access),     SCMP_SYS(faccessat),    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),   SCMP_SYS(readlinkat),   SCMP_SYS(getdents64),
    SCMP_SYS(fstatfs),    SCMP_SYS(statfs),       SCMP_SYS(getcwd),
    SCMP_SYS(uname),      SCMP_SYS(getuid),       SCMP_SYS(geteuid),
    SCMP_SYS(getgid),     SCMP_SYS(getegid),      SCMP_SYS(getppid),
    SCMP_SYS(getrusage),  SCMP_SYS(sched_yield),  SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),     SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),  SCMP_SYS(sigaltstack),  SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(membarrier), SCMP_SYS(close_range),  SCMP_SYS(set_tid_address),
};

#define THREAD_FLAGS (CLONE_THREAD | CLONE_VM | CLONE_SIGHAND)
#define NEW_FLAGS                                                                                            \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |               \
     CLONE_NEWCGROUP)

/* Calls that depend on an argument. To add one: a row; two rows of one call are alternatives. */
struct rule {
    uint32_t action;
    int call;
    struct scmp_arg_cmp condition; /* arg beyond 5: none */
};
#define ALLOW_IF(call, ...)                                                                                  \
    {                                                                                                        \
        SCMP_ACT_ALLOW, SCMP_SYS(call),                                                                      \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
#define REFUSE(call, errnum)                                                                                 \
    {                                                                                                        \
        SCMP_ACT_ERRNO(errnum), SCMP_SYS(call),                                                              \
        {                                                                                                    \
            .arg = 6                                                                                         \
        }                                                                                                    \
    }
#define MASKED(number, mask, bits) .arg = number, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = bits
#define EQUAL(number, value)       .arg = number, .op = SCMP_CMP_EQ, .datum_a = value

static const struct rule archive_rules[] = {
    ALLOW_IF(mmap, MASKED(2, PROT_EXEC, 0)), ALLOW_IF(mprotect, MASKED(2, PROT_EXEC, 0)),
    REFUSE(openat, EACCES), /* locales, time zones */
};

static const struct rule client_rules[] = {
    ALLOW_IF(socket, EQUAL(0, AF_INET)),
    ALLOW_IF(socket, EQUAL(0, AF_INET6)),
    ALLOW_IF(socket, EQUAL(0, AF_NETLINK)), /* the resolver looks which addresses the host has */
    ALLOW_IF(openat, MASKED(2, O_ACCMODE | O_CREAT | O_TRUNC | O_PATH, O_RDONLY)),
    ALLOW_IF(mmap, MASKED(2, PROT_WRITE | PROT_EXEC, 0)), /* a library that is loaded late */
    ALLOW_IF(mmap, MASKED(2, PROT_WRITE | PROT_EXEC, PROT_WRITE)),
    ALLOW_IF(mmap, MASKED(2, PROT_WRITE | PROT_EXEC, PROT_EXEC)),
    ALLOW_IF(mprotect, MASKED(2, PROT_EXEC, 0)),
    ALLOW_IF(clone, MASKED(0, THREAD_FLAGS | NEW_FLAGS, THREAD_FLAGS)),
    ALLOW_IF(ioctl, EQUAL(1, 0x541b)), /* FIONREAD */
    ALLOW_IF(ioctl, EQUAL(1, 0x5421)), /* FIONBIO */
    ALLOW_IF(prctl, EQUAL(0, PR_SET_NAME)),
    ALLOW_IF(prlimit64, EQUAL(2, 0)),                                      /* reading limits */
    {SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), {EQUAL(0, AF_UNIX)}}, /* nscd's: done without */
    REFUSE(clone3, ENOSYS), /* its flags can't be looked at: the C library takes clone */
};

static int add_calls(scmp_filter_ctx filter, const int *calls, size_t n)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return r;
}

static int add_rules(scmp_filter_ctx filter, const struct rule *rules, size_t n)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        r = seccomp_rule_add_array(filter, rules[i].action, rules[i].call, rules[i].condition.arg < 6,
                                   &rules[i].condition);
    return r;
}

/* Also on the threads there are by now. */
static int load(scmp_filter_ctx filter, struct err *err)
{
    int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

    if (r == 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree, not a list */
    if (r == 0 && !sanitized)
        r = seccomp_load(filter);
    return r < 0 ? err_errno(err, r, "confine the worker") : 0;
}

static int set_limits(struct err *err)
{
    const struct rlimit core = {0, 0};
    const struct rlimit space = {(rlim_t)ADDRESS_SPACE_GIB << 30, (rlim_t)ADDRESS_SPACE_GIB << 30};

    if (setrlimit(RLIMIT_CORE, &core) < 0 || (!sanitized && setrlimit(RLIMIT_AS, &space) < 0))
        return err_errno(err, errno, "limit the worker");
    return 0;
}

int privileges_confine(struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int r = filter ? 0 : -ENOMEM;

    if (r == 0)
        r = add_calls(filter, common, ARRAY_SIZE(common));
    if (r == 0)
        r = add_rules(filter, archive_rules, ARRAY_SIZE(archive_rules));
    if (r < 0)
        err_errno(err, r, "confine the worker");
    else if ((r = set_limits(err)) == 0)
        r = load(filter, err);
    seccomp_release(filter);
    return r < 0 ? -1 : 0;
}

/* ---- Files ---- */

/* Where configuration, certificates and libraries are. What isn't there needs no rule. */
static const char *const readable[] = {
    "/etc",
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/var/lib/ca-certificates",
    "/nix/store",
    "/gnu/store",
};

static int allow_reading(int ruleset, const char *path)
{
    struct landlock_path_beneath_attr rule = {.allowed_access =
                                                  LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR};
    _cleanup_close_ int fd = path ? open(path, O_PATH | O_CLOEXEC) : -EBADF;
    struct stat st;

    if (fd < 0)
        return 0;
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
    rule.parent_fd = fd;
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

/* A kernel without Landlock leaves what nobody may read. */
static int confine_files(struct err *err)
{
    const struct landlock_ruleset_attr attr = {.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
    _cleanup_close_ int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    int r = 0;

    if (ruleset < 0)
        return errno == ENOSYS || errno == EOPNOTSUPP
                   ? 0
                   : err_errno(err, errno, "keep the worker from the host's files");
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(readable); i++)
        r = allow_reading(ruleset, readable[i]);
    if (r == 0)
        r = allow_reading(ruleset, getenv("SSL_CERT_FILE"));
    if (r == 0)
        r = allow_reading(ruleset, getenv("SSL_CERT_DIR"));
    if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        r = -errno;
    return r < 0 ? err_errno(err, r, "keep the worker from the host's files") : 0;
}

int privileges_confine_client(struct err *err)
{
    scmp_filter_ctx filter;
    int r;

    if (confine_files(err) < 0)
        return -1;
    filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    r = filter ? 0 : -ENOMEM;
    if (r == 0)
        r = add_calls(filter, common, ARRAY_SIZE(common));
    if (r == 0)
        r = add_calls(filter, of_client, ARRAY_SIZE(of_client));
    if (r == 0)
        r = add_rules(filter, client_rules, ARRAY_SIZE(client_rules));
    /* abort() may end the process itself. */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    r = r < 0 ? err_errno(err, r, "confine the worker") : load(filter, err);
    seccomp_release(filter);
    return r;
}
