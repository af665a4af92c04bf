/* Capabilities, seccomp, and --security-opt. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/oci.h"
#include "sys/capability.h"
#include "sys/seccomp.h"

#define SELINUX_MOUNT "/sys/fs/selinux/enforce"

enum { PROFILE_MAX = 4 * 1024 * 1024 };

int oci_capabilities(const json_t *host_config, uint64_t *ret, struct err *err)
{
    _cleanup_strv_ char **add = json_strv(host_config, "CapAdd"), **drop = json_strv(host_config, "CapDrop");
    return capability_merge(add, drop, json_bool_or(host_config, "Privileged", false), ret, err);
}

/* The value behind "key=" or "key:" (the form of old clients); "" for the bare key; NULL for another key. */
static const char *option_value(const char *option, const char *key)
{
    const char *rest = str_after(option, key);
    if (!rest)
        return NULL;
    if (*rest == '\0')
        return rest;
    return *rest == '=' || *rest == ':' ? rest + 1 : NULL;
}

static int parse_seccomp(const char *value, struct oci_security *s)
{
    s->unconfined = str_eq(value, "unconfined");
    s->profile = s->unconfined || str_eq(value, "builtin") ? NULL : value;
    return 0;
}

static int parse_flag(const char *option, const char *value, bool *ret, struct err *err)
{
    *ret = true;
    return *value && str_to_bool(value, ret) < 0
               ? err_set(err, ERR_INVALID, "invalid --security-opt 2: \"%.128s\"", option)
               : 0;
}

/* As Docker does where the kernel has no SELinux: labels say nothing then. */
static int check_label(const char *option, const char *value, struct err *err)
{
    if (str_eq(value, "disable") || access(SELINUX_MOUNT, F_OK) < 0)
        return 0;
    return err_set(err, ERR_NOT_IMPLEMENTED, "SELinux labels are not supported yet: %.128s", option);
}

static int parse_option(const char *option, struct oci_security *s, struct err *err)
{
    const char *value;
    bool on;
    if ((value = option_value(option, "seccomp")) && *value)
        return parse_seccomp(value, s);
    if ((value = option_value(option, "no-new-privileges"))) {
        if (parse_flag(option, value, &on, err) < 0)
            return -1;
        s->no_new_privileges = on;
        return 0;
    }
    if ((value = option_value(option, "writable-cgroups")))
        return parse_flag(option, value, &s->writable_cgroups, err);
    if ((value = option_value(option, "apparmor")) && *value) {
        s->apparmor = value; /* the runtime leaves it alone where the kernel has no AppArmor */
        return 0;
    }
    if ((value = option_value(option, "label")) && *value)
        return check_label(option, value, err);
    return err_set(err, ERR_INVALID, "invalid --security-opt %d: \"%.128s\"", strpbrk(option, "=:") ? 2 : 1,
                   option);
}

int oci_security_parse(const json_t *host_config, struct oci_security *ret, struct err *err)
{
    const json_t *option;
    size_t i;
    *ret = (struct oci_security){.no_new_privileges = -1};
    json_array_foreach (json_object_get(host_config, "SecurityOpt"), i, option) {
        if (parse_option(json_string_value(option), ret, err) < 0)
            return -1;
    }
    return 0;
}

bool oci_no_new_privileges(const struct oci_input *in)
{
    struct oci_security s;
    if (oci_security_parse(in->host_config, &s, NULL) < 0)
        return true;
    return s.no_new_privileges >= 0 ? s.no_new_privileges : in->options->no_new_privileges;
}

static json_t *default_profile(void)
{
    return json_pack("{ss}", SECCOMP_PROFILE_KEY, SECCOMP_PROFILE_DEFAULT);
}

json_t *oci_seccomp(const struct oci_input *in, uint64_t capabilities, bool *ret_failed, struct err *err)
{
    struct oci_security s;
    const char *engine_wide = in->options->seccomp_profile;
    _cleanup_json_ json_t *profile = NULL;
    *ret_failed = true;
    if (oci_security_parse(in->host_config, &s, err) < 0)
        return NULL;
    bool privileged = json_bool_or(in->host_config, "Privileged", false);
    bool engine_file = engine_wide && !str_eq(engine_wide, "builtin") && !str_eq(engine_wide, "unconfined");
    if (s.unconfined || (privileged && !s.profile) || (!s.profile && str_eq(engine_wide, "unconfined"))) {
        *ret_failed = false;
        return NULL;
    }
    if (s.profile)
        profile = json_parse(s.profile, strlen(s.profile), "Decoding seccomp profile failed", err);
    else if (engine_file)
        profile = json_load(AT_FDCWD, engine_wide, PROFILE_MAX, err);
    json_t *result = !s.profile && !engine_file ? in->portable ? seccomp_default_profile(capabilities) : default_profile()
                     : profile                  ? seccomp_profile_resolve(profile, capabilities, err)
                                                : NULL;
    *ret_failed = result == NULL;
    return result;
}
