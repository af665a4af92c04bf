/* Filters, judged by running them: in an interpreter of classic BPF, so that every architecture's view can be
 * tried on any machine, and some for real in a child. Only x86_64's numbers are used; elsewhere those tests
 * skip. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/capability.h"
#include "sys/seccomp_internal.h"

enum { ALLOW = 0, X32 = 0x40000000, I386_SOCKET = 359, I386_SOCKETCALL = 102, KILLED = -1 };
enum {
    CALL_CLONE = 56,
    CALL_UNSHARE = 272,
    CALL_CLONE3 = 435,
    CALL_FCHMODAT2 = 452,
    CALL_MSEAL = 462,
    CALL_KEYCTL = 250
};

static struct err err;

/* What the kernel's own interpreter does with the instructions that filters are made of. */
static uint32_t run_filter(const struct seccomp_filter *f, const struct seccomp_data *data)
{
    uint32_t a = 0;
    for (size_t pc = 0; pc < f->count; pc++) {
        const struct sock_filter *i = &f->code[pc];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(i->k + 4 <= sizeof(*data));
            memcpy(&a, (const char *)data + i->k, 4);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            break;
        case BPF_JMP | BPF_JA:
            pc += i->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            pc += a > i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            pc += a >= i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            pc += a & i->k ? i->jt : i->jf;
            break;
        case BPF_RET | BPF_K:
            return i->k;
        default:
            fail_msg("unexpected instruction %#x at %zu", i->code, pc);
        }
    }
    fail_msg("ran off the end");
    return 0;
}

/* 0 if allowed, the errno if refused, KILLED. */
static int judge(const struct seccomp_filter *f, uint32_t arch, int nr, uint64_t arg0)
{
    struct seccomp_data data = {.nr = nr, .arch = arch, .args = {arg0}};
    uint32_t action = run_filter(f, &data);
    switch (action & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
        return ALLOW;
    case SECCOMP_RET_ERRNO:
        return (int)(action & SECCOMP_RET_DATA);
    default:
        return KILLED;
    }
}

static void need_x86_64(void)
{
#ifndef __x86_64__
    print_message("[  SKIP  ] the numbers are x86_64's\n");
    skip();
#endif
}

static struct seccomp_filter *default_filter(uint64_t capabilities)
{
    _cleanup_json_ json_t *named = json_pack("{s:s}", SECCOMP_PROFILE_KEY, SECCOMP_PROFILE_DEFAULT);
    struct seccomp_filter *f = seccomp_compile(named, capabilities, &err);
    if (!f)
        fail_msg("%s", err.message);
    return f;
}

static void test_socket_families(void **state _unused_)
{
    need_x86_64();
    _cleanup_(seccomp_filter_free_p) struct seccomp_filter *f = default_filter(capability_default());
    for (int family = 0; family < 64; family++) {
        int expected = family == AF_ALG || family == AF_VSOCK ? EPERM : ALLOW;
        for (int shift = 0; shift < 2; shift++) { /* the kernel ignores the upper half: so must the rule */
            uint64_t arg = (uint64_t)family | (uint64_t)shift << 40;
            assert_int_equal(judge(f, AUDIT_ARCH_X86_64, SYS_socket, arg), expected);
            assert_int_equal(judge(f, AUDIT_ARCH_X86_64, SYS_socket | X32, arg), expected);
        }
        assert_int_equal(judge(f, AUDIT_ARCH_I386, I386_SOCKET, (uint64_t)family), expected);
    }
    /* The multiplexer: everything but making sockets, whose family can't be seen. */
    for (uint64_t call = 1; call <= 20; call++)
        assert_int_equal(judge(f, AUDIT_ARCH_I386, I386_SOCKETCALL, call), call == 1 ? EPERM : ALLOW);
}

static void test_namespaces(void **state _unused_)
{
    need_x86_64();
    _cleanup_(seccomp_filter_free_p) struct seccomp_filter *plain = default_filter(capability_default());
    _cleanup_(seccomp_filter_free_p) struct seccomp_filter *admin = default_filter(capability_all());
    static const uint64_t flags[] = {0x10000000, 0x20000, 0x40000000, 0x2000000};
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        assert_int_equal(judge(plain, AUDIT_ARCH_X86_64, CALL_CLONE, flags[i] | 17), EPERM);
        assert_int_equal(judge(admin, AUDIT_ARCH_X86_64, CALL_CLONE, flags[i] | 17), ALLOW);
    }
    assert_int_equal(judge(plain, AUDIT_ARCH_X86_64, CALL_CLONE, 17), ALLOW);
    assert_int_equal(judge(plain, AUDIT_ARCH_X86_64, CALL_UNSHARE, 0), EPERM);
    assert_int_equal(judge(admin, AUDIT_ARCH_X86_64, CALL_UNSHARE, 0), ALLOW);
    assert_int_equal(judge(plain, AUDIT_ARCH_X86_64, CALL_CLONE3, 0), ENOSYS);
    assert_int_equal(judge(plain, AUDIT_ARCH_I386, CALL_CLONE3, 0), ENOSYS);
    assert_int_equal(judge(admin, AUDIT_ARCH_X86_64, CALL_CLONE3, 0), ALLOW);
    assert_int_equal(judge(plain, AUDIT_ARCH_X86_64, CALL_KEYCTL, 0), EPERM);
    assert_int_equal(judge(plain, AUDIT_ARCH_X86_64, SYS_personality, 0x20000), ALLOW);
    assert_int_equal(judge(plain, AUDIT_ARCH_X86_64, SYS_personality, 0x40000), EPERM);
    assert_int_equal(judge(plain, AUDIT_ARCH_AARCH64, 1, 0), KILLED);
}

/* Programs built against a younger C library try a younger call first and fall back on ENOSYS only. */
static void test_young_calls(void **state _unused_)
{
    need_x86_64();
    _cleanup_(seccomp_filter_free_p) struct seccomp_filter *f = default_filter(capability_default());
    static const uint32_t arches[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386};
    for (size_t i = 0; i < ARRAY_SIZE(arches); i++) {
        assert_int_equal(judge(f, arches[i], CALL_FCHMODAT2, 0), ALLOW);
        assert_int_equal(judge(f, arches[i], CALL_MSEAL, 0), ALLOW);
        assert_int_equal(judge(f, arches[i], 500, 0), ENOSYS);
        assert_int_equal(judge(f, arches[i], 4000, 0), ENOSYS);
        assert_int_equal(judge(f, arches[i], 425, 0), EPERM); /* io_uring_setup: known, and not allowed */
    }
    assert_int_equal(judge(f, AUDIT_ARCH_X86_64, CALL_MSEAL | X32, 0), ALLOW);
    assert_int_equal(judge(f, AUDIT_ARCH_X86_64, 500 | X32, 0), ENOSYS);
}

static struct seccomp_filter *compile_text(const char *text)
{
    _cleanup_json_ json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    err = (struct err){};
    return seccomp_compile(json, 0, &err);
}

static void test_lists_that_are_none(void **state _unused_)
{
    static const char *const texts[] = {
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":{}}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":\"SCMP_ARCH_X86\"}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":1}",
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"clone\"],"
        "\"action\":\"SCMP_ACT_ALLOW\",\"args\":{\"index\":0}}]}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_null(compile_text(texts[i]));
        assert_non_null(strstr(err.message, "is no list"));
    }
}

static void test_oci_objects(void **state _unused_)
{
    need_x86_64();
    _cleanup_(seccomp_filter_free_p) struct seccomp_filter *deny = compile_text(
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],\"syscalls\":["
        "{\"names\":[\"getcwd\",\"no_such_call\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":99},"
        "{\"names\":[\"mseal\"],\"action\":\"SCMP_ACT_ERRNO\"},"
        "{\"names\":[\"chmod\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"}]}");
    assert_non_null(deny);
    assert_int_equal(deny->flags, SECCOMP_FILTER_FLAG_LOG);
    assert_int_equal(judge(deny, AUDIT_ARCH_X86_64, SYS_getcwd, 0), 99);
    assert_int_equal(judge(deny, AUDIT_ARCH_X86_64, SYS_chmod, 0), KILLED);
    assert_int_equal(judge(deny, AUDIT_ARCH_X86_64, CALL_MSEAL, 0), EPERM);
    assert_int_equal(judge(deny, AUDIT_ARCH_X86_64, SYS_read, 0), ALLOW);
    assert_int_equal(judge(deny, AUDIT_ARCH_X86_64, 4000, 0), ALLOW);
    _cleanup_(seccomp_filter_free_p) struct seccomp_filter *either =
        compile_text("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"personality\"],"
                     "\"action\":\"SCMP_ACT_ALLOW\","
                     "\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},{\"index\":0,\"value\":2,"
                     "\"op\":\"SCMP_CMP_EQ\"}]}]}");
    assert_non_null(either);
    assert_int_equal(judge(either, AUDIT_ARCH_X86_64, SYS_personality, 2), ALLOW);
    assert_int_equal(judge(either, AUDIT_ARCH_X86_64, SYS_personality, 3), EPERM);
    _cleanup_(seccomp_filter_free_p) struct seccomp_filter *notify =
        compile_text("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\"],\"action\":"
                     "\"SCMP_ACT_NOTIFY\"}]}");
    assert_non_null(notify);
    assert_true(notify->wants_listener);
    assert_int_equal(seccomp_install(notify, NULL), -EINVAL);
}

static const char *const wrong_objects[] = {
    "{}",
    "{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}",
    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}",
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":5000}",
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_PDP11\"]}",
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"flags\":[\"SECCOMP_FILTER_FLAG_FUN\"]}",
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\"}]}",
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_NICE\"}]"
    "}",
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
    "\"args\":"
    "[{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}",
    /* taken apart, "not 38" or "not 40" would be everything */
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_"
    "ALLOW\",\"args\":"
    "[{\"index\":0,\"value\":38,\"op\":\"SCMP_CMP_NE\"},{\"index\":0,\"value\":40,\"op\":\"SCMP_CMP_NE\"}]}]"
    "}",
};

static void test_wrong_objects(void **state _unused_)
{
    for (size_t i = 0; i < ARRAY_SIZE(wrong_objects); i++) {
        _cleanup_(seccomp_filter_free_p) struct seccomp_filter *f = compile_text(wrong_objects[i]);
        if (f)
            fail_msg("accepted: %s", wrong_objects[i]);
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

static void test_docker_profile(void **state _unused_)
{
    need_x86_64();
    static const char text[] =
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\","
        "\"subArchitectures\":"
        "[\"SCMP_ARCH_X86\"]},{\"architecture\":\"SCMP_ARCH_AARCH64\"}],\"syscalls\":["
        "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"comment\":\"x\"},"
        "{\"name\":\"mount\",\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
        "{\"names\":[\"chroot\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
        "{\"names\":[\"ptrace\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"4.8\"}},"
        "{\"names\":[\"bpf\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"999.0\"}},"
        "{\"names\":[\"swapon\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"s390x\"]}}]}";
    _cleanup_json_ json_t *profile = json_loads(text, 0, NULL);
    _cleanup_json_ json_t *plain = seccomp_profile_resolve(profile, 0, &err);
    assert_non_null(plain);
    assert_null(json_object_get(plain, "archMap"));
    assert_int_equal(json_array_size(json_object_get(plain, "architectures")), 2);
    const json_t *rules = json_object_get(plain, "syscalls");
    assert_int_equal(json_array_size(rules), 3); /* read, chroot, ptrace */
    _cleanup_json_ json_t *admin = seccomp_profile_resolve(profile, CAPABILITY_BIT(21), &err);
    rules = json_object_get(admin, "syscalls");
    assert_int_equal(json_array_size(rules), 3); /* read, mount, ptrace */
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(json_array_get(rules, 1), "names"), 0)), "mount");
    assert_null(json_object_get(json_array_get(rules, 1), "includes"));
    _cleanup_json_ json_t *both =
        json_loads("{\"archMap\":[{}],\"architectures\":[\"SCMP_ARCH_X86\"]}", 0, NULL);
    assert_null(seccomp_profile_resolve(both, 0, &err));
}

static void assert_equal_filters(const struct seccomp_filter *a, const struct seccomp_filter *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->flags, b->flags);
    assert_memory_equal(a->code, b->code, a->count * sizeof(a->code[0]));
}

static void test_cache(void **state _unused_)
{
    char dir[] = "/tmp/keg-test-seccomp-XXXXXX";
    assert_non_null(mkdtemp(dir));
    _cleanup_(buf_finish) struct buf key = BUF_INIT(1000), other = BUF_INIT(1000);
    buf_puts(&key, "one");
    buf_puts(&other, "two");
    _cleanup_(seccomp_filter_free_p) struct seccomp_filter *f = default_filter(capability_default());
    assert_null(seccomp_cache_load(dir, &key));
    seccomp_cache_store(dir, &key, f);
    _cleanup_(seccomp_filter_free_p) struct seccomp_filter *back = seccomp_cache_load(dir, &key);
    assert_non_null(back);
    assert_equal_filters(f, back);
    assert_null(seccomp_cache_load(dir, &other));
    /* by way of the front door */
    _cleanup_json_ json_t *named = json_pack("{s:s}", SECCOMP_PROFILE_KEY, SECCOMP_PROFILE_DEFAULT);
    for (int i = 0; i < 2; i++) {
        _cleanup_(seccomp_filter_free_p) struct seccomp_filter *got =
            seccomp_get(named, capability_default(), dir, &err);
        assert_non_null(got);
        assert_equal_filters(f, got);
    }
    /* a directory others can write to isn't trusted */
    assert_int_equal(chmod(dir, 0777), 0);
    assert_null(seccomp_cache_load(dir, &key));
    assert_int_equal(path_remove_all(AT_FDCWD, dir), 0);
}

/* With the filter on: 0 when socket(AF_ALG) is refused and an ordinary one isn't, by every way there is. */
static int probe_sockets(const struct seccomp_filter *f)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(f, NULL) < 0)
        return 1;
    if (syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) < 0)
        return 2;
    if (syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0) >= 0 || errno != EPERM)
        return 3;
    if (syscall(SYS_socket, (long)AF_ALG | 1L << 32, SOCK_SEQPACKET, 0) >= 0 || errno != EPERM)
        return 4;
    if (syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0) >= 0 || errno != EPERM)
        return 5;
    if (syscall(CALL_CLONE3, 0, 0) >= 0 || errno != ENOSYS)
        return 6;
    return 0;
}

static void test_for_real(void **state _unused_)
{
    need_x86_64();
    _cleanup_(seccomp_filter_free_p) struct seccomp_filter *f = default_filter(capability_default());
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(probe_sockets(f));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_socket_families), cmocka_unit_test(test_namespaces),
        cmocka_unit_test(test_young_calls),     cmocka_unit_test(test_lists_that_are_none),
        cmocka_unit_test(test_oci_objects),     cmocka_unit_test(test_wrong_objects),
        cmocka_unit_test(test_docker_profile),  cmocka_unit_test(test_cache),
        cmocka_unit_test(test_for_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
