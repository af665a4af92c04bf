/* Docker's profile files: an OCI seccomp object with conditions (includes, excludes, archMap), which are
 * resolved here for one container on this machine. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/json.h"
#include "base/str.h"
#include "sys/capability.h"
#include "sys/seccomp_internal.h"

static bool profile_lists(const json_t *array, const char *text)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (str_eq(json_string_value(json_array_get(array, i)), text))
            return true;
    return false;
}

/* Whether the running kernel is at least "4.8". -1 when that is no version. */
static int profile_kernel_at_least(const char *version)
{
    struct utsname host;
    unsigned want_major, want_minor, major = 0, minor = 0;
    char rest;
    if (sscanf(version, "%u.%u%c", &want_major, &want_minor, &rest) != 2 || uname(&host) < 0)
        return -1;
    (void)sscanf(host.release, "%u.%u", &major, &minor);
    return major > want_major || (major == want_major && minor >= want_minor);
}

/* includes.caps: all of them; excludes.caps: any. An unknown name is a capability that nobody has. */
static bool profile_has_capabilities(const json_t *names, uint64_t capabilities, bool all)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        int number = name ? capability_from_name(name) : -EINVAL;
        bool has = number >= 0 && (capabilities & CAPABILITY_BIT(number));
        if (has != all)
            return has;
    }
    return all;
}

/* 1 if the rule is in force, 0 if not, -1 on error. */
static int profile_rule_holds(const json_t *rule, uint64_t capabilities, struct err *err)
{
    const json_t *includes = json_object_get(rule, "includes"), *excludes = json_object_get(rule, "excludes");
    const struct seccomp_machine *host = seccomp_machine();
    const char *machine = host ? host->docker : "";
    const char *include_kernel = json_str(includes, "minKernel"),
               *exclude_kernel = json_str(excludes, "minKernel");
    int included = include_kernel ? profile_kernel_at_least(include_kernel) : 1;
    int excluded = exclude_kernel ? profile_kernel_at_least(exclude_kernel) : 0;
    if (included < 0 || excluded < 0)
        return err_set(err, ERR_INVALID, "seccomp profile: minKernel \"%s\" isn't like \"4.8\"",
                       included < 0 ? include_kernel : exclude_kernel);
    if (excluded || profile_lists(json_object_get(excludes, "arches"), machine) ||
        profile_has_capabilities(json_object_get(excludes, "caps"), capabilities, /* all= */ false))
        return 0;
    const json_t *arches = json_object_get(includes, "arches");
    return included && (json_array_size(arches) == 0 || profile_lists(arches, machine)) &&
           profile_has_capabilities(json_object_get(includes, "caps"), capabilities, /* all= */ true);
}

static int profile_resolve_rules(const json_t *profile, uint64_t capabilities, json_t *out, struct err *err)
{
    const json_t *rules = json_object_get(profile, "syscalls");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        int holds = profile_rule_holds(rule, capabilities, err);
        if (holds < 0)
            return -1;
        if (!holds)
            continue;
        json_t *copy = json_copy((json_t *)rule);
        json_array_append_new(out, copy);
        const char *name = json_str(rule, "name");
        if (!str_empty(name) && json_array_size(json_object_get(rule, "names")) > 0)
            return err_set(
                err, ERR_INVALID,
                "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'");
        if (!str_empty(name))
            json_object_set_new(copy, "names", json_pack("[s]", name));
        json_object_del(copy, "name");
        json_object_del(copy, "includes");
        json_object_del(copy, "excludes");
        json_object_del(copy, "comment");
    }
    return 0;
}

/* The list of this machine's entry in archMap; NULL without one. */
static json_t *profile_architectures(const json_t *map)
{
    const struct seccomp_machine *host = seccomp_machine();
    for (size_t i = 0; host && i < json_array_size(map); i++) {
        const json_t *entry = json_array_get(map, i);
        if (!str_eq(json_str(entry, "architecture"), host->oci))
            continue;
        json_t *list = json_array();
        json_array_append_new(list, json_string(host->oci));
        json_array_extend(list, json_object_get(entry, "subArchitectures"));
        return list;
    }
    return NULL;
}

json_t *seccomp_profile_resolve(const json_t *profile, uint64_t capabilities, struct err *err)
{
    if (!json_is_object(profile)) {
        err_set(err, ERR_INVALID, "seccomp profile must be an object");
        return NULL;
    }
    if (seccomp_is_default(profile))
        return json_incref((json_t *)profile);
    const json_t *map = json_object_get(profile, "archMap");
    if (json_array_size(map) > 0 && json_array_size(json_object_get(profile, "architectures")) > 0) {
        err_set(err, ERR_INVALID,
                "both 'architectures' and 'archMap' are specified in the seccomp profile, use either "
                "'architectures' or 'archMap'");
        return NULL;
    }
    _cleanup_json_ json_t *oci = json_copy((json_t *)profile);
    json_object_del(oci, "archMap");
    json_t *architectures = profile_architectures(map);
    if (architectures)
        json_object_set_new(oci, "architectures", architectures);
    json_t *rules = json_array();
    json_object_set_new(oci, "syscalls", rules);
    if (profile_resolve_rules(profile, capabilities, rules, err) < 0)
        return NULL;
    return take_ptr(&oci);
}
