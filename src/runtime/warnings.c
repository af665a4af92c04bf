/* What a configuration asks for and can't be had, where that is no error. */
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/internal.h"
#include "sys/capability.h"
#include "sys/procfs.h"

static const char *const sets[] = {"bounding", "permitted", "effective", "inheritable", "ambient"};

/* Names of no capability, and of those that nobody here has: "A B C", each once. NULL without any. */
static char *unavailable_of(const json_t *capabilities, uint64_t available)
{
    _cleanup_strv_ char **names = NULL;
    size_t i;
    json_t *item;

    for (size_t set = 0; set < ARRAY_SIZE(sets); set++)
        json_array_foreach (json_object_get(capabilities, sets[set]), i, item) {
            const char *name = json_string_value(item);
            int number = name ? capability_from_name(name) : -EINVAL;
            if (number >= 0 && (available & CAPABILITY_BIT(number)))
                continue;
            if (name && !strv_contains(names, name))
                strv_push(&names, name);
        }
    return names ? strv_join(names, " ") : NULL;
}

static char *apparmor_warning(const char *profile)
{
    _cleanup_close_ int procfs = -EBADF;

    if (str_empty(profile) || str_eq(profile, "unconfined"))
        return NULL;
    procfs = procfs_open();
    return procfs < 0 || procfs_has_apparmor(procfs)
               ? NULL
               : xasprintf("ignoring the AppArmor profile %s: this kernel has no AppArmor", profile);
}

char **runtime_process_warnings(const struct runtime_container *c, const json_t *process)
{
    bool user_namespace = c->spec->namespaces[NAMESPACE_USER].wanted;
    const json_t *capabilities = json_object_get(process, "capabilities");
    uint64_t available = user_namespace ? capability_all() : capability_available(), refused;
    struct capability_sets wanted = capability_sets_from_json(capabilities);
    char **warnings = NULL;
    char *unavailable = unavailable_of(capabilities, available), *score, *profile;

    if (unavailable)
        strv_push_take(&warnings,
                       xasprintf("ignoring unknown or unavailable capabilities: [%s]", unavailable));
    free(unavailable);
    score = oom_score_warning(json_int_or(process, "oomScoreAdj", INT64_MIN));
    if (score)
        strv_push_take(&warnings, score);
    profile = apparmor_warning(json_str(process, "apparmorProfile"));
    if (profile)
        strv_push_take(&warnings, profile);
    refused = wanted.ambient & available & ~(wanted.permitted & wanted.inheritable);
    for (int i = 0; i <= capability_last(); i++)
        if (refused & CAPABILITY_BIT(i))
            strv_push_take(&warnings,
                           xasprintf("can't raise ambient capability %s: operation not permitted (it must be "
                                     "permitted and inheritable)",
                                     capability_name(i)));
    return warnings;
}
