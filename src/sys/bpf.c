/* Generates, loads and attaches device programs.
 *
 * Registers: r2 = device type, r3 = the access bits not decided yet, r4 = major, r5 = minor, r0 = the answer.
 * From the last rule to the first: an allow rule that matches takes its bits out of r3, and with nothing left
 * the answer is yes; a deny rule that matches any bit left answers no. */
#include "sys/bpf.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/bpf_internal.h"

enum { RULE_INSNS_MAX = 9, FRAME_INSNS = 9, ATTACHED_MAX = 64 };

#define LOAD(d, field)                                                                                       \
    INSN(BPF_LDX | BPF_MEM | BPF_W, d, BPF_REG_1, (short)offsetof(struct bpf_cgroup_dev_ctx, field), 0)
#define MOVE_REG(d, s)    INSN(BPF_ALU | BPF_MOV | BPF_X, d, s, 0, 0)
#define AND_IMM(d, i)     INSN(BPF_ALU | BPF_AND | BPF_K, d, 0, 0, i)
#define SHIFT_RIGHT(d, i) INSN(BPF_ALU | BPF_RSH | BPF_K, d, 0, 0, i)

size_t bpf_device_program_max(size_t count)
{
    return count * RULE_INSNS_MAX + FRAME_INSNS;
}

/* One rule's instructions; returns how many. A test that fails skips to the end of the rule. */
static size_t bpf_device_rule(const struct bpf_device_rule *rule, struct bpf_insn *out)
{
    struct {
        bool wanted;
        int reg;
        int32_t value;
    } tests[] = {
        {rule->type != 0, BPF_REG_2, (int32_t)rule->type},
        {rule->major != BPF_DEVICE_ANY, BPF_REG_4, (int32_t)rule->major},
        {rule->minor != BPF_DEVICE_ANY, BPF_REG_5, (int32_t)rule->minor},
    };
    const size_t decision = 4; /* instructions that follow the tests */
    size_t n = 0, left = 0;
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        left += tests[i].wanted;
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        if (tests[i].wanted)
            out[n++] = JUMP_IF(BPF_JNE, tests[i].reg, tests[i].value, --left + decision);
    if (rule->allow) {
        out[n++] = AND_IMM(BPF_REG_3, (int32_t)~rule->access);
        out[n++] = JUMP_IF(BPF_JNE, BPF_REG_3, 0, 2);
        out[n++] = MOVE_IMM(BPF_REG_0, 1);
        out[n++] = EXIT_INSN;
    } else {
        out[n++] = INSN(BPF_JMP | BPF_JSET | BPF_K, BPF_REG_3, 0, 1, (int32_t)rule->access);
        out[n++] = INSN(BPF_JMP | BPF_JA, 0, 0, 2, 0);
        out[n++] = MOVE_IMM(BPF_REG_0, 0);
        out[n++] = EXIT_INSN;
    }
    return n;
}

int bpf_device_program(const struct bpf_device_rule *rules, size_t count, struct bpf_insn *out, size_t max)
{
    if (max < bpf_device_program_max(count))
        return -E2BIG;
    size_t n = 0;
    out[n++] = LOAD(BPF_REG_2, access_type);
    out[n++] = MOVE_REG(BPF_REG_3, BPF_REG_2);
    out[n++] = SHIFT_RIGHT(BPF_REG_3, 16);
    out[n++] = AND_IMM(BPF_REG_2, 0xffff);
    out[n++] = LOAD(BPF_REG_4, major);
    out[n++] = LOAD(BPF_REG_5, minor);
    for (size_t i = count; i-- > 0;)
        n += bpf_device_rule(&rules[i], out + n);
    out[n++] = MOVE_IMM(BPF_REG_0, 0);
    out[n++] = EXIT_INSN;
    return (int)n;
}

int bpf_call(int command, union bpf_attr *attr)
{
    long r = syscall(SYS_bpf, command, attr, sizeof(*attr));
    return r < 0 ? -errno : (int)r;
}

int bpf_load(union bpf_attr *attr, const struct bpf_insn *program, size_t length)
{
    attr->insns = (uint64_t)(uintptr_t)program;
    attr->insn_cnt = (uint32_t)length;
    attr->license = (uint64_t)(uintptr_t) "Apache-2.0";
    int r = bpf_call(BPF_PROG_LOAD, attr);
    if (r != -EPERM)
        return r;
    /* Before Linux 5.11 programs counted as locked memory. */
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    return setrlimit(RLIMIT_MEMLOCK, &unlimited) < 0 ? r : bpf_call(BPF_PROG_LOAD, attr);
}

int bpf_device_load(const struct bpf_insn *program, size_t length)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    return bpf_load(&attr, program, length);
}

/* The ids of the device programs attached to a cgroup itself. */
static int bpf_device_attached(int cgroup, uint32_t ids[ATTACHED_MAX], uint32_t *ret_count)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.query.target_fd = (uint32_t)cgroup;
    attr.query.attach_type = BPF_CGROUP_DEVICE;
    attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
    attr.query.prog_cnt = ATTACHED_MAX;
    int r = bpf_call(BPF_PROG_QUERY, &attr);
    *ret_count = r < 0 ? 0 : attr.query.prog_cnt;
    return r;
}

static int bpf_device_detach(int cgroup, uint32_t id)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.prog_id = id;
    _cleanup_close_ int old = bpf_call(BPF_PROG_GET_FD_BY_ID, &attr);
    if (old < 0)
        return old == -ENOENT ? 0 : old;
    memset(&attr, 0, sizeof(attr));
    attr.target_fd = (uint32_t)cgroup;
    attr.attach_bpf_fd = (uint32_t)old;
    attr.attach_type = BPF_CGROUP_DEVICE;
    return bpf_call(BPF_PROG_DETACH, &attr);
}

int bpf_device_attach(int cgroup, int program)
{
    uint32_t old[ATTACHED_MAX], count;
    int r = bpf_device_attached(cgroup, old, &count);
    if (r < 0)
        return r;
    /* All attached programs must agree, so between the two steps both sets of rules hold. */
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.target_fd = (uint32_t)cgroup;
    attr.attach_bpf_fd = (uint32_t)program;
    attr.attach_type = BPF_CGROUP_DEVICE;
    attr.attach_flags = BPF_F_ALLOW_MULTI;
    r = bpf_call(BPF_PROG_ATTACH, &attr);
    for (uint32_t i = 0; r >= 0 && i < count; i++)
        r = bpf_device_detach(cgroup, old[i]);
    return r < 0 ? r : 0;
}
