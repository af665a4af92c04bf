/* Attempts to get out, as a table. */
#include "escape.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"

enum { NOBODY = 65534 };

/* ---- Attempts: 0 or more when they succeed, -1 when not ---- */

static int read_file(const struct escape_host *h)
{
    return openat(AT_FDCWD, h->file, O_RDONLY);
}

static int read_passwords(const struct escape_host *h)
{
    (void)h;
    return openat(AT_FDCWD, "/etc/shadow", O_RDONLY);
}

static int write_file(const struct escape_host *h)
{
    return openat(AT_FDCWD, h->file, O_WRONLY | O_TRUNC);
}

static int append_file(const struct escape_host *h)
{
    return openat(AT_FDCWD, h->file, O_RDWR | O_APPEND);
}

static int create_file(const struct escape_host *h)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/new", h->sentinel);
    return openat(AT_FDCWD, path, O_WRONLY | O_CREAT, 0600);
}

/* However many directories up, by the working directory and by every descriptor there is. */
static int climb(const struct escape_host *h)
{
    char path[400];

    snprintf(path, sizeof(path), "../../../../../../../../../../../../../..%s", h->file);
    for (int fd = -1; fd < 32; fd++)
        if (openat(fd < 0 ? AT_FDCWD : fd, path, O_WRONLY) >= 0)
            return 0;
    return -1;
}

static int climb_by_directories(const struct escape_host *h)
{
    for (int i = 0; i < 30; i++)
        if (syscall(SYS_chdir, "..") < 0)
            return -1;
    return openat(AT_FDCWD, h->file + 1, O_WRONLY);
}

static int classic_chroot(const struct escape_host *h)
{
    mkdirat(AT_FDCWD, "jail", 0755);
    if (syscall(SYS_chroot, "jail") < 0)
        return -1;
    return climb(h) < 0 ? 1 : 0;
}

static int climb_by_symlink(const struct escape_host *h)
{
    if (symlinkat(h->file, AT_FDCWD, "way-out") < 0)
        return -1;
    return openat(AT_FDCWD, "way-out", O_WRONLY);
}

static int remove_file(const struct escape_host *h)
{
    return unlinkat(AT_FDCWD, h->file, 0);
}

static int rename_file(const struct escape_host *h)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/other", h->sentinel);
    return (int)syscall(SYS_renameat2, AT_FDCWD, h->file, AT_FDCWD, path, 0);
}

static int link_file(const struct escape_host *h)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/link", h->sentinel);
    return linkat(AT_FDCWD, h->file, AT_FDCWD, path, 0);
}

/* By descriptor, for which CAP_DAC_READ_SEARCH would be enough. */
static int link_descriptors(const struct escape_host *h)
{
    (void)h;
    for (int fd = 0; fd < 32; fd++)
        if (linkat(fd, "", AT_FDCWD, "linked", AT_EMPTY_PATH) == 0)
            return 0;
    return -1;
}

static int make_directory(const struct escape_host *h)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/dir", h->sentinel);
    return mkdirat(AT_FDCWD, path, 0777);
}

static int make_device(const struct escape_host *h)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/device", h->sentinel);
    return mknodat(AT_FDCWD, path, S_IFCHR | 0666, makedev(1, 1));
}

/* In the worker's own place, where layers have devices, it can be made; it can't be opened. */
static int use_device(const struct escape_host *h)
{
    (void)h;
    if (mknodat(AT_FDCWD, "memory", S_IFCHR | 0666, makedev(1, 1)) < 0 ||
        mknodat(AT_FDCWD, "null", S_IFCHR | 0666, makedev(1, 3)) < 0)
        return -1;
    return openat(AT_FDCWD, "memory", O_RDWR) >= 0 || openat(AT_FDCWD, "null", O_RDWR) >= 0 ? 0 : -1;
}

static int change_mode(const struct escape_host *h)
{
    return fchmodat(AT_FDCWD, h->file, 04777, 0);
}

static int change_owner(const struct escape_host *h)
{
    return fchownat(AT_FDCWD, h->file, 1, 1, 0);
}

static int change_time(const struct escape_host *h)
{
    return utimensat(AT_FDCWD, h->file, NULL, 0);
}

static int change_attribute(const struct escape_host *h)
{
    return lsetxattr(h->file, "user.evil", "1", 1, 0);
}

static int open_handle(const struct escape_host *h)
{
    char room[sizeof(h->room)];

    memcpy(room, h->room, sizeof(room));
    for (int fd = -1; fd < 32; fd++)
        if (open_by_handle_at(fd < 0 ? AT_FDCWD : fd, (struct file_handle *)room, O_RDWR) >= 0)
            return 0;
    return -1;
}

static int other_memory(const struct escape_host *h)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/mem", h->victim);
    return openat(AT_FDCWD, path, O_RDWR);
}

static int other_environment(const struct escape_host *h)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/environ", h->victim);
    return openat(AT_FDCWD, path, O_RDONLY);
}

static int root_by_proc(const struct escape_host *h)
{
    char path[200];

    snprintf(path, sizeof(path), "/proc/1/root%s", h->file);
    if (openat(AT_FDCWD, path, O_RDONLY) >= 0)
        return 0;
    snprintf(path, sizeof(path), "/proc/self/root%s", h->file);
    return openat(AT_FDCWD, path, O_RDONLY);
}

static int own_program(const struct escape_host *h)
{
    (void)h;
    return openat(AT_FDCWD, "/proc/self/exe", O_RDWR);
}

static int system_requests(const struct escape_host *h)
{
    (void)h;
    return openat(AT_FDCWD, "/proc/sysrq-trigger", O_WRONLY);
}

static int kill_other(const struct escape_host *h)
{
    return (int)syscall(SYS_kill, h->victim, SIGKILL);
}

static int kill_all(const struct escape_host *h)
{
    (void)h;
    return (int)syscall(SYS_kill, -1, 0);
}

static int kill_thread(const struct escape_host *h)
{
    return (int)syscall(SYS_tgkill, h->victim, h->victim, SIGKILL);
}

static int kill_by_descriptor(const struct escape_host *h)
{
    int fd = (int)syscall(SYS_pidfd_open, h->victim, 0);

    return fd < 0 ? -1 : (int)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

static int trace_other(const struct escape_host *h)
{
    return (int)syscall(SYS_ptrace, PTRACE_SEIZE, h->victim, 0, 0);
}

static int write_other(const struct escape_host *h)
{
    char byte = 0;
    const struct iovec local = {&byte, 1}, remote = {(void *)h, 1};

    return (int)syscall(SYS_process_vm_writev, h->victim, &local, 1, &remote, 1, 0);
}

static int join_namespace(const struct escape_host *h)
{
    int fd = (int)syscall(SYS_pidfd_open, h->victim, 0);

    return fd < 0 ? -1 : (int)syscall(SYS_setns, fd, CLONE_NEWNS | CLONE_NEWNET);
}

static int new_user_namespace(const struct escape_host *h)
{
    (void)h;
    return (int)syscall(SYS_unshare, CLONE_NEWUSER);
}

static int new_mount_namespace(const struct escape_host *h)
{
    (void)h;
    return (int)syscall(SYS_unshare, CLONE_NEWNS);
}

static int clone_user_namespace(const struct escape_host *h)
{
    (void)h;
    return (int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
}

static int mount_proc(const struct escape_host *h)
{
    (void)h;
    return (int)syscall(SYS_mount, "proc", "/", "proc", 0, NULL);
}

static int bind_root(const struct escape_host *h)
{
    return (int)syscall(SYS_mount, "/", h->sentinel, NULL, 4096 /* MS_BIND */, NULL);
}

static int unmount(const struct escape_host *h)
{
    (void)h;
    return (int)syscall(SYS_umount2, "/", 2 /* MNT_DETACH */);
}

static int new_filesystem(const struct escape_host *h)
{
    (void)h;
    return (int)syscall(SYS_fsopen, "proc", 0);
}

static int clone_tree(const struct escape_host *h)
{
    (void)h;
    return (int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE);
}

static int make_writable(const struct escape_host *h)
{
    struct mount_attr attr = {.attr_clr = MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY};

    (void)h;
    return (int)syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attr, sizeof(attr));
}

static int local_socket(const struct escape_host *h)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path + 1, h->socket, strlen(h->socket));
    return fd < 0 ? -1
                  : connect(fd, (struct sockaddr *)&address,
                            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(h->socket)));
}

#define SOCKET(name, family, type)                                                                           \
    static int name(const struct escape_host *h)                                                             \
    {                                                                                                        \
        (void)h;                                                                                             \
        return socket(family, type, 0);                                                                      \
    }
SOCKET(internet_socket, AF_INET, SOCK_STREAM)
SOCKET(netlink_socket, AF_NETLINK, SOCK_RAW)
SOCKET(raw_socket, AF_INET, SOCK_RAW)
SOCKET(packet_socket, AF_PACKET, SOCK_RAW)
SOCKET(crypto_socket, AF_ALG, SOCK_SEQPACKET)
SOCKET(machine_socket, AF_VSOCK, SOCK_STREAM)

static int listen_socket(const struct escape_host *h)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)h;
    return fd < 0 ? -1 : (int)syscall(SYS_listen, fd, 1);
}

static int run_program(const struct escape_host *h)
{
    char *argv[] = {(char *)"/bin/true", NULL};

    (void)h;
    syscall(SYS_execve, argv[0], argv, NULL);
    return -1; /* or it has: the exit code of true is a success */
}

static int run_memory(const struct escape_host *h)
{
    (void)h;
    return (int)syscall(SYS_memfd_create, "evil", 0);
}

static int fork_process(const struct escape_host *h)
{
    int child = (int)syscall(SYS_fork);

    (void)h;
    if (child == 0)
        _exit(0);
    return child;
}

static int executable_memory(const struct escape_host *h)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)h;
    return p == MAP_FAILED ? -1 : 0;
}

static int executable_later(const struct escape_host *h)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)h;
    return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int raise_capabilities(const struct escape_host *h)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct all[2] = {{~0U, ~0U, ~0U}, {~0U, ~0U, ~0U}};

    (void)h;
    return (int)syscall(SYS_capset, &header, all);
}

static int become_root(const struct escape_host *h)
{
    (void)h;
    return (int)syscall(SYS_setresuid, 0, 0, 0);
}

static int terminal_input(const struct escape_host *h)
{
    (void)h;
    return (int)syscall(SYS_ioctl, 0, TIOCSTI, "x");
}

#define CALL(name, ...)                                                                                      \
    static int name(const struct escape_host *h)                                                             \
    {                                                                                                        \
        (void)h;                                                                                             \
        return (int)syscall(__VA_ARGS__);                                                                    \
    }
static const char no_parameters[512];
static union bpf_attr bpf_map = {
    .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
static int mapped[1];

CALL(load_bpf, SYS_bpf, BPF_MAP_CREATE, &bpf_map, sizeof(bpf_map))
CALL(fault_memory, SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */)
CALL(io_ring, SYS_io_uring_setup, 4, no_parameters)
CALL(key_ring, SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3, 1)
CALL(new_key, SYS_add_key, "user", "evil", "x", 1, -2)
CALL(performance, SYS_perf_event_open, no_parameters, 0, -1, -1, 0)
CALL(kernel_module, SYS_finit_module, 0, "", 0)
CALL(kernel_exchange, SYS_kexec_load, 0, 0, NULL, 0)
CALL(restart, SYS_reboot, 0xfee1dead, 672274793, 0, NULL)
CALL(swap_on, SYS_swapon, "/", 0)
CALL(accounting, SYS_acct, NULL)
CALL(host_name, SYS_sethostname, "evil", 4)
CALL(clock_time, SYS_clock_settime, 0, no_parameters)
CALL(kernel_log, SYS_syslog, 3, mapped, 4)
CALL(quotas, SYS_quotactl, 0, "/", 0, NULL)
CALL(watch_files, SYS_fanotify_init, 0, 0)
CALL(inotify, SYS_inotify_init1, 0)
CALL(new_root, SYS_pivot_root, ".", ".")
CALL(personality, SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */)
CALL(descriptor_of_other, SYS_pidfd_getfd, 0, 0, 0)
CALL(compare_processes, SYS_kcmp, 1, 1, 0, 0, 0)
CALL(terminal_hangup, SYS_vhangup)
CALL(shared_memory, SYS_shmget, 1, 4096, 01600)
CALL(message_queue, SYS_mq_open, "evil", O_CREAT | O_RDWR, 0600, NULL)

#ifdef __x86_64__
/* By the other tables of system calls that a 64-bit kernel may have. */
static int call_32(const struct escape_host *h)
{
    long r;

    (void)h;
    asm volatile("int $0x80" : "=a"(r) : "a"(20 /* getpid of i386 */) : "memory");
    return r < 0 ? -1 : 0;
}
CALL(call_x32, 0x40000000 + SYS_getpid)
#else
CALL(call_32, SYS_bpf, BPF_MAP_CREATE, &bpf_map, sizeof(bpf_map))
CALL(call_x32, SYS_bpf, BPF_MAP_CREATE, &bpf_map, sizeof(bpf_map))
#endif

#define ATTEMPT(name)                                                                                        \
    {                                                                                                        \
#name, name, 0                                                                                       \
    }
static const struct {
    const char *name;
    int (*try)(const struct escape_host *h);
    unsigned part_of; /* some workers' own work */
} attempts[] = {
    {"read_file", read_file, ESCAPE_READ},
    {"root_by_proc", root_by_proc, ESCAPE_READ},
    {"internet_socket", internet_socket, ESCAPE_NETWORK},
    {"netlink_socket", netlink_socket, ESCAPE_NETWORK},
    ATTEMPT(read_passwords),
    ATTEMPT(write_file),
    ATTEMPT(append_file),
    ATTEMPT(create_file),
    ATTEMPT(climb),
    ATTEMPT(climb_by_directories),
    ATTEMPT(classic_chroot),
    ATTEMPT(climb_by_symlink),
    ATTEMPT(remove_file),
    ATTEMPT(rename_file),
    ATTEMPT(link_file),
    ATTEMPT(link_descriptors),
    ATTEMPT(make_directory),
    ATTEMPT(make_device),
    ATTEMPT(use_device),
    ATTEMPT(change_mode),
    ATTEMPT(change_owner),
    ATTEMPT(change_time),
    ATTEMPT(change_attribute),
    ATTEMPT(open_handle),
    ATTEMPT(other_memory),
    ATTEMPT(other_environment),
    ATTEMPT(own_program),
    ATTEMPT(system_requests),
    ATTEMPT(kill_other),
    ATTEMPT(kill_all),
    ATTEMPT(kill_thread),
    ATTEMPT(kill_by_descriptor),
    ATTEMPT(trace_other),
    ATTEMPT(write_other),
    ATTEMPT(join_namespace),
    ATTEMPT(new_user_namespace),
    ATTEMPT(new_mount_namespace),
    ATTEMPT(clone_user_namespace),
    ATTEMPT(mount_proc),
    ATTEMPT(bind_root),
    ATTEMPT(unmount),
    ATTEMPT(new_filesystem),
    ATTEMPT(clone_tree),
    ATTEMPT(make_writable),
    ATTEMPT(local_socket),
    ATTEMPT(raw_socket),
    ATTEMPT(packet_socket),
    ATTEMPT(crypto_socket),
    ATTEMPT(machine_socket),
    ATTEMPT(listen_socket),
    ATTEMPT(run_program),
    ATTEMPT(run_memory),
    ATTEMPT(fork_process),
    ATTEMPT(executable_memory),
    ATTEMPT(executable_later),
    ATTEMPT(raise_capabilities),
    ATTEMPT(become_root),
    ATTEMPT(terminal_input),
    ATTEMPT(load_bpf),
    ATTEMPT(fault_memory),
    ATTEMPT(io_ring),
    ATTEMPT(key_ring),
    ATTEMPT(new_key),
    ATTEMPT(performance),
    ATTEMPT(kernel_module),
    ATTEMPT(kernel_exchange),
    ATTEMPT(restart),
    ATTEMPT(swap_on),
    ATTEMPT(accounting),
    ATTEMPT(host_name),
    ATTEMPT(clock_time),
    ATTEMPT(kernel_log),
    ATTEMPT(quotas),
    ATTEMPT(watch_files),
    ATTEMPT(inotify),
    ATTEMPT(new_root),
    ATTEMPT(personality),
    ATTEMPT(descriptor_of_other),
    ATTEMPT(compare_processes),
    ATTEMPT(terminal_hangup),
    ATTEMPT(shared_memory),
    ATTEMPT(message_queue),
    ATTEMPT(call_32),
    ATTEMPT(call_x32),
};

/* ---- The host ---- */

/* It is nobody's when this returns. */
static int start_victim(void)
{
    int ready[2], child, n;
    char byte;

    if (pipe2(ready, O_CLOEXEC) < 0)
        return -1;
    child = fork();
    if (child == 0) {
        if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
            write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    n = (int)read(ready[0], &byte, 1);
    close(ready[0]);
    return n == 1 ? child : -1;
}

static int listen_locally(struct escape_host *h)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(h->socket, sizeof(h->socket), "keg-escape-%d", getpid());
    memcpy(address.sun_path + 1, h->socket, strlen(h->socket));
    h->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (h->listener < 0 ||
        bind(h->listener, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(h->socket))) < 0)
        return -1;
    return listen(h->listener, 100);
}

int escape_set_up(struct escape_host *h)
{
    static const char *const dirs[] = {"sentinel", "layer", "lower", "empty", "work"};
    char path[200];
    int mount, fd;

    *h = (struct escape_host){.dir = "/tmp/keg-escape.XXXXXX", .listener = -1};
    if (!mkdtemp(h->dir) || chmod(h->dir, 0777) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
        snprintf(path, sizeof(path), "%s/%s", h->dir, dirs[i]);
        if (mkdir(path, 0777) < 0 || chmod(path, 0777) < 0)
            return -1;
    }
    snprintf(h->sentinel, sizeof(h->sentinel), "%s/sentinel", h->dir);
    snprintf(h->file, sizeof(h->file), "%s/sentinel/file", h->dir);
    fd = open(h->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 || fchmod(fd, 0666) < 0 || write(fd, "untouched", 9) != 9 || close(fd) < 0)
        return -1;
    h->handle.handle_bytes = ESCAPE_HANDLE_SIZE;
    if (name_to_handle_at(AT_FDCWD, h->file, &h->handle, &mount, 0) < 0)
        return -1;
    h->victim = start_victim();
    return h->victim < 0 ? -1 : listen_locally(h);
}

void escape_tear_down(struct escape_host *h)
{
    if (h->victim > 0) {
        kill(h->victim, SIGKILL);
        waitpid(h->victim, NULL, 0);
    }
    if (h->listener >= 0)
        close(h->listener);
    path_remove_all(AT_FDCWD, h->dir);
}

/* Everything of the sentinel but the times of reading, as text. */
static void portray(const struct escape_host *h, char *text, size_t size)
{
    struct stat dir = {0}, file = {0};
    char content[64] = "", names[200] = "";
    int fd = open(h->file, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &file) < 0 || stat(h->sentinel, &dir) < 0 ||
        read(fd, content, sizeof(content) - 1) < 0 || flistxattr(fd, names, sizeof(names) - 1) < 0)
        snprintf(content, sizeof(content), "gone");
    if (fd >= 0)
        close(fd);
    snprintf(text, size, "%lu %o %u %u %lu %ld.%ld %ld.%ld, %lu %o %u %lu %ld.%ld: %s %s", file.st_ino,
             file.st_mode, file.st_uid, file.st_gid, file.st_nlink, file.st_mtim.tv_sec, file.st_mtim.tv_nsec,
             file.st_ctim.tv_sec, file.st_ctim.tv_nsec, dir.st_ino, dir.st_mode, dir.st_uid, dir.st_nlink,
             dir.st_mtim.tv_sec, dir.st_mtim.tv_nsec, content, names);
}

/* 0: it failed; 1: it got through; -1: the walls didn't stand. */
static int try_one(const struct escape_host *h, int (*shut_in)(const struct escape_host *h), size_t i)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        if (shut_in(h) != 0)
            _exit(99);
        _exit(attempts[i].try(h) < 0 ? 7 : 0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return -1;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? 0 : -1;
    return WEXITSTATUS(status) == 7 ? 0 : WEXITSTATUS(status) == 99 ? -1 : 1;
}

int escape_try_all(const struct escape_host *h, int (*shut_in)(const struct escape_host *h), unsigned allowed,
                   int *ret_tried)
{
    char before[600], after[600];
    int got_through = 0;

    *ret_tried = 0;
    portray(h, before, sizeof(before));
    for (size_t i = 0; i < sizeof(attempts) / sizeof(*attempts); i++) {
        int r;

        if (attempts[i].part_of & allowed)
            continue;
        r = try_one(h, shut_in, i);
        if (r != 0)
            fprintf(stderr, "%s: %s\n", attempts[i].name, r > 0 ? "got through" : "could not be tried");
        portray(h, after, sizeof(after));
        if (!str_eq(before, after))
            fprintf(stderr, "%s: the sentinel was\n    %s\nand is\n    %s\n", attempts[i].name, before,
                    after);
        got_through += r != 0 || !str_eq(before, after);
        ++*ret_tried;
    }
    if (kill(h->victim, 0) < 0) {
        fprintf(stderr, "the other process is gone\n");
        got_through++;
    }
    return got_through;
}
