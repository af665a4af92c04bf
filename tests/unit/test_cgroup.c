/* cgroups on the host as it is. Needs root and mounted cgroups; skips otherwise. Names are /keg-test-<pid>.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"
#include "sys/bpf.h"
#include "sys/cgroup_internal.h"

static struct err err;

#define assert_ok(call)                                                                                      \
    do {                                                                                                     \
        if ((call) < 0)                                                                                      \
            fail_msg("%s: %s", #call, err.message);                                                          \
    } while (0)

static void need_cgroups(void)
{
    static bool tried, works;
    if (!tried && geteuid() == 0 && cgroup_mode() != CGROUP_MODE_NONE) {
        char path[64];
        snprintf(path, sizeof(path), "/keg-test-probe-%d", getpid());
        _cleanup_(cgroup_discard_p) struct cgroup *cg = cgroup_create(path, NULL);
        works = cg != NULL;
    }
    tried = true;
    if (!works) {
        print_message("[  SKIP  ] needs root and writable cgroups\n");
        skip();
    }
}

static struct cgroup *new_cgroup(void)
{
    static int n;
    char path[64];
    snprintf(path, sizeof(path), "/keg-test-%d/c%d", getpid(), n++);
    struct cgroup *cg = cgroup_create(path, &err);
    if (!cg)
        fail_msg("create: %s", err.message);
    return cg;
}

/* A child that sleeps until it is killed. */
static pid_t sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void read_file(const struct cgroup *cg, unsigned controller, const char *file, char *out, size_t size)
{
    int i = cgroup_tree_of(cg, controller);
    assert_true(i >= 0);
    assert_true(cgroup_read(cg->fd[i], file, out, size) >= 0);
}

static void test_create_attach_destroy(void **state _unused_)
{
    need_cgroups();
    struct cgroup *cg = new_cgroup();
    pid_t pid = sleeper(), *pids = NULL;
    size_t count = 0, hierarchies = 0;
    (void)cgroup_hierarchies(&hierarchies);
    assert_true(hierarchies > 0);
    assert_true(cgroup_is_empty(cg));
    assert_ok(cgroup_attach(cg, pid, 0, &err));
    assert_false(cgroup_is_empty(cg));
    assert_ok(cgroup_pids(cg, true, &pids, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(pids[0], pid);
    free(pids);
    /* in use: not to be made anew */
    assert_null(cgroup_create(cgroup_path(cg), &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    /* what another process would do */
    json_t *saved = cgroup_save(cg);
    struct cgroup *again = cgroup_open(saved, &err);
    assert_non_null(again);
    assert_false(cgroup_is_empty(again));
    json_decref(saved);
    cgroup_free(again);
    _cleanup_free_ char *directory = cgroup_directory(cg, 0);
    assert_int_equal(access(directory, F_OK), 0);
    assert_ok(cgroup_destroy(cg, 2000, &err)); /* kills the sleeper */
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(access(directory, F_OK), -1);
    assert_null(cgroup_open_path(cgroup_path(cg), &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    cgroup_free(cg);
}

static void test_self_join(void **state _unused_)
{
    need_cgroups();
    _cleanup_(cgroup_discard_p) struct cgroup *cg = new_cgroup();
    assert_ok(cgroup_prepare_join(cg, &err));
    pid_t pid = fork();
    if (pid == 0)
        _exit(cgroup_attach(cg, 0, 0, NULL) < 0 || cgroup_is_empty(cg));
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_true(cgroup_is_empty(cg));
}

static void test_limits(void **state _unused_)
{
    need_cgroups();
    _cleanup_(cgroup_discard_p) struct cgroup *cg = new_cgroup();
    _cleanup_json_ json_t *r =
        json_pack("{s:{s:i}, s:{s:i, s:i, s:i, s:s}, s:{s:i}}", "memory", "limit", 64 << 20, "cpu", "shares",
                  512, "quota", 50000, "period", 100000, "cpus", "0", "pids", "limit", 20);
    if (!cgroup_has_controller("memory") || !cgroup_has_controller("cpu") || !cgroup_has_controller("pids") ||
        !cgroup_has_controller("cpuset"))
        skip();
    assert_ok(cgroup_apply(cg, r, &err));
    struct cgroup_stats s;
    assert_ok(cgroup_stats(cg, true, &s, &err));
    assert_int_equal(s.memory_limit, 64 << 20);
    assert_int_equal(s.pids_limit, 20);
    assert_int_equal(s.pids_current, 0);
    assert_true(json_object_size(s.memory_stat) > 5);
    cgroup_stats_finish(&s);
    char text[64];
    read_file(cg, CTL_CPUSET, "cpuset.cpus", text, sizeof(text));
    assert_string_equal(text, "0");
    if (cgroup_mode() == CGROUP_MODE_UNIFIED)
        return;
    read_file(cg, CTL_CPU, "cpu.shares", text, sizeof(text));
    assert_string_equal(text, "512");
    read_file(cg, CTL_CPU, "cpu.cfs_quota_us", text, sizeof(text));
    assert_string_equal(text, "50000");
}

/* The kernel refuses a limit above memory+swap and the reverse: raising and lowering need opposite orders. */
static void test_memory_and_swap_up_and_down(void **state _unused_)
{
    need_cgroups();
    _cleanup_(cgroup_discard_p) struct cgroup *cg = new_cgroup();
    int i = cgroup_tree_of(cg, CTL_MEMORY);
    if (i < 0 || (faccessat(cg->fd[i], "memory.memsw.limit_in_bytes", F_OK, 0) < 0 &&
                  faccessat(cg->fd[i], "memory.swap.max", F_OK, 0) < 0)) {
        print_message("[  SKIP  ] needs swap accounting\n");
        skip();
    }
    static const int mib[] = {64, 512, 16, 128};
    for (size_t k = 0; k < ARRAY_SIZE(mib); k++) {
        json_int_t limit = (json_int_t)mib[k] << 20;
        _cleanup_json_ json_t *r = json_pack("{s:{s:I, s:I}}", "memory", "limit", limit, "swap", limit * 2);
        assert_ok(cgroup_apply(cg, r, &err));
        struct cgroup_stats s;
        assert_ok(cgroup_stats(cg, false, &s, &err));
        assert_int_equal(s.memory_limit, limit);
        cgroup_stats_finish(&s);
    }
    _cleanup_json_ json_t *none = json_pack("{s:{s:i}}", "memory", "limit", -1);
    assert_ok(cgroup_apply(cg, none, &err));
    struct cgroup_stats s;
    assert_ok(cgroup_stats(cg, false, &s, &err));
    assert_true(s.memory_limit == UINT64_MAX);
    cgroup_stats_finish(&s);
}

static void test_what_is_missing_is_named(void **state _unused_)
{
    need_cgroups();
    _cleanup_(cgroup_discard_p) struct cgroup *cg = new_cgroup();
    if (!cgroup_has_controller("rdma")) {
        _cleanup_json_ json_t *r = json_pack("{s:{s:{s:i}}}", "rdma", "mlx5_1", "hcaHandles", 3);
        assert_int_equal(cgroup_apply(cg, r, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_IMPLEMENTED);
        assert_non_null(strstr(err.message, "resources.rdma"));
    }
    _cleanup_json_ json_t *wrong = json_pack("{s:{s:s}}", "cpu", "cpus", "9999");
    assert_int_equal(cgroup_apply(cg, wrong, &err), -1);
    assert_non_null(strstr(err.message, "resources.cpu.cpus"));
    _cleanup_json_ json_t *empty = json_pack("{s:{s:i, s:n}, s:{s:i}, s:{}, s:[]}", "memory", "limit", 0,
                                             "swap", "cpu", "shares", 0, "rdma", "hugepageLimits");
    assert_ok(cgroup_apply(cg, empty, &err));
}

static void test_freeze_signal_kill(void **state _unused_)
{
    need_cgroups();
    _cleanup_(cgroup_discard_p) struct cgroup *cg = new_cgroup();
    pid_t pid = sleeper();
    assert_ok(cgroup_attach(cg, pid, 0, &err));
    assert_ok(cgroup_freeze(cg, true, &err));
    assert_true(cgroup_is_frozen(cg));
    assert_ok(cgroup_freeze(cg, false, &err));
    assert_false(cgroup_is_frozen(cg));
    assert_ok(cgroup_signal(cg, SIGSTOP, &err));
    int status;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    assert_ok(cgroup_freeze(cg, true, &err));
    assert_ok(cgroup_kill(cg, &err)); /* also what is frozen */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_oom(void **state _unused_)
{
    need_cgroups();
    if (!cgroup_has_controller("memory"))
        skip();
    _cleanup_(cgroup_discard_p) struct cgroup *cg = new_cgroup();
    _cleanup_json_ json_t *r = json_pack("{s:{s:i, s:i}}", "memory", "limit", 8 << 20, "swap", 8 << 20);
    assert_ok(cgroup_apply(cg, r, &err));
    _cleanup_close_ int fd = cgroup_oom_fd(cg, &err);
    assert_true(fd >= 0);
    assert_int_equal(cgroup_oom_kills(cg), 0);
    int go[2];
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        (void)!read(go[0], &c, 1);
        memset(mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 64 << 20);
        _exit(0);
    }
    assert_ok(cgroup_attach(cg, pid, 0, &err));
    assert_int_equal(write(go[1], "x", 1), 1);
    close(go[0]);
    close(go[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 2000), 1);
    cgroup_oom_drain(fd);
    assert_int_equal(cgroup_oom_kills(cg), 1);
}

/* Whether a child inside cg can make and open a device node for reading (1), or only fails with EPERM (0). */
static int child_can_open(struct cgroup *cg, unsigned major, unsigned minor)
{
    int go[2];
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c, path[64];
        (void)!read(go[0], &c, 1);
        snprintf(path, sizeof(path), "/tmp/keg-test-node-%d", getpid());
        int made = mknod(path, S_IFCHR | 0600, makedev(major, minor));
        int fd = made < 0 ? -1 : open(path, O_RDONLY | O_NONBLOCK);
        unlink(path);
        _exit(fd >= 0);
    }
    assert_ok(cgroup_attach(cg, pid, 0, &err));
    assert_int_equal(write(go[1], "x", 1), 1);
    close(go[0]);
    close(go[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static json_t *device_rules(bool zero_allowed)
{
    return json_pack("[{s:b, s:s}, {s:b, s:s, s:i, s:i, s:s}, {s:b, s:s, s:i, s:i, s:s}]", "allow", 0,
                     "access", "rwm", "allow", 1, "type", "c", "major", 1, "minor", 3, "access", "rwm",
                     "allow", (int)zero_allowed, "type", "c", "major", 1, "minor", 5, "access", "rwm");
}

static void test_devices(void **state _unused_)
{
    need_cgroups();
    if (!cgroup_has_controller("devices"))
        skip();
    _cleanup_(cgroup_discard_p) struct cgroup *cg = new_cgroup();
    _cleanup_json_ json_t *first = device_rules(false), *second = device_rules(true);
    assert_ok(cgroup_apply_devices(cg, first, &err));
    assert_int_equal(child_can_open(cg, 1, 3), 1);
    assert_int_equal(child_can_open(cg, 1, 5), 0);
    assert_ok(cgroup_apply_devices(cg, second, &err));
    assert_int_equal(child_can_open(cg, 1, 5), 1);
    assert_int_equal(child_can_open(cg, 1, 7), 0);
}

/* The program of the unified hierarchy, on the v2 tree that a hybrid host has too. */
static void test_device_program(void **state _unused_)
{
    need_cgroups();
    _cleanup_(cgroup_discard_p) struct cgroup *cg = new_cgroup();
    if (cgroup_unified_fd(cg) < 0) {
        print_message("[  SKIP  ] needs a cgroup v2 mount\n");
        skip();
    }
    const struct bpf_device_rule rules[] = {
        {true, BPF_DEVCG_DEV_CHAR, 1, 3, BPF_DEVCG_ACC_READ},
        {true, BPF_DEVCG_DEV_CHAR, 1, BPF_DEVICE_ANY, BPF_DEVCG_ACC_MKNOD},
        {true, 0, BPF_DEVICE_ANY, 5, 7},
        {false, BPF_DEVCG_DEV_CHAR, 1, 7, BPF_DEVCG_ACC_READ},
    };
    struct bpf_insn program[128];
    for (size_t count = 0; count <= ARRAY_SIZE(rules); count++) {
        int n = bpf_device_program(rules, count, program, ARRAY_SIZE(program));
        assert_true(n > 0);
        _cleanup_close_ int fd = bpf_device_load(program, (size_t)n);
        if (fd < 0)
            fail_msg("load %zu rules: %s", count, strerror(-fd));
        assert_int_equal(bpf_device_attach(cgroup_unified_fd(cg), fd), 0); /* replaces the one before */
        assert_int_equal(child_can_open(cg, 1, 3), count >= 2);
        assert_int_equal(child_can_open(cg, 1, 5), count >= 3);
        assert_int_equal(child_can_open(cg, 1, 7), 0);
    }
    assert_int_equal(bpf_device_program(rules, 4, program, 10), -E2BIG);
}

static void test_bad_paths(void **state _unused_)
{
    static const char *const bad[] = {"", "/", "/a/../..", "..", "//./", "/a\nb"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_null(cgroup_create(bad[i], &err));
        if (cgroup_mode() != CGROUP_MODE_NONE)
            assert_int_equal(err.kind, ERR_INVALID);
    }
}

/* Removes the common parent. */
static int tear_down(void **state _unused_)
{
    char path[64];
    snprintf(path, sizeof(path), "/keg-test-%d", getpid());
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_open_path(path, NULL);
    return cg ? cgroup_destroy(cg, 2000, NULL) : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_attach_destroy),
        cmocka_unit_test(test_self_join),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_memory_and_swap_up_and_down),
        cmocka_unit_test(test_what_is_missing_is_named),
        cmocka_unit_test(test_freeze_signal_kill),
        cmocka_unit_test(test_oom),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_device_program),
        cmocka_unit_test(test_bad_paths),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
