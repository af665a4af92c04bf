/* The configuration as a whole: root, process, hooks. */
#include "runtime/spec.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "runtime/spec_fields.h"

const char *const spec_hook_stage_names[HOOK_STAGE_COUNT] = {
    [HOOK_PRESTART] = "prestart",
    [HOOK_CREATE_RUNTIME] = "createRuntime",
    [HOOK_CREATE_CONTAINER] = "createContainer",
    [HOOK_START_CONTAINER] = "startContainer",
    [HOOK_POSTSTART] = "poststart",
    [HOOK_POSTSTOP] = "poststop",
};

static const struct spec_field hook_fields[] = {
    {"path", SPEC_PATH, offsetof(struct spec_hook, path), SPEC_REQUIRED},
    {"args", SPEC_STRINGS, offsetof(struct spec_hook, args), 0},
    {"env", SPEC_STRINGS, offsetof(struct spec_hook, env), 0},
    {"timeout", SPEC_I64, offsetof(struct spec_hook, timeout), 0},
};

static int hooks_parse(const json_t *hooks, struct spec *spec, struct err *err)
{
    for (int stage = 0; stage < HOOK_STAGE_COUNT; stage++) {
        const struct spec_field field = {spec_hook_stage_names[stage], SPEC_ARRAY, 0, 0};
        struct spec_hooks *out = &spec->hooks[stage];
        const json_t *array = NULL;
        size_t n;

        if (hooks && spec_read(hooks, "hooks", &field, 1, &array, err) < 0)
            return -1;
        n = json_array_size(array);
        if (!n)
            continue;
        out->list = xcalloc(n, sizeof(*out->list));
        for (size_t i = 0; i < n; i++) {
            const json_t *hook = json_array_get(array, i);
            char at[64];

            snprintf(at, sizeof(at), "hooks.%s[%zu]", spec_hook_stage_names[stage], i);
            out->count = i + 1;
            if (spec_read(hook, at, hook_fields, ARRAY_SIZE(hook_fields), &out->list[i], err) < 0)
                return -1;
            if (json_object_get(hook, "timeout") && out->list[i].timeout <= 0)
                return spec_error(err, at, "timeout must be above 0");
        }
    }
    return 0;
}

static const struct spec_field root_fields[] = {
    {"path", SPEC_STRING, offsetof(struct spec, root_path), 0},
    {"readonly", SPEC_BOOL, offsetof(struct spec, root_readonly), 0},
};

static const struct spec_field top_fields[] = {
    {"ociVersion", SPEC_STRING, offsetof(struct spec, oci_version), 0},
    {"hostname", SPEC_STRING, offsetof(struct spec, hostname), 0},
    {"domainname", SPEC_STRING, offsetof(struct spec, domainname), 0},
    {"annotations", SPEC_OBJECT, offsetof(struct spec, annotations), 0},
};

struct top_parts {
    const json_t *root, *process, *mounts, *hooks;
};

static const struct spec_field part_fields[] = {
    {"root", SPEC_OBJECT, offsetof(struct top_parts, root), 0},
    {"process", SPEC_OBJECT, offsetof(struct top_parts, process), 0},
    {"mounts", SPEC_ARRAY, offsetof(struct top_parts, mounts), 0},
    {"hooks", SPEC_OBJECT, offsetof(struct top_parts, hooks), 0},
};

static int names_check(const json_t *config, const struct spec *spec, struct err *err)
{
    static const struct {
        const char *key, *sysctl;
    } names[] = {{"hostname", "kernel.hostname"}, {"domainname", "kernel.domainname"}};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *name = json_str(config, names[i].key), *also = json_str(spec->sysctl, names[i].sysctl);

        if (str_empty(name))
            continue;
        if (!spec->namespaces[NAMESPACE_UTS].wanted)
            return spec_error(err, names[i].key, "needs a \"%s\" namespace in linux.namespaces",
                              namespaces[NAMESPACE_UTS].name);
        if (also && !str_eq(also, name))
            return spec_error(err, names[i].key, "\"%s\" is in conflict with the sysctl %s, \"%s\"", name,
                              names[i].sysctl, also);
    }
    return 0;
}

static int parse(const json_t *config, struct spec *spec, struct err *err)
{
    struct top_parts parts = {0};

    if (spec_read(config, "", top_fields, ARRAY_SIZE(top_fields), spec, err) < 0 ||
        spec_read(config, "", part_fields, ARRAY_SIZE(part_fields), &parts, err) < 0)
        return -1;
    if (spec->oci_version && !str_starts(spec->oci_version, "1."))
        return spec_error(err, "ociVersion", "\"%s\" is no version 1", spec->oci_version);
    if (parts.root && spec_read(parts.root, "root", root_fields, ARRAY_SIZE(root_fields), spec, err) < 0)
        return -1;
    spec->has_process = parts.process != NULL;
    if (spec->has_process && spec_process_parse(parts.process, &spec->process, err) < 0)
        return -1;
    spec->process.keep_groups = str_eq(json_str(spec->annotations, "run.oci.keep_original_groups"), "1");
    if (spec_mounts_parse(parts.mounts, spec, err) < 0 || hooks_parse(parts.hooks, spec, err) < 0 ||
        spec_linux_parse(json_object_get(config, "linux"), spec, err) < 0 ||
        spec_idmap_options_parse(spec, err) < 0)
        return -1;
    return names_check(config, spec, err);
}

struct spec *spec_parse(const json_t *config, struct err *err)
{
    _cleanup_(spec_free_p) struct spec *spec = xcalloc(1, sizeof(*spec));

    if (!json_is_object(config)) {
        err_set(err, ERR_INVALID, "invalid configuration: expected an object");
        return NULL;
    }
    spec->json = json_incref((json_t *)config);
    spec->personality = -1;
    if (parse(config, spec, err) < 0)
        return NULL;
    return take_ptr(&spec);
}

struct spec *spec_free(struct spec *spec)
{
    if (!spec)
        return NULL;
    spec_process_finish(&spec->process);
    spec_mounts_finish(spec);
    for (int stage = 0; stage < HOOK_STAGE_COUNT; stage++) {
        for (size_t i = 0; i < spec->hooks[stage].count; i++) {
            free(spec->hooks[stage].list[i].args);
            free(spec->hooks[stage].list[i].env);
        }
        free(spec->hooks[stage].list);
    }
    free(spec->uids);
    free(spec->gids);
    free(spec->devices);
    free(spec->masked_paths);
    free(spec->readonly_paths);
    json_decref(spec->json);
    free(spec);
    return NULL;
}
