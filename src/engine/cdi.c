/* CDI: reading descriptions, and what of them goes into a configuration. */
#include "engine/cdi.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"

#define GPU_KIND "nvidia.com/gpu"

enum { SPEC_MAX = 8 * 1024 * 1024, SPECS_MAX = 1024 };

/* ---- names ---- */

/* A letter or digit at both ends, and in between also `others`. */
static bool is_name(const char *text, size_t len, const char *others, bool letter_first)
{
    if (len == 0 || !(letter_first ? isalpha((unsigned char)text[0]) : isalnum((unsigned char)text[0])) ||
        !isalnum((unsigned char)text[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr(others, text[i]))
            return false;
    return true;
}

bool cdi_is_qualified(const char *name)
{
    const char *slash = strchr(name, '/'), *equals = slash ? strchr(slash, '=') : NULL;
    return equals && is_name(name, (size_t)(slash - name), "_-.", true) &&
           is_name(slash + 1, (size_t)(equals - slash - 1), "_-.", true) &&
           is_name(equals + 1, strlen(equals + 1), "_-.:", false);
}

/* ---- descriptions ---- */

/* What the directories hold. Rows of `devices`: {qualified name: {"spec":…, "device":…}}. */
struct catalogue {
    json_t *devices;
    bool has_yaml;
};

static void add_spec(struct catalogue *c, json_t *spec)
{
    const char *kind = json_str_or(spec, "kind", "");
    json_t *device;
    size_t i;
    json_array_foreach (json_object_get(spec, "devices"), i, device) {
        _cleanup_free_ char *name = xasprintf("%s=%s", kind, json_str_or(device, "name", ""));
        if (cdi_is_qualified(name))
            json_object_set_new(c->devices, name, json_pack("{sOsO}", "spec", spec, "device", device));
    }
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_spec(const struct dirent *entry)
{
    return str_ends(entry->d_name, ".json") || str_ends(entry->d_name, ".yaml");
}

/* A description that can't be read harms only those who want its devices. */
static void read_directory(struct catalogue *c, const char *path)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, is_spec, by_name);
    for (int i = 0; i < n; i++) {
        struct err why = {0};
        _cleanup_free_ char *file = path_join(path, entries[i]->d_name);
        if (str_ends(file, ".yaml")) {
            c->has_yaml = true;
        } else if (i < SPECS_MAX) {
            _cleanup_json_ json_t *spec = json_load(AT_FDCWD, file, SPEC_MAX, &why);
            if (spec)
                add_spec(c, spec);
            else
                log_warn("CDI: %s", why.message);
        }
        free(entries[i]);
    }
    free(entries);
}

/* ---- edits ---- */

static json_t *member(json_t *object, const char *key, json_t *(*make)(void))
{
    json_t *value = json_object_get(object, key);
    if (!value) {
        value = make();
        json_object_set_new(object, key, value);
    }
    return value;
}

static void add_env(json_t *oci, const json_t *edits)
{
    json_t *env = member(member(oci, "process", json_object), "env", json_array), *row;
    size_t i, j;
    json_array_foreach (json_object_get(edits, "env"), i, row) {
        const char *text = json_string_value(row);
        size_t name = text ? strcspn(text, "=") : 0;
        if (!name || !text[name])
            continue;
        const json_t *old;
        json_array_foreach (env, j, old)
            if (strncmp(json_string_value(old), text, name + 1) == 0)
                break;
        if (j < json_array_size(env))
            json_array_set(env, j, row);
        else
            json_array_append(env, row);
    }
}

static int64_t owner(const json_t *node, const json_t *oci, const char *key)
{
    return json_int_or(node, key, json_int_or(json_at((json_t *)oci, "process.user"), key, 0));
}

/* What the description leaves out, the node on the host says. */
static int add_node(json_t *oci, const json_t *node, struct err *err)
{
    const char *inside = json_str_or(node, "path", ""), *type = json_str_or(node, "type", "");
    const char *host = json_str_or(node, "hostPath", inside),
               *access = json_str_or(node, "permissions", "rwm");
    int64_t number[2] = {json_int_or(node, "major", 0), json_int_or(node, "minor", 0)};
    int64_t mode = json_int_or(node, "fileMode", 0);
    struct stat st;
    if (!path_is_absolute(inside) || strspn(access, "rwm") != strlen(access))
        return err_set(err, ERR_INVALID, "CDI device injection failed: invalid device node %.128s", inside);
    if (!*type || (!number[0] && !str_eq(type, "p"))) {
        if (stat(host, &st) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
            return err_set(err, ERR_INVALID, "CDI device injection failed: %.256s is no device", host);
        type = S_ISBLK(st.st_mode) ? "b" : "c";
        number[0] = major(st.st_rdev);
        number[1] = minor(st.st_rdev);
        mode = mode ? mode : st.st_mode & 07777;
    }
    json_t *linux_part = member(oci, "linux", json_object), *device = json_object();
    json_set_str(device, "path", inside);
    json_set_str(device, "type", type);
    json_set_int(device, "major", number[0]);
    json_set_int(device, "minor", number[1]);
    if (mode)
        json_set_int(device, "fileMode", mode);
    json_set_int(device, "uid", owner(node, oci, "uid"));
    json_set_int(device, "gid", owner(node, oci, "gid"));
    json_array_append_new(member(linux_part, "devices", json_array), device);
    if (!str_eq(type, "p") && *access)
        json_array_append_new(member(member(linux_part, "resources", json_object), "devices", json_array),
                              json_pack("{sb ss sI sI ss}", "allow", 1, "type", type, "major",
                                        (json_int_t)number[0], "minor", (json_int_t)number[1], "access",
                                        access));
    return 0;
}

static void add_mounts(json_t *oci, const json_t *edits)
{
    const json_t *row;
    size_t i;
    json_array_foreach (json_object_get(edits, "mounts"), i, row) {
        json_t *mount = json_object(), *options = json_object_get(row, "options");
        const char *type = json_str_or(row, "type", "");
        json_set_str(mount, "destination", json_str_or(row, "containerPath", ""));
        json_set_str(mount, "source", json_str_or(row, "hostPath", ""));
        json_set_str(mount, "type", *type ? type : "bind");
        json_object_set_new(mount, "options", json_is_array(options) ? json_incref(options) : json_array());
        json_array_append_new(member(oci, "mounts", json_array), mount);
    }
}

static int add_hooks(json_t *oci, const json_t *edits, struct err *err)
{
    static const char *const stages[] = {"prestart",       "createRuntime", "createContainer",
                                         "startContainer", "poststart",     "poststop"};
    static const char *const members[] = {"path", "args", "env", "timeout"};
    const json_t *row;
    size_t i, j;
    json_array_foreach (json_object_get(edits, "hooks"), i, row) {
        const char *name = json_str_or(row, "hookName", "");
        json_t *hook = json_object();
        for (j = 0; j < ARRAY_SIZE(stages) && !str_eq(stages[j], name); j++)
            ;
        if (j == ARRAY_SIZE(stages)) {
            json_decref(hook);
            return err_set(err, ERR_INVALID, "CDI device injection failed: invalid hook name \"%.64s\"",
                           name);
        }
        for (j = 0; j < ARRAY_SIZE(members); j++)
            if (json_object_get(row, members[j]))
                json_object_set(hook, members[j], json_object_get(row, members[j]));
        json_array_append_new(member(member(oci, "hooks", json_object), name, json_array), hook);
    }
    return 0;
}

static void add_groups(json_t *oci, const json_t *edits)
{
    json_t *user = member(member(oci, "process", json_object), "user", json_object), *gid;
    size_t i;
    json_array_foreach (json_object_get(edits, "additionalGids"), i, gid)
        if (json_integer_value(gid) > 0)
            json_array_append(member(user, "additionalGids", json_array), gid);
}

static int apply_edits(json_t *oci, const json_t *edits, struct err *err)
{
    const json_t *row;
    size_t i;
    add_env(oci, edits);
    json_array_foreach (json_object_get(edits, "deviceNodes"), i, row) {
        if (add_node(oci, row, err) < 0)
            return -1;
    }
    json_array_foreach (json_object_get(edits, "netDevices"), i, row) {
        const char *name = json_str_or(row, "name", "");
        json_t *devices = member(member(oci, "linux", json_object), "netDevices", json_object);
        json_object_set_new(devices, json_str_or(row, "hostInterfaceName", ""),
                            json_pack("{ss}", "name", name));
    }
    add_mounts(oci, edits);
    add_groups(oci, edits);
    json_t *rdt = json_object_get(edits, "intelRdt");
    if (json_is_object(rdt))
        json_object_set(member(oci, "linux", json_object), "intelRdt", rdt);
    return add_hooks(oci, edits, err);
}

/* ---- requests ---- */

struct injection {
    struct catalogue catalogue;
    char **names; /* qualified, in order */
};

static bool wants_gpu(const json_t *request)
{
    const json_t *set, *word;
    size_t i, j;
    json_array_foreach (json_object_get(request, "Capabilities"), i, set)
        json_array_foreach (set, j, word)
            if (str_eq(json_string_value(word), "gpu"))
                return true;
    return false;
}

/* "[[gpu compute]]", as Go prints it. */
static char *capabilities_text(const json_t *request)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(4096);
    const json_t *set, *word;
    size_t i, j;
    buf_putc(&text, '[');
    json_array_foreach (json_object_get(request, "Capabilities"), i, set) {
        buf_puts(&text, i ? " [" : "[");
        json_array_foreach (set, j, word)
            buf_printf(&text, "%s%s", j ? " " : "", json_string_value(word) ? json_string_value(word) : "");
        buf_putc(&text, ']');
    }
    buf_putc(&text, ']');
    return xstrdup(buf_str(&text));
}

/* A count of GPUs, or all of them. */
static void add_gpus(struct injection *in, int64_t count)
{
    const char *name;
    json_t *ignored;
    if (count < 0 && json_object_get(in->catalogue.devices, GPU_KIND "=all")) {
        strv_push(&in->names, GPU_KIND "=all");
        return;
    }
    if (count < 0)
        json_object_foreach (in->catalogue.devices, name, ignored) {
            if (str_starts(name, GPU_KIND "="))
                strv_push(&in->names, name);
        }
    for (int64_t i = 0; i < count && i < SPECS_MAX; i++)
        strv_push_take(&in->names, xasprintf(GPU_KIND "=%lld", (long long)i));
}

static bool has_gpus(const struct catalogue *c)
{
    const char *name;
    json_t *ignored;
    json_object_foreach (c->devices, name, ignored) {
        if (str_starts(name, GPU_KIND "="))
            return true;
    }
    return false;
}

static int take_request(struct injection *in, const json_t *request, struct err *err)
{
    const char *driver = json_str_or(request, "Driver", "");
    int64_t count = json_int_or(request, "Count", 0);
    _cleanup_strv_ char **ids = json_strv(request, "DeviceIDs");
    bool cdi = str_eq(driver, "cdi");
    if (cdi && count)
        return err_set(err, ERR_INVALID, "unexpected count in CDI device request");
    if (cdi && json_object_size(json_object_get(request, "Options")))
        return err_set(err, ERR_INVALID, "unexpected options in CDI device request");
    if (!cdi && !((!*driver || str_eq(driver, "nvidia")) && wants_gpu(request) && has_gpus(&in->catalogue))) {
        _cleanup_free_ char *capabilities = capabilities_text(request);
        return err_set(err, ERR_INVALID, "could not select device driver \"%.64s\" with capabilities: %s%s",
                       driver, capabilities,
                       wants_gpu(request) && in->catalogue.has_yaml
                           ? " (CDI descriptions in YAML aren't read: make them with --format=json)"
                           : "");
    }
    if (!cdi && count && ids)
        return err_set(err, ERR_INVALID, "cannot set both Count and DeviceIDs on device request");
    for (char **id = ids; id && *id; id++)
        strv_push_take(&in->names, cdi ? xstrdup(*id) : xasprintf(GPU_KIND "=%s", *id));
    if (!cdi && !ids)
        add_gpus(in, count);
    return 0;
}

static int check_resolvable(const struct injection *in, struct err *err)
{
    _cleanup_strv_ char **missing = NULL;
    for (char **name = in->names; name && *name; name++)
        if (!json_object_get(in->catalogue.devices, *name))
            strv_push(&missing, *name);
    if (!missing)
        return 0;
    _cleanup_free_ char *list = strv_join(missing, ", ");
    return err_set(err, ERR_INVALID, "CDI device injection failed: unresolvable CDI devices %s%s", list,
                   in->catalogue.has_yaml ? " (descriptions in YAML aren't read)" : "");
}

/* A description's own edits come once, before those of its devices. */
static int inject(const struct injection *in, json_t *oci, struct err *err)
{
    _cleanup_json_ json_t *done = json_array();
    for (char **name = in->names; name && *name; name++) {
        const json_t *row = json_object_get(in->catalogue.devices, *name);
        json_t *spec = json_object_get(row, "spec"), *other;
        size_t i;
        json_array_foreach (done, i, other)
            if (other == spec)
                break;
        if (i == json_array_size(done)) {
            json_array_append(done, spec);
            if (apply_edits(oci, json_object_get(spec, "containerEdits"), err) < 0)
                return -1;
        }
        if (apply_edits(oci, json_at((json_t *)row, "device.containerEdits"), err) < 0)
            return -1;
    }
    return 0;
}

int cdi_apply(const char *const *dirs, const json_t *requests, json_t *oci, struct err *err)
{
    struct injection in = {0};
    const json_t *request;
    size_t i;
    int r = 0;
    if (json_array_size(requests) == 0)
        return 0;
    in.catalogue.devices = json_object();
    for (; dirs && *dirs; dirs++)
        read_directory(&in.catalogue, *dirs);
    json_array_foreach (requests, i, request) {
        r = take_request(&in, request, err);
        if (r < 0)
            break;
    }
    if (r == 0)
        r = check_resolvable(&in, err);
    if (r == 0)
        r = inject(&in, oci, err);
    strv_free(in.names);
    json_decref(in.catalogue.devices);
    return r;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **cdi_names(const char *const *dirs)
{
    struct catalogue c = {.devices = json_object()};
    char **names = NULL;
    const char *name;
    json_t *value;
    for (; dirs && *dirs; dirs++)
        read_directory(&c, *dirs);
    json_object_foreach (c.devices, name, value)
        strv_push(&names, name);
    if (names)
        qsort(names, strv_len(names), sizeof(*names), by_text);
    json_decref(c.devices);
    return names;
}
