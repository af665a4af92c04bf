/* keg-init: PID 1 of a container that was asked for with --init.
 *
 *     keg-init [--] program [argument…]
 *
 * It runs the program as its child in a process group of its own (in the foreground, when there is a terminal), passes
 * every signal on to it, reaps whatever dies, and ends as the program does: with its exit code, or 128 + its signal.
 * The kernel then ends what is left in the container. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { EXIT_USAGE = 125, EXIT_CANNOT_INVOKE = 126, EXIT_NO_PROGRAM = 127 };

static void complain(const char *what, const char *name)
{
    fprintf(stderr, "keg-init: %s %s: %s\n", what, name, strerror(errno));
}

/* Makes the calling process's group the terminal's foreground one, if there is a terminal. */
static void take_foreground(void)
{
    void (*old)(int) = signal(SIGTTOU, SIG_IGN);

    (void)tcsetpgrp(STDIN_FILENO, getpgrp()); /* no terminal, or not ours: nothing to take */
    signal(SIGTTOU, old);
}

static _noreturn_ void become(char **argv, const sigset_t *mask)
{
    setpgid(0, 0);
    take_foreground();
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(argv[0], argv);
    complain("exec", argv[0]);
    _exit(errno == ENOENT ? EXIT_NO_PROGRAM : EXIT_CANNOT_INVOKE);
}

/* Reaps everything that has died. True when `program` was among it. */
static bool reap(pid_t program, int *ret_code)
{
    bool ended = false;

    for (;;) {
        siginfo_t info = {0};

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
            return ended;
        if (info.si_code == CLD_TRAPPED) { /* it made us its tracer, unasked */
            int stop = info.si_status & 0x7f;
            ptrace(PTRACE_DETACH, info.si_pid, NULL, (void *)(long)(stop == SIGTRAP ? 0 : stop));
            continue;
        }
        if (info.si_pid != program)
            continue;
        *ret_code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        ended = true;
    }
}

/* Faults are our own and must not wait in a queue. */
static void fill_signals(sigset_t *set)
{
    static const int own[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};

    sigfillset(set);
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        sigdelset(set, own[i]);
}

int main(int argc, char **argv)
{
    sigset_t waited, before;
    int first = 1, code = 0;
    pid_t program;

    if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)) {
        puts("keg-init version " KEG_VERSION);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "--") == 0)
        first++;
    if (first >= argc) {
        fputs("usage: keg-init [--] program [argument...]\n", stderr);
        return EXIT_USAGE;
    }
    if (getpid() != 1)
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    fill_signals(&waited);
    sigprocmask(SIG_SETMASK, &waited, &before);
    signal(SIGTTIN, SIG_IGN);
    program = fork();
    if (program < 0) {
        complain("fork for", argv[first]);
        return EXIT_CANNOT_INVOKE;
    }
    if (program == 0) {
        signal(SIGTTIN, SIG_DFL);
        become(argv + first, &before);
    }
    while (!reap(program, &code)) {
        int sig = sigwaitinfo(&waited, NULL);

        if (sig > 0 && sig != SIGCHLD)
            kill(program, sig);
    }
    return code;
}
