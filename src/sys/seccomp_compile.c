/* An OCI seccomp object becomes a BPF program: libseccomp writes the main part, and a few instructions go
 * before it for what libseccomp can't say:
 *
 *   recent      System calls with numbers from 424 on are numbered alike on all architectures. Those that
 * this libseccomp doesn't know yet are decided here, and those younger than anything the profile names get
 * ENOSYS, as from an older kernel: C libraries fall back to an older call then, while EPERM would break
 * programs. socketcall  Asked to restrict socket() by its arguments, libseccomp allows it unrestricted
 * through socketcall() on the architectures that have it. SYS_SOCKET is refused there, unless the profile
 * names socketcall itself. */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "sys/seccomp_internal.h"

enum {
    ARCHITECTURES_MAX = 24,
    ARGUMENTS_MAX = 6,
    RECENT_FIRST = 424,
    RECENT_MAX = 64,
    X32_BIT = 0x40000000,
    X32_OWN_FIRST = 512, /* x32 has a second range of numbers */
    X32_OWN_LAST = 547,
    PRELUDE_MAX = 2 * RECENT_MAX + 4 * ARCHITECTURES_MAX + 32,
    ERRNO_MAX = 4095,
};

/* To add one: its name at the end; the numbers follow each other. */
static const char *const recent_names[] = {
    "pidfd_send_signal",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "pidfd_open",
    "clone3",
    "close_range",
    "openat2",
    "pidfd_getfd",
    "faccessat2",
    "process_madvise",
    "epoll_pwait2",
    "mount_setattr",
    "quotactl_fd",
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self",
    "memfd_secret",
    "process_mrelease",
    "futex_waitv",
    "set_mempolicy_home_node",
    "cachestat",
    "fchmodat2",
    "map_shadow_stack",
    "futex_wake",
    "futex_wait",
    "futex_requeue",
    "statmount",
    "listmount",
    "lsm_get_self_attr",
    "lsm_set_self_attr",
    "lsm_list_modules",
    "mseal",
    "setxattrat",
    "getxattrat",
    "listxattrat",
    "removexattrat",
    "open_tree_attr",
    "file_getattr",
    "file_setattr",
};

static const struct {
    const char *name;
    uint32_t action;
    bool takes_errno;
} actions[] = {
    {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false},
    {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true},
    {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, false},
    {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false},
    {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, false},
    {"SCMP_ACT_LOG", SECCOMP_RET_LOG, false},
    {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF, false},
    {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true},
    {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false},
};

static const struct {
    const char *name;
    enum scmp_compare op;
} operators[] = {
    {"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE}, {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_LE", SCMP_CMP_LE}, {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
    {"SCMP_CMP_NE", SCMP_CMP_NE},
};

static const char *const architecture_names[] = {
    "SCMP_ARCH_AARCH64",  "SCMP_ARCH_ARM",         "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",   "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC",      "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",      "SCMP_ARCH_PPC64",       "SCMP_ARCH_PPC64LE",     "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",     "SCMP_ARCH_S390X",       "SCMP_ARCH_SH",          "SCMP_ARCH_SHEB",
    "SCMP_ARCH_X32",      "SCMP_ARCH_X86",         "SCMP_ARCH_X86_64",
};

static const struct {
    const char *name;
    unsigned flag;
} flags[] = {
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_TSYNC", 0}, /* there is no other thread that will see execve() */
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};

/* Architectures with socketcall(2), and its number there. */
static const struct {
    uint32_t architecture;
    uint32_t number;
} socketcalls[] = {
    {SCMP_ARCH_X86, 102},   {SCMP_ARCH_S390, 102},    {SCMP_ARCH_S390X, 102}, {SCMP_ARCH_PPC, 102},
    {SCMP_ARCH_PPC64, 102}, {SCMP_ARCH_PPC64LE, 102}, {SCMP_ARCH_MIPS, 4102}, {SCMP_ARCH_MIPSEL, 4102},
};

struct compilation {
    scmp_filter_ctx ctx;
    uint32_t default_action;
    uint32_t architectures[ARCHITECTURES_MAX];
    size_t architecture_count;
    bool has_x32;
    bool wants_listener;
    unsigned flags;
    struct {
        uint32_t number, action;
    } recent[RECENT_MAX];
    size_t recent_count;
    uint32_t youngest;      /* the highest number named */
    bool socket_restricted; /* socket() is allowed by its arguments */
    bool socketcall_named;
};

int seccomp_recent_number(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(recent_names); i++)
        if (str_eq(recent_names[i], name))
            return RECENT_FIRST + (int)i;
    return -1;
}

static int compile_action(const json_t *object, const char *action_key, const char *errno_key, uint32_t *ret,
                          struct err *err)
{
    const char *name = json_str(object, action_key);
    const json_t *errnum = json_object_get(object, errno_key);
    for (size_t i = 0; name && i < ARRAY_SIZE(actions); i++) {
        if (!str_eq(actions[i].name, name))
            continue;
        *ret = actions[i].action;
        if (actions[i].takes_errno)
            *ret |= EPERM;
        if (!errnum || json_is_null(errnum))
            return 0;
        if (!actions[i].takes_errno)
            return err_set(err, ERR_INVALID, "seccomp: %s takes no %s", name, errno_key);
        if (!json_is_integer(errnum) || json_integer_value(errnum) < 0 ||
            json_integer_value(errnum) > ERRNO_MAX)
            return err_set(err, ERR_INVALID, "seccomp: %s isn't an errno", errno_key);
        *ret = actions[i].action | (uint32_t)json_integer_value(errnum);
        return 0;
    }
    return err_set(err, ERR_INVALID, "seccomp: unknown %s \"%s\"", action_key, name ? name : "");
}

static int compile_architectures(struct compilation *c, const json_t *seccomp, struct err *err)
{
    const json_t *list = json_object_get(seccomp, "architectures");
    c->architectures[c->architecture_count++] = seccomp_arch_native();
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        const char *bare = name ? str_after(name, "SCMP_ARCH_") : NULL;
        char lower[32] = "";
        for (size_t k = 0; bare && bare[k] && k < sizeof(lower) - 1; k++)
            lower[k] = (char)(bare[k] >= 'A' && bare[k] <= 'Z' ? bare[k] | ' ' : bare[k]);
        uint32_t token = *lower ? seccomp_arch_resolve_name(lower) : 0;
        if (!token)
            return err_set(err, ERR_INVALID, "seccomp: unknown architecture \"%s\"", name ? name : "");
        int r = seccomp_arch_add(c->ctx, token);
        if (r == -EEXIST)
            continue;
        if (r < 0)
            return err_errno(err, r, "seccomp: architecture \"%s\" can't be added", name);
        if (c->architecture_count == ARCHITECTURES_MAX)
            return err_set(err, ERR_INVALID, "seccomp: too many architectures");
        c->architectures[c->architecture_count++] = token;
    }
    for (size_t i = 0; i < c->architecture_count; i++)
        c->has_x32 |= c->architectures[i] == SCMP_ARCH_X32;
    return 0;
}

static int compile_flags(struct compilation *c, const json_t *seccomp, struct err *err)
{
    const json_t *list = json_object_get(seccomp, "flags");
    if (!json_is_array(list)) /* nobody asked to slow down speculation */
        c->flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        size_t k = 0;
        while (k < ARRAY_SIZE(flags) && !str_eq(flags[k].name, name))
            k++;
        if (k == ARRAY_SIZE(flags))
            return err_set(err, ERR_INVALID, "seccomp: unknown flag \"%s\"", name ? name : "");
        c->flags |= flags[k].flag;
    }
    return 0;
}

static int compile_argument(const json_t *object, struct scmp_arg_cmp *ret, struct err *err)
{
    const json_t *index = json_object_get(object, "index"), *value = json_object_get(object, "value");
    const char *op = json_str(object, "op");
    if (!json_is_integer(index) || json_integer_value(index) < 0 ||
        json_integer_value(index) >= ARGUMENTS_MAX)
        return err_set(err, ERR_INVALID, "seccomp: an argument's index must be 0 to %d", ARGUMENTS_MAX - 1);
    if (!json_is_integer(value))
        return err_set(err, ERR_INVALID, "seccomp: an argument's value must be a number below 2^63");
    for (size_t i = 0; op && i < ARRAY_SIZE(operators); i++) {
        if (!str_eq(operators[i].name, op))
            continue;
        *ret = (struct scmp_arg_cmp){.arg = (unsigned)json_integer_value(index),
                                     .op = operators[i].op,
                                     .datum_a = (scmp_datum_t)json_integer_value(value),
                                     .datum_b = (scmp_datum_t)json_int_or(object, "valueTwo", 0)};
        return 0;
    }
    return err_set(err, ERR_INVALID, "seccomp: unknown operator \"%s\"", op ? op : "");
}

/* A rule's conditions. libseccomp joins them by "and", but takes only one a argument. Several equalities on
 * one argument can only mean "one of these", and become rules of their own (*ret_alternatives). Anything else
 * there would, taken apart, allow more than it says, so it is refused. */
static int compile_arguments(const json_t *rule, struct scmp_arg_cmp out[ARGUMENTS_MAX * 4],
                             unsigned *ret_count, bool *ret_alternatives, struct err *err)
{
    const json_t *args = json_object_get(rule, "args");
    unsigned per_index[ARGUMENTS_MAX] = {};
    bool equalities = true;
    *ret_count = (unsigned)json_array_size(args);
    *ret_alternatives = false;
    if (*ret_count > ARGUMENTS_MAX * 4)
        return err_set(err, ERR_INVALID, "seccomp: too many conditions in one rule");
    for (unsigned i = 0; i < *ret_count; i++) {
        if (compile_argument(json_array_get(args, i), &out[i], err) < 0)
            return -1;
        *ret_alternatives |= ++per_index[out[i].arg] > 1;
        equalities &= out[i].op == SCMP_CMP_EQ || out[i].op == SCMP_CMP_MASKED_EQ;
        equalities &= out[i].arg == out[0].arg;
    }
    if (*ret_alternatives && !equalities)
        return err_set(
            err, ERR_INVALID,
            "seccomp: several conditions on one argument of a rule must all be equalities; use one rule for "
            "each range");
    return 0;
}

static bool action_lets_pass(uint32_t action)
{
    uint32_t kind = action & SECCOMP_RET_ACTION_FULL;
    return kind == SECCOMP_RET_ALLOW || kind == SECCOMP_RET_LOG;
}

/* A system call that libseccomp doesn't know. */
static int compile_unknown(struct compilation *c, const char *name, uint32_t action, unsigned conditions,
                           struct err *err)
{
    int number = seccomp_recent_number(name);
    if (number < 0)
        return 0; /* of another architecture, or of the future: the specification lets it pass over */
    if (conditions > 0)
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "seccomp: libseccomp doesn't know %s yet, so its arguments can't be compared", name);
    c->youngest = MAX_OF(c->youngest, (uint32_t)number);
    if (c->recent_count < RECENT_MAX) {
        c->recent[c->recent_count].number = (uint32_t)number;
        c->recent[c->recent_count++].action = action;
    }
    return 0;
}

static int compile_syscall(struct compilation *c, const char *name, uint32_t action,
                           const struct scmp_arg_cmp *args, unsigned count, bool alternatives,
                           struct err *err)
{
    int number = seccomp_syscall_resolve_name(name);
    if (str_eq(name, "socket") && action_lets_pass(action) && count > 0)
        c->socket_restricted = true;
    if (str_eq(name, "socketcall"))
        c->socketcall_named = true;
    if (number == __NR_SCMP_ERROR)
        return compile_unknown(c, name, action, count, err);
    if (number > 0 && number < X32_OWN_FIRST)
        c->youngest = MAX_OF(c->youngest, (uint32_t)number);
    if (action == c->default_action)
        return 0;
    int r = 0;
    if (!alternatives)
        r = seccomp_rule_add_array(c->ctx, action, number, count, args);
    for (unsigned i = 0; alternatives && r == 0 && i < count; i++)
        r = seccomp_rule_add_array(c->ctx, action, number, 1, &args[i]);
    if (r < 0 && r != -EEXIST)
        return err_set(err, ERR_INVALID, "seccomp: the rule for %s can't be added: %s", name, strerror(-r));
    return 0;
}

/* A list that is none would be an empty one, and the filter another than was meant. */
static int check_lists(const json_t *object, const char *const keys[], struct err *err)
{
    for (; *keys; keys++) {
        const json_t *list = json_object_get(object, *keys);
        if (list && !json_is_array(list) && !json_is_null(list))
            return err_set(err, ERR_INVALID, "seccomp: %s is no list", *keys);
    }
    return 0;
}

static int compile_rules(struct compilation *c, const json_t *seccomp, struct err *err)
{
    const json_t *rules = json_object_get(seccomp, "syscalls");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i), *names = json_object_get(rule, "names");
        struct scmp_arg_cmp args[ARGUMENTS_MAX * 4];
        unsigned count;
        bool alternatives;
        uint32_t action;
        if (check_lists(rule, (const char *[]){"names", "args", NULL}, err) < 0)
            return -1;
        if (json_array_size(names) == 0)
            return err_set(err, ERR_INVALID, "seccomp: syscalls[%zu] has no names", i);
        if (compile_action(rule, "action", "errnoRet", &action, err) < 0 ||
            compile_arguments(rule, args, &count, &alternatives, err) < 0)
            return -1;
        c->wants_listener |= action == SECCOMP_RET_USER_NOTIF;
        for (size_t k = 0; k < json_array_size(names); k++) {
            const char *name = json_string_value(json_array_get(names, k));
            if (!name)
                return err_set(err, ERR_INVALID, "seccomp: syscalls[%zu].names must be texts", i);
            if (compile_syscall(c, name, action, args, count, alternatives, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* --- the part before libseccomp's --- */

#define LOAD(field)    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { LOW_HALF = 0 };
#else
enum { LOW_HALF = 4 };
#endif

struct prelude {
    struct sock_filter code[PRELUDE_MAX];
    size_t count;
};

static void prelude_add(struct prelude *p, struct sock_filter insn)
{
    p->code[p->count++] = insn;
}

/* Jumps written with this offset lead to the end of the section. */
enum { TO_END = 255 };

static void prelude_resolve(struct prelude *p, size_t from)
{
    for (size_t i = from; i < p->count; i++) {
        if (BPF_CLASS(p->code[i].code) != BPF_JMP)
            continue;
        if (p->code[i].jt == TO_END)
            p->code[i].jt = (unsigned char)(p->count - i - 1);
        if (p->code[i].jf == TO_END)
            p->code[i].jf = (unsigned char)(p->count - i - 1);
        if (BPF_OP(p->code[i].code) == BPF_JA)
            p->code[i].k = (unsigned)(p->count - i - 1);
    }
}

/* The kernel's value of an architecture: x32 is x86_64 with a bit in the number. */
static uint32_t architecture_audit(uint32_t token)
{
    return token == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : token;
}

static void prelude_recent(struct prelude *p, const struct compilation *c)
{
    size_t start = p->count;
    bool refuses = (c->default_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
    uint32_t youngest = MAX_OF(c->youngest, RECENT_FIRST - 1);
    if (c->recent_count == 0 && !refuses)
        return;
    prelude_add(p, (struct sock_filter)LOAD(nr));
    prelude_add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, RECENT_FIRST, 0, TO_END));
    prelude_add(p, (struct sock_filter)LOAD(arch));
    for (size_t i = 0; i < c->architecture_count; i++)
        prelude_add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                    architecture_audit(c->architectures[i]),
                                                    (unsigned char)(c->architecture_count - i), 0));
    prelude_add(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0)); /* not ours: libseccomp's to refuse */
    prelude_add(p, (struct sock_filter)LOAD(nr));
    if (c->has_x32)
        prelude_add(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (unsigned)~X32_BIT));
    else
        prelude_add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, TO_END, 0));
    for (size_t i = 0; i < c->recent_count; i++) {
        prelude_add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, c->recent[i].number, 0, 1));
        prelude_add(p, (struct sock_filter)RETURN(c->recent[i].action));
    }
    if (refuses) {
        prelude_add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, X32_OWN_LAST, 2, 0));
        prelude_add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_OWN_FIRST, TO_END, 0));
        prelude_add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, youngest, 0, TO_END));
        prelude_add(p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | ENOSYS));
    }
    prelude_resolve(p, start);
}

static void prelude_socketcall(struct prelude *p, const struct compilation *c, uint32_t architecture,
                               uint32_t number)
{
    size_t start = p->count;
    prelude_add(p, (struct sock_filter)LOAD(arch));
    prelude_add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 0, TO_END));
    prelude_add(p, (struct sock_filter)LOAD(nr));
    prelude_add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, TO_END));
    prelude_add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                offsetof(struct seccomp_data, args) + LOW_HALF));
    prelude_add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_SOCKET, 0, TO_END));
    prelude_add(p, (struct sock_filter)RETURN(c->default_action));
    prelude_resolve(p, start);
}

static void prelude_build(struct prelude *p, const struct compilation *c)
{
    prelude_recent(p, c);
    if (!c->socket_restricted || c->socketcall_named || action_lets_pass(c->default_action))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(socketcalls); i++)
        for (size_t k = 0; k < c->architecture_count; k++)
            if (c->architectures[k] == socketcalls[i].architecture)
                prelude_socketcall(p, c, socketcalls[i].architecture, socketcalls[i].number);
}

/* libseccomp writes its program to a descriptor only. */
static struct seccomp_filter *compile_link(struct compilation *c, struct err *err)
{
    struct prelude prelude = {};
    prelude_build(&prelude, c);
    _cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : seccomp_export_bpf(c->ctx, fd);
    off_t size = r < 0 ? 0 : lseek(fd, 0, SEEK_CUR);
    if (r < 0 || size <= 0) {
        err_errno(err, r < 0 ? r : EIO, "seccomp: generate the filter");
        return NULL;
    }
    size_t main_count = (size_t)size / sizeof(struct sock_filter);
    if (prelude.count + main_count > BPF_MAXINSNS) {
        err_set(err, ERR_INVALID, "seccomp: the filter has %zu instructions; the kernel takes %d",
                prelude.count + main_count, BPF_MAXINSNS);
        return NULL;
    }
    _cleanup_(seccomp_filter_free_p) struct seccomp_filter *f =
        seccomp_filter_new(prelude.count + main_count);
    memcpy(f->code, prelude.code, prelude.count * sizeof(f->code[0]));
    if (pread(fd, f->code + prelude.count, (size_t)size, 0) != size) {
        err_errno(err, EIO, "seccomp: read the filter back");
        return NULL;
    }
    f->flags = c->flags;
    f->wants_listener = c->wants_listener;
    return take_ptr(&f);
}

struct seccomp_filter *seccomp_compile(const json_t *seccomp, uint64_t capabilities, struct err *err)
{
    _cleanup_json_ json_t *expanded =
        seccomp_is_default(seccomp) ? seccomp_default_profile(capabilities) : NULL;
    struct compilation c = {};
    struct seccomp_filter *f = NULL;
    if (expanded)
        seccomp = expanded;
    if (!json_is_object(seccomp)) {
        err_set(err, ERR_INVALID, "seccomp must be an object");
        return NULL;
    }
    if (check_lists(seccomp, (const char *[]){"syscalls", "architectures", "flags", NULL}, err) < 0 ||
        compile_action(seccomp, "defaultAction", "defaultErrnoRet", &c.default_action, err) < 0)
        return NULL;
    if (c.default_action == SECCOMP_RET_USER_NOTIF) {
        err_set(err, ERR_INVALID, "seccomp: SCMP_ACT_NOTIFY can't be the default action");
        return NULL;
    }
    c.ctx = seccomp_init(c.default_action);
    if (!c.ctx) {
        err_set(err, ERR_NOT_IMPLEMENTED,
                "seccomp: libseccomp or the kernel doesn't support the default action %s",
                json_str_or(seccomp, "defaultAction", ""));
        return NULL;
    }
    (void)seccomp_attr_set(c.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree, not a list */
    if (compile_architectures(&c, seccomp, err) == 0 && compile_flags(&c, seccomp, err) == 0 &&
        compile_rules(&c, seccomp, err) == 0) {
        /* who listens there waits for a descriptor, whether or not a rule notifies */
        c.wants_listener |= !str_empty(json_str(seccomp, "listenerPath"));
        f = compile_link(&c, err);
    }
    seccomp_release(c.ctx);
    return f;
}

json_t *seccomp_known_actions(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        json_array_append_new(list, json_string(actions[i].name));
    return list;
}

json_t *seccomp_known_operators(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
        json_array_append_new(list, json_string(operators[i].name));
    return list;
}

json_t *seccomp_known_architectures(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(architecture_names); i++)
        json_array_append_new(list, json_string(architecture_names[i]));
    return list;
}

json_t *seccomp_known_flags(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        json_array_append_new(list, json_string(flags[i].name));
    return list;
}

/* The kernel looks at the flags before it reads the program: EFAULT means that it knows them. What goes with a listener only
 * can't be promised to every profile. */
json_t *seccomp_supported_flags(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        unsigned flag = flags[i].flag;
        if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
            continue;
        if (!flag || (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 && errno == EFAULT))
            json_array_append_new(list, json_string(flags[i].name));
    }
    return list;
}

int seccomp_check_names(const json_t *seccomp, struct err *err)
{
    const json_t *rules = json_object_get(seccomp, "syscalls");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *names = json_object_get(json_array_get(rules, i), "names");
        for (size_t k = 0; k < json_array_size(names); k++) {
            const char *name = json_string_value(json_array_get(names, k));
            if (name && seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR &&
                seccomp_recent_number(name) < 0)
                return err_set(err, ERR_INVALID, "seccomp: unknown system call %s", name);
        }
    }
    return 0;
}
