/* What a container runs in tests, where busybox can't look or do: one static program, one verb an invocation.
 *
 *   payload fds            the descriptors above 2 that are open, one a line
 *   payload write-exe PID  tries to open /proc/PID/exe for writing; prints the error, or "writable"
 *   payload alloc MB       touches that much memory
 *   payload fork N         makes N children; prints how many came to be
 *   payload socket FAMILY  opens a socket of that number; prints "ok" or the error
 *   payload signals        the signals that are blocked, ignored, as hexadecimal masks
 *   payload exit N */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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
