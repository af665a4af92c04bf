/* What a container runs in tests, where busybox can't look or do: one static program, one verb an invocation.
 *
 *   payload fds            the descriptors above 2 that are open, one a line
 *   payload write-exe PID  tries to open /proc/PID/exe for writing; prints the error, or "writable"
 *   payload alloc MB       touches that much memory
 *   payload fork N         makes N children; prints how many came to be
 *   payload socket FAMILY  opens a socket of that number; prints "ok" or the error
 *   payload sockets FAMILY the same by every way into the kernel: with the upper half of the argument set, by x32 and, of
 *                          32-bit programs, by socket and by socketcall; one "WAY ok" or "WAY error" a line
 *   payload traced         makes its parent its tracer and stops; prints "went on"
 *   payload signals        the signals that are blocked, ignored, as hexadecimal masks
 *   payload exit N */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int fds(const char *unused)
{
    (void)unused;
    for (int fd = 3; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("%d\n", fd);
    return 0;
}

static int write_exe(const char *pid)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/proc/%s/exe", pid);
    fd = open(path, O_RDWR | O_CLOEXEC);
    puts(fd < 0 ? strerror(errno) : "writable");
    return 0;
}

static int alloc(const char *megabytes)
{
    for (long i = 0; i < atol(megabytes); i++) {
        char *p = malloc(1 << 20);

        if (!p)
            return 1;
        memset(p, 1, 1 << 20);
        __asm__ volatile("" ::"r"(p) : "memory");
    }
    puts("ok");
    return 0;
}

static int make_children(const char *count)
{
    int made = 0;

    for (long i = 0; i < atol(count); i++) {
        pid_t pid = fork();

        if (pid == 0) {
            pause();
            _exit(0);
        }
        made += pid > 0;
    }
    printf("%d\n", made);
    return 0;
}

static int open_socket(const char *family)
{
    int fd = socket(atoi(family), SOCK_SEQPACKET, 0);

    puts(fd < 0 ? strerror(errno) : "ok");
    return 0;
}

static void print_way(const char *way, long result)
{
    printf("%s %s\n", way, result < 0 ? strerror((int)-result) : "ok");
}

#ifdef __x86_64__
static long call_ia32(long number, long a, long b, long c)
{
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return (int)result;
}

static void open_sockets_ia32(int family, int type)
{
    enum { IA32_SOCKET = 359, IA32_SOCKETCALL = 102, CALL_SOCKET = 1 };
    uint32_t *args = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

    if (args == MAP_FAILED)
        return;
    args[0] = (uint32_t)family;
    args[1] = (uint32_t)type;
    args[2] = 0;
    print_way("ia32", call_ia32(IA32_SOCKET, family, type, 0));
    print_way("socketcall", call_ia32(IA32_SOCKETCALL, CALL_SOCKET, (long)(uintptr_t)args, 0));
}
#endif

static int open_sockets(const char *text)
{
    long family = atol(text), high = family | (long)0xffffffff00000000L, type = SOCK_STREAM;
    long number = SYS_socket;

    if (family == AF_ALG)
        type = SOCK_SEQPACKET;
    print_way("plain", syscall(number, family, type, 0L) < 0 ? -errno : 0);
    print_way("high", syscall(number, high, type, 0L) < 0 ? -errno : 0);
#ifdef __x86_64__
    print_way("x32", syscall(number | 0x40000000, family, type, 0L) < 0 ? -errno : 0);
    open_sockets_ia32((int)family, (int)type);
#endif
    return 0;
}

static int be_traced(const char *unused)
{
    (void)unused;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
        perror("PTRACE_TRACEME");
        return 1;
    }
    raise(SIGCHLD);
    puts("went on");
    return 0;
}

static int show_signals(const char *unused)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");

    (void)unused;
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigIgn", 6) == 0)
            fputs(line, stdout);
    return 0;
}

static int leave(const char *status)
{
    return atoi(status);
}

static const struct {
    const char *name;
    int (*run)(const char *argument);
} verbs[] = {
    {"fds", fds},
    {"write-exe", write_exe},
    {"alloc", alloc},
    {"fork", make_children},
    {"socket", open_socket},
    {"sockets", open_sockets},
    {"traced", be_traced},
    {"signals", show_signals},
    {"exit", leave},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc > 2 ? argv[2] : "");
    return 64;
}
