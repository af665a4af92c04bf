/* ptrace(2): PTRACE_SEIZE, so that a process can be let go in the middle of a call it waits in. */
#include "tracer.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"

/* glibc's header and the kernel's can't be had together. */
struct syscall_info {
    uint8_t op;
    uint8_t pad[3];
    uint32_t arch;
    uint64_t ip, sp;
    uint64_t nr, args[6];
};

enum {
    OP_ENTRY = 1,
    OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
              PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL
};

struct process {
    pid_t pid; /* 0: gone, or let go */
    unsigned calls;
    bool counts;    /* the first one does from its first execve() on */
    bool waiting;   /* in accept(): to be let go once the first process has ended */
    bool fails;     /* the call it is in is made to */
    bool interfere; /* the call it is in is the chosen one */
};

struct tracer {
    const struct trace_plan *plan;
    struct trace_result *result;
    struct process processes[TRACE_PROCESSES_MAX];
    unsigned count;
    bool first_ended;
};

static int output_fd = -1, error_fd = -1;
static volatile sig_atomic_t timed_out;

static void on_alarm(int unused)
{
    (void)unused;
    timed_out = 1;
}

const char *trace_call_name(long nr)
{
    static char last[64];
    char *name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), (int)nr);

    snprintf(last, sizeof(last), "%s", name ? name : "?");
    free(name);
    return last;
}

static void set_alarm(int ms)
{
    struct itimerval t = {.it_value = {ms / 1000, ms % 1000 * 1000},
                          .it_interval = {.tv_usec = ms ? 100000 : 0}};
    struct sigaction action = {.sa_handler = on_alarm};

    timed_out = 0;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
}

/* ---- the other process' registers and memory ---- */

#if defined(__x86_64__)
static void skip_call(pid_t pid)
{
    ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), -1L);
}

static void set_call_result(pid_t pid, long value)
{
    ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), value);
}
#elif defined(__aarch64__)
static void skip_call(pid_t pid)
{
    int nr = -1;
    struct iovec io = {&nr, sizeof(nr)};

    ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &io);
}

static void set_call_result(pid_t pid, long value)
{
    struct user_regs_struct regs;
    struct iovec io = {&regs, sizeof(regs)};

    ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io);
    regs.regs[0] = (unsigned long)value;
    ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io);
}
#else
#error "tracer.c: how a call is skipped on this processor isn't known"
#endif

static ssize_t peek(pid_t pid, uint64_t address, void *to, size_t size)
{
    struct iovec local = {to, size},
                 remote = {(void *)(uintptr_t)address, size}; // NOLINT(performance-no-int-to-ptr)

    return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

bool trace_path(const struct trace_call *call, int *ret_dirfd, char *path, size_t size)
{
    int dirfd, at;
    size_t n = 0;

    if (!call_path_arguments(call->nr, &dirfd, &at))
        return false;
    *ret_dirfd = dirfd < 0 ? AT_FDCWD : (int)call->args[dirfd];
    while (n + 1 < size) { /* up to the end of each page, as the next may not be there */
        size_t piece = 4096 - (call->args[at] + n) % 4096;
        ssize_t got =
            peek(call->pid, call->args[at] + n, path + n, piece < size - 1 - n ? piece : size - 1 - n);

        if (got <= 0)
            break;
        if (memchr(path + n, '\0', (size_t)got))
            return true;
        n += (size_t)got;
    }
    path[n] = '\0';
    return true;
}

uint64_t trace_resolve_flags(const struct trace_call *call)
{
    struct open_how how = {0};

    if (call->nr == SYS_openat2)
        (void)peek(call->pid, call->args[2], &how, sizeof(how));
    return how.resolve;
}

static void describe(const struct trace_call *call, char *text, size_t size)
{
    char path[200];
    int dirfd;

    if (trace_path(call, &dirfd, path, sizeof(path)))
        snprintf(text, size, "process %u, call %u: %s(%d, \"%s\")", call->process, call->number,
                 trace_call_name(call->nr), dirfd, path);
    else
        snprintf(text, size, "process %u, call %u: %s(%lld, %lld)", call->process, call->number,
                 trace_call_name(call->nr), (long long)call->args[0], (long long)call->args[1]);
}

/* ---- the processes ---- */

static struct process *find(struct tracer *t, pid_t pid)
{
    for (unsigned i = 0; i < t->count; i++)
        if (t->processes[i].pid == pid)
            return &t->processes[i];
    return NULL;
}

static struct process *add(struct tracer *t, pid_t pid)
{
    struct process *p = find(t, pid);

    if (p || t->count == TRACE_PROCESSES_MAX)
        return p;
    p = &t->processes[t->count++];
    *p = (struct process){.pid = pid, .counts = t->count > 1};
    return p;
}

static bool any_left(const struct tracer *t)
{
    for (unsigned i = 0; i < t->count; i++)
        if (t->processes[i].pid)
            return true;
    return false;
}

static void go_on(const struct process *p, int signal)
{
    ptrace(PTRACE_SYSCALL, p->pid, NULL, (long)signal);
}

static void let_go(struct tracer *t, struct process *p)
{
    t->result->calls[p - t->processes] = p->calls;
    ptrace(PTRACE_DETACH, p->pid, NULL, 0L);
    p->pid = 0;
}

static void interfere(struct tracer *t, struct process *p, const struct trace_call *call)
{
    const struct trace_plan *plan = t->plan;

    t->result->reached = true;
    describe(call, t->result->call, sizeof(t->result->call));
    switch (plan->action) {
    case TRACE_FAIL:
        p->fails = true;
        t->result->errnum = call_error(call->nr, plan->variant);
        if (!call_is_done_anyway(call->nr))
            skip_call(p->pid);
        break;
    case TRACE_KILL:
        kill(p->pid, SIGKILL);
        break;
    case TRACE_CALL:
        p->interfere = true;
        plan->before(plan->data);
        break;
    case TRACE_WATCH:
        break;
    }
}

static void on_entry(struct tracer *t, struct process *p, const struct syscall_info *info)
{
    struct trace_call call = {.process = (unsigned)(p - t->processes), .pid = p->pid, .nr = (long)info->nr};

    p->waiting = info->nr == SYS_accept4;
    if (call.nr == SYS_fcntl && info->args[1] == F_GETFD)
        return;
    if (!p->counts || !call_can_fail(call.nr) || (p->waiting && !t->plan->attach))
        return;
    call.number = ++p->calls;
    memcpy(call.args, info->args, sizeof(call.args));
    if (t->plan->each)
        t->plan->each(&call, t->plan->data);
    if (t->plan->action != TRACE_WATCH && call.process == t->plan->process && call.number == t->plan->number)
        interfere(t, p, &call);
}

static void on_exit_of_call(struct tracer *t, struct process *p, long result)
{
    if (result > -512 || result < -516) /* what the kernel has for calls that go on after an interruption */
        p->waiting = false;
    if (p->fails)
        set_call_result(p->pid, -t->result->errnum);
    if (p->interfere && t->plan->after)
        t->plan->after(t->plan->data);
    p->fails = p->interfere = false;
}

static void on_call(struct tracer *t, struct process *p)
{
    struct syscall_info info;

    if (ptrace((enum __ptrace_request)PTRACE_GET_SYSCALL_INFO, p->pid, sizeof(info), &info) < 0)
        return;
    if (info.op == OP_ENTRY)
        on_entry(t, p, &info);
    else
        on_exit_of_call(t, p, (long)info.nr); /* in a union with the result */
    go_on(p, 0);
}

static void on_event(struct tracer *t, struct process *p, int status)
{
    int event = status >> 16;
    unsigned long pid = 0;

    if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
        ptrace(PTRACE_GETEVENTMSG, p->pid, NULL, &pid);
        add(t, (pid_t)pid);
    }
    if (event == PTRACE_EVENT_EXEC) {
        if (p != t->processes) { /* the container's own program, or a hook */
            let_go(t, p);
            return;
        }
        p->counts = true;
    }
    if (event == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP)
        ptrace(PTRACE_LISTEN, p->pid, NULL, 0L);
    else if (event == PTRACE_EVENT_STOP && p->waiting && t->first_ended)
        let_go(t, p);
    else
        go_on(p, 0);
}

static void on_end(struct tracer *t, struct process *p, int status)
{
    t->result->calls[p - t->processes] = p->calls;
    p->pid = 0;
    if (p != t->processes)
        return;
    t->result->status = status;
    t->first_ended = true;
}

static void dispatch(struct tracer *t, pid_t pid, int status)
{
    struct process *p = find(t, pid);

    if (WIFEXITED(status) || WIFSIGNALED(status)) {
        if (p)
            on_end(t, p, status);
        return;
    }
    if (!p && status >> 16 == PTRACE_EVENT_STOP) /* the child is there before its parent's event */
        p = add(t, pid);
    if (!p || !WIFSTOPPED(status))
        return;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80))
        on_call(t, p);
    else if (status >> 16)
        on_event(t, p, status);
    else
        go_on(p, WSTOPSIG(status));
}

/* Those that wait for a start stop, and are let go in on_event(). */
static void release_waiting(struct tracer *t)
{
    for (unsigned i = 0; t->first_ended && i < t->count; i++)
        if (t->processes[i].pid && t->processes[i].waiting)
            ptrace(PTRACE_INTERRUPT, t->processes[i].pid, NULL, 0L);
}

static void kill_all(struct tracer *t)
{
    for (unsigned i = 0; i < t->count; i++)
        if (t->processes[i].pid)
            kill(t->processes[i].pid, SIGKILL);
    for (unsigned i = 0; i < t->count; i++)
        while (t->processes[i].pid && waitpid(t->processes[i].pid, NULL, __WALL) > 0)
            ;
}

static void loop(struct tracer *t)
{
    set_alarm(t->plan->timeout_ms ? t->plan->timeout_ms : 10000);
    while (any_left(t)) {
        int status;
        pid_t pid = waitpid(-1, &status, __WALL);

        if (timed_out) {
            t->result->hung = true;
            kill_all(t);
            break;
        }
        if (pid < 0 && errno != EINTR)
            break;
        if (pid > 0)
            dispatch(t, pid, status);
        release_waiting(t);
    }
    set_alarm(0);
    t->result->processes = t->count;
}

/* ---- starting, and what it says ---- */

static void fresh_file(int *fd, const char *name)
{
    if (*fd >= 0)
        close(*fd);
    *fd = memfd_create(name, MFD_CLOEXEC);
    fcntl(*fd, F_SETFL, O_APPEND);
}

static void read_file(int fd, char text[TRACE_TEXT_MAX])
{
    ssize_t n = pread(fd, text, TRACE_TEXT_MAX - 1, 0);

    text[n > 0 ? n : 0] = '\0';
}

void trace_new_output(void)
{
    fresh_file(&output_fd, "output");
}

void trace_output(char text[TRACE_TEXT_MAX])
{
    read_file(output_fd, text);
}

/* The child waits for a byte before it executes argv. */
static pid_t spawn(char *const argv[], int *ret_go)
{
    int go[2], null;
    pid_t pid;
    char byte;

    fresh_file(&error_fd, "error");
    if (pipe2(go, O_CLOEXEC) < 0 || (pid = fork()) < 0)
        return -1;
    *ret_go = go[1];
    if (pid > 0) {
        close(go[0]);
        return pid;
    }
    close(go[1]);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (dup2(null, 0) < 0 || dup2(output_fd, 1) < 0 || dup2(error_fd, 2) < 0 || read(go[0], &byte, 1) != 1)
        _exit(99);
    execv(argv[0], argv);
    _exit(99);
}

static void seize(struct tracer *t, pid_t pid)
{
    struct process *p = add(t, pid);
    int status;

    if (ptrace(PTRACE_SEIZE, pid, NULL, (long)OPTIONS) < 0 || ptrace(PTRACE_INTERRUPT, pid, NULL, 0L) < 0) {
        p->pid = 0;
        return;
    }
    waitpid(pid, &status, __WALL);
    go_on(p, 0);
}

void trace_run(char *const argv[], const struct trace_plan *plan, struct trace_result *result)
{
    struct tracer t = {.plan = plan, .result = result};
    int go;
    pid_t pid;

    *result = (struct trace_result){.status = -1};
    pid = spawn(argv, &go);
    seize(&t, pid);
    if (plan->attach)
        seize(&t, plan->attach);
    if (write(go, "", 1) == 1)
        loop(&t);
    close(go);
    read_file(output_fd, result->output);
    read_file(error_fd, result->error);
}

void trace_plain(char *const argv[], struct trace_result *result)
{
    int go, status = -1;
    pid_t pid;

    *result = (struct trace_result){.status = -1};
    pid = spawn(argv, &go);
    if (write(go, "", 1) != 1)
        return;
    close(go);
    set_alarm(10000);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR && !timed_out)
        ;
    result->hung = timed_out;
    if (timed_out) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    set_alarm(0);
    result->status = status;
    read_file(output_fd, result->output);
    read_file(error_fd, result->error);
}

void trace_aside(char *const argv[], struct trace_result *result)
{
    int kept = output_fd;

    output_fd = -1;
    trace_new_output();
    trace_plain(argv, result);
    close(output_fd);
    output_fd = kept;
}
