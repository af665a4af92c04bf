/* Capabilities by raw system calls. */
#include "sys/capability.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"

/* The index is the kernel's number (linux/capability.h). To add a capability: a name at the end. */
static const char *const names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

static const unsigned char default_set[] = {
    CAP_CHOWN,   CAP_DAC_OVERRIDE,     CAP_FOWNER,  CAP_FSETID, CAP_KILL,       CAP_SETGID,      CAP_SETUID,
    CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_MKNOD,  CAP_SYS_CHROOT, CAP_AUDIT_WRITE, CAP_SETFCAP,
};

int capability_from_name(const char *name)
{
    if (strncasecmp(name, "CAP_", 4) == 0)
        name += 4;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcasecmp(names[i] + 4, name) == 0)
            return (int)i;
    return -EINVAL;
}

const char *capability_name(int number)
{
    return number >= 0 && (size_t)number < ARRAY_SIZE(names) ? names[number] : NULL;
}

int capability_last(void)
{
    int last = (int)ARRAY_SIZE(names) - 1;
    while (last >= 0 && prctl(PR_CAPBSET_READ, last, 0, 0, 0) < 0 && errno == EINVAL) /* not this kernel's */
        last--;
    return last;
}

uint64_t capability_all(void)
{
    return CAPABILITY_BIT(capability_last() + 1) - 1;
}

uint64_t capability_available(void)
{
    uint64_t set = 0;
    for (int i = 0; i < (int)ARRAY_SIZE(names); i++)
        if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
            set |= CAPABILITY_BIT(i);
    return set;
}

uint64_t capability_default(void)
{
    uint64_t set = 0;
    for (size_t i = 0; i < ARRAY_SIZE(default_set); i++)
        set |= CAPABILITY_BIT(default_set[i]);
    return set;
}

uint64_t capability_mask_from_json(const json_t *array, char ***ret_unknown)
{
    uint64_t set = 0, known = capability_all();
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *name = json_string_value(json_array_get(array, i));
        int number = name ? capability_from_name(name) : -EINVAL;
        if (number >= 0 && (known & CAPABILITY_BIT(number)))
            set |= CAPABILITY_BIT(number);
        else if (ret_unknown)
            strv_push(ret_unknown, name ? name : "(no string)");
    }
    return set;
}

json_t *capability_mask_to_json(uint64_t mask)
{
    json_t *array = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (mask & CAPABILITY_BIT(i))
            json_array_append_new(array, json_string(names[i]));
    return array;
}

/* One of add or drop to a mask, and whether "ALL" is in it. */
static int capability_parse_list(char *const *list, uint64_t *ret_set, bool *ret_all, struct err *err)
{
    uint64_t available = capability_available();
    for (size_t i = 0; list && list[i]; i++) {
        if (strcasecmp(list[i], "ALL") == 0 || strcasecmp(list[i], "CAP_ALL") == 0) {
            *ret_all = true;
            continue;
        }
        int number = capability_from_name(list[i]);
        if (number < 0 || !(available & CAPABILITY_BIT(number))) {
            _cleanup_free_ char *upper =
                xasprintf("%s%s", strncasecmp(list[i], "CAP_", 4) ? "CAP_" : "", list[i]);
            for (char *c = upper; *c; c++)
                *c = (char)toupper((unsigned char)*c);
            return err_set(err, ERR_INVALID,
                           number < 0
                               ? "unknown capability: \"%s\""
                               : "capability not supported by your kernel or not available in the current "
                                 "environment: \"%s\"",
                           upper);
        }
        *ret_set |= CAPABILITY_BIT(number);
    }
    return 0;
}

int capability_merge(char *const *add, char *const *drop, bool privileged, uint64_t *ret_set, struct err *err)
{
    uint64_t available = capability_available(), added = 0, dropped = 0;
    bool add_all = false, drop_all = false;
    if (privileged) {
        *ret_set = available;
        return 0;
    }
    if (capability_parse_list(add, &added, &add_all, err) < 0)
        return err_wrap(err, "invalid CapAdd");
    if (capability_parse_list(drop, &dropped, &drop_all, err) < 0)
        return err_wrap(err, "invalid CapDrop");
    if (add_all)
        *ret_set = available & ~dropped;
    else if (drop_all)
        *ret_set = added;
    else
        *ret_set = (capability_default() & available & ~dropped) | added;
    return 0;
}

struct capability_sets capability_sets_from_json(const json_t *capabilities)
{
    return (struct capability_sets){
        .bounding = capability_mask_from_json(json_object_get(capabilities, "bounding"), NULL),
        .permitted = capability_mask_from_json(json_object_get(capabilities, "permitted"), NULL),
        .effective = capability_mask_from_json(json_object_get(capabilities, "effective"), NULL),
        .inheritable = capability_mask_from_json(json_object_get(capabilities, "inheritable"), NULL),
        .ambient = capability_mask_from_json(json_object_get(capabilities, "ambient"), NULL),
    };
}

int capability_drop_bounding(uint64_t keep)
{
    /* Up to the kernel's last, also those without a name here: nothing unknown is kept. */
    for (int i = 0; i < 64; i++) {
        if (keep & CAPABILITY_BIT(i))
            continue;
        int has = prctl(PR_CAPBSET_READ, i, 0, 0, 0);
        if (has < 0 && errno != EINVAL)
            return -errno;
        if (has < 0)
            break;
        if (has && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
            return -errno;
    }
    return 0;
}

int capability_keep(void)
{
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int capability_set_raw(uint64_t permitted, uint64_t effective, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    for (int i = 0; i < 2; i++) {
        data[i].permitted = (uint32_t)(permitted >> (32 * i));
        data[i].effective = (uint32_t)(effective >> (32 * i));
        data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
    }
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int capability_get(struct capability_sets *ret)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {};
    *ret = (struct capability_sets){};
    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        ret->permitted |= (uint64_t)data[i].permitted << (32 * i);
        ret->effective |= (uint64_t)data[i].effective << (32 * i);
        ret->inheritable |= (uint64_t)data[i].inheritable << (32 * i);
    }
    for (int i = 0; i < 64; i++) {
        int has = prctl(PR_CAPBSET_READ, i, 0, 0, 0);
        if (has < 0 && errno != EINVAL)
            return -errno;
        if (has < 0)
            break;
        ret->bounding |= has ? CAPABILITY_BIT(i) : 0;
        ret->ambient |= prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1 ? CAPABILITY_BIT(i) : 0;
    }
    return 0;
}

static int capability_set_ambient(uint64_t ambient)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return errno == EINVAL && !ambient ? 0 : -errno;
    for (int i = 0; i < 64; i++)
        if ((ambient & CAPABILITY_BIT(i)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
            return -errno;
    return 0;
}

int capability_apply(const struct capability_sets *sets, uint64_t *ret_refused)
{
    struct capability_sets now;
    int r = capability_get(&now);
    if (r < 0)
        return r;
    uint64_t permitted = sets->permitted & now.permitted;
    uint64_t effective = sets->effective & permitted;
    uint64_t inheritable = sets->inheritable & (now.inheritable | (now.permitted & now.bounding));
    uint64_t ambient = sets->ambient & permitted & inheritable;
    if (ret_refused)
        *ret_refused = (sets->permitted & ~permitted) | (sets->effective & ~effective) |
                       (sets->inheritable & ~inheritable) | (sets->ambient & ~ambient);
    /* Without CAP_SETPCAP, new inheritable ones must be in permitted at the time: so before that shrinks. */
    r = capability_set_raw(now.permitted, now.permitted, inheritable);
    if (r >= 0)
        r = capability_set_raw(permitted, effective, inheritable);
    return r < 0 ? r : capability_set_ambient(ambient);
}
