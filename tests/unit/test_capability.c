/* Names, Docker's arithmetic, and sets put on a child. What needs root says so. */
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"
#include "sys/capability.h"

static void test_names(void **state _unused_)
{
    assert_int_equal(capability_from_name("CAP_NET_RAW"), CAP_NET_RAW);
    assert_int_equal(capability_from_name("net_raw"), CAP_NET_RAW);
    assert_int_equal(capability_from_name("Cap_Chown"), CAP_CHOWN);
    assert_int_equal(capability_from_name("CAP_"), -EINVAL);
    assert_int_equal(capability_from_name("CAP_NOPE"), -EINVAL);
    assert_string_equal(capability_name(CAP_CHECKPOINT_RESTORE), "CAP_CHECKPOINT_RESTORE");
    assert_null(capability_name(63));
    assert_null(capability_name(-1));
    assert_true(capability_last() >= CAP_AUDIT_READ);
    assert_int_equal(__builtin_popcountll(capability_default()), 14);
}

static void test_json(void **state _unused_)
{
    _cleanup_json_ json_t *names = json_pack("[s,s,s,i]", "CAP_KILL", "CAP_CHOWN", "CAP_FUTURE", 3);
    _cleanup_strv_ char **unknown = NULL;
    uint64_t set = capability_mask_from_json(names, &unknown);
    assert_true(set == (CAPABILITY_BIT(CAP_CHOWN) | CAPABILITY_BIT(CAP_KILL)));
    assert_int_equal(strv_len(unknown), 2);
    assert_string_equal(unknown[0], "CAP_FUTURE");
    _cleanup_json_ json_t *back = capability_mask_to_json(set);
    assert_int_equal(json_array_size(back), 2);
    assert_string_equal(json_string_value(json_array_get(back, 0)), "CAP_CHOWN");
    assert_true(capability_mask_from_json(NULL, NULL) == 0);
}

static uint64_t merge(const char *const *add, const char *const *drop, bool privileged)
{
    uint64_t set = 0;
    struct err err = {};
    if (capability_merge((char *const *)add, (char *const *)drop, privileged, &set, &err) < 0)
        fail_msg("%s", err.message);
    return set;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_merge(void **state _unused_)
{
    const uint64_t available = capability_available(), usual = capability_default() & available;
    const uint64_t kill_bit = CAPABILITY_BIT(CAP_KILL), chown_bit = CAPABILITY_BIT(CAP_CHOWN);
    if ((available & (kill_bit | chown_bit)) != (kill_bit | chown_bit)) {
        print_message("[  SKIP  ] needs CAP_KILL and CAP_CHOWN in the bounding set\n");
        skip();
    }
    assert_true(merge(NULL, NULL, false) == usual);
    assert_true(merge(NULL, NULL, true) == available);
    assert_true(merge(NULL, LIST("kill"), false) == (usual & ~kill_bit));
    assert_true(merge(LIST("all"), NULL, false) == available);
    assert_true(merge(LIST("ALL"), LIST("CAP_KILL"), false) == (available & ~kill_bit));
    assert_true(merge(LIST("CHOWN"), LIST("all"), false) == chown_bit);
    assert_true(merge(LIST("CHOWN"), LIST("chown"), false) == usual); /* added after it was dropped */
    assert_true(merge(NULL, LIST("ALL"), true) == available);         /* privileged wins */
    uint64_t set;
    struct err err = {};
    assert_int_equal(capability_merge((char *const *)LIST("net_foo"), NULL, false, &set, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_string_equal(err.message, "invalid CapAdd: unknown capability: \"CAP_NET_FOO\"");
}

/* Runs fn in a child; it returns 0 when all is well. */
static void in_child(int (*fn)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(fn());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int apply_as_nobody(void)
{
    const uint64_t kill_bit = CAPABILITY_BIT(CAP_KILL), raw = CAPABILITY_BIT(CAP_NET_RAW);
    struct capability_sets want = {.bounding = kill_bit | raw,
                                   .permitted = kill_bit | raw,
                                   .effective = kill_bit,
                                   .inheritable = kill_bit,
                                   .ambient = kill_bit | raw},
                           is;
    uint64_t refused = 0;
    if (capability_drop_bounding(want.bounding) < 0 || capability_keep() < 0)
        return 1;
    if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
        return 2;
    if (capability_apply(&want, &refused) < 0 || capability_get(&is) < 0)
        return 3;
    if (is.bounding != want.bounding || is.permitted != want.permitted || is.effective != want.effective)
        return 4;
    return is.inheritable == kill_bit && is.ambient == kill_bit && refused == raw ? 0 : 5;
}

static int apply_nothing(void)
{
    struct capability_sets want = {}, is;
    if (capability_drop_bounding(0) < 0 || capability_apply(&want, NULL) < 0 || capability_get(&is) < 0)
        return 1;
    return is.bounding || is.permitted || is.effective || is.inheritable || is.ambient;
}

static void test_apply(void **state _unused_)
{
    const uint64_t needed =
        CAPABILITY_BIT(CAP_KILL) | CAPABILITY_BIT(CAP_NET_RAW) | CAPABILITY_BIT(CAP_SETPCAP);
    if (geteuid() != 0 || (capability_available() & needed) != needed) {
        print_message("[  SKIP  ] needs root\n");
        skip();
    }
    in_child(apply_as_nobody);
    in_child(apply_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_apply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
