/* The layer worker tries to break out: each attempt in a process of its own that shuts itself in as keg-layer
 * does. */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/path.h"
#include "base/str.h"
#include "storage/worker/sandbox.h"

static char outside[] = "/tmp/keg-sandbox-XXXXXX"; /* holds "layer/", which the worker gets, and "sentinel" */

/* Shuts in and runs; the wait status of it. `attempt` returns the exit code. */
static int confined(int (*attempt)(long argument), long argument)
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        char layer[64];
        struct sandbox_root root = {.work = -EBADF};
        struct err err = {};
        int fd;

        snprintf(layer, sizeof(layer), "%s/layer", outside);
        fd = open(layer, O_RDONLY | O_DIRECTORY);
        root.tree = dup2(fd, 3);
        if (open("/", O_RDONLY | O_DIRECTORY) < 0 || sandbox_enter(&root, 3, &err) < 0 ||
            sandbox_seal(&err) < 0) {
            fprintf(stderr, "%s\n", err.message);
            _exit(99);
        }
        _exit(attempt(argument));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int attempt_call(long number)
{
    syscall(number, 0, 0, 0, 0, 0, 0);
    return 0;
}

static void test_system_calls(void **state _unused_)
{
    static const struct {
        const char *name;
        long number;
    } calls[] = {
#define CALL(name) {#name, SYS_##name}
        CALL(mount),
        CALL(umount2),
        CALL(pivot_root),
        CALL(chroot),
        CALL(unshare),
        CALL(setns),
        CALL(open_tree),
        CALL(move_mount),
        CALL(fsopen),
        CALL(fsmount),
        CALL(clone),
        CALL(fork),
        CALL(vfork),
        CALL(clone3),
        CALL(execve),
        CALL(execveat),
        CALL(socket),
        CALL(connect),
        CALL(ptrace),
        CALL(bpf),
        CALL(kill),
        CALL(process_vm_writev),
        CALL(pidfd_getfd),
        CALL(open_by_handle_at),
        CALL(name_to_handle_at),
        CALL(ioctl),
        CALL(io_uring_setup),
        CALL(keyctl),
        CALL(perf_event_open),
        CALL(init_module),
        CALL(finit_module),
        CALL(kexec_load),
        CALL(reboot),
        CALL(swapon),
        CALL(prctl),
        CALL(capset),
        CALL(setuid),
        CALL(seccomp),
        CALL(memfd_create),
        CALL(open),
        CALL(userfaultfd),
        CALL(mbind),
        CALL(quotactl),
        CALL(acct),
        CALL(settimeofday),
    };

    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        int status = confined(attempt_call, calls[i].number);

        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s: status %#x", calls[i].name, (unsigned)status);
    }
}

static int attempt_executable_memory(long argument _unused_)
{
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return 0;
}

static int attempt_signal(long argument _unused_)
{
    syscall(SYS_tgkill, 1, 1, SIGKILL);
    return 0;
}

static void test_arguments(void **state _unused_)
{
    assert_int_equal(WTERMSIG(confined(attempt_executable_memory, 0)), SIGSYS);
    assert_int_equal(WTERMSIG(confined(attempt_signal, 0)), SIGSYS);
}

/* Returns 0 when nothing outside the layer can be reached. */
static int attempt_files(long argument _unused_)
{
    static const char *const paths[] = {"/../sentinel",
                                        "../sentinel",
                                        "../../../../etc/passwd",
                                        "/etc/passwd",
                                        "/proc/self/exe",
                                        "/proc/1/root",
                                        "/dev/null",
                                        "/sys"};
    struct stat st;

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (openat(AT_FDCWD, paths[i], O_RDONLY) >= 0)
            return 10 + (int)i;
    if (openat(AT_FDCWD, outside, O_RDONLY) >= 0)
        return 30;
    for (int fd = 4; fd < 600; fd++) /* the root that was open before, or anything else */
        if (fcntl(fd, F_GETFD) >= 0)
            return 31;
    if (openat(3, "../sentinel", O_RDONLY) >= 0)
        return 32;
    /* But the layer is there, and can be written. */
    if (fstatat(AT_FDCWD, "/inside", &st, 0) < 0 || mkdirat(AT_FDCWD, "made", 0755) < 0)
        return 33;
    /* A device can be made, as layers have them, but not used. */
    if (mknodat(AT_FDCWD, "disk", S_IFBLK | 0600, 0x100) < 0 || openat(AT_FDCWD, "disk", O_RDONLY) >= 0)
        return 34;
    return 0;
}

static void test_files(void **state _unused_)
{
    int status = confined(attempt_files, 0);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int group_setup(void **state _unused_)
{
    char command[200];

    if (geteuid() != 0)
        return 0;
    if (!mkdtemp(outside))
        return -1;
    snprintf(command, sizeof(command), "cd %s && mkdir layer && touch layer/inside sentinel", outside);
    return system(command);
}

static int group_teardown(void **state _unused_)
{
    return geteuid() == 0 ? path_remove_all(AT_FDCWD, outside) : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system_calls),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_files),
    };

    if (geteuid() != 0) {
        puts("needs root");
        return 77; /* skipped */
    }
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
