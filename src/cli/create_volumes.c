/* -v source:target[:options], --mount key=value,…, --tmpfs target[:options]. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "cli/create.h"

char **create_split_csv(const char *text)
{
    char **fields = NULL;

    for (;;) {
        _cleanup_(buf_finish) struct buf field = BUF_INIT(64 * 1024);
        bool quoted = *text == '"';

        for (text += quoted; *text && (quoted || *text != ','); text++) {
            if (quoted && *text == '"' && text[1] != '"') {
                quoted = false;
                continue;
            }
            text += *text == '"' && quoted;
            buf_putc(&field, *text);
        }
        strv_push(&fields, buf_str(&field));
        if (!*text)
            return fields;
        text++;
    }
}

int create_check_csv(const char *text, struct err *err)
{
    bool quoted = false, start = true;

    for (const char *c = text; *c; c++) {
        if (*c == '"' && !quoted && !start)
            return err_set(err, ERR_INVALID, "parse error on line 1, column %zu: bare \" in non-quoted field",
                           (size_t)(c - text) + 1);
        if (*c == '"' && quoted && c[1] == '"') {
            c++;
        } else if (*c == '"' && quoted && c[1] && c[1] != ',') {
            return err_set(err, ERR_INVALID,
                           "parse error on line 1, column %zu: extraneous or missing \" in quoted-field",
                           (size_t)(c - text) + 1);
        } else if (*c == '"') {
            quoted = !quoted;
        }
        start = !quoted && *c == ',';
    }
    if (quoted)
        return err_set(err, ERR_INVALID,
                       "parse error on line 1, column %zu: extraneous or missing \" in quoted-field",
                       strlen(text) + 1);
    return 0;
}

/* ---- --mount ---- */

struct mount_parse {
    json_t *mount;
    const char *key, *value; /* value is "" for a bare key */
    bool bare;
    struct err *err;
};

/* The object `name` in the mount, made on first use. */
static json_t *part(struct mount_parse *p, const char *name)
{
    json_t *object = json_object_get(p->mount, name);

    if (!object) {
        object = json_object();
        json_object_set_new(p->mount, name, object);
    }
    return object;
}

static int set_text(struct mount_parse *p, const char *where, const char *name)
{
    json_set_str(where ? part(p, where) : p->mount, name, p->value);
    return 0;
}

static int set_type(struct mount_parse *p, _unused_ const char *where, const char *name)
{
    _cleanup_free_ char *type = xstrdup(p->value);

    for (char *c = type; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    json_set_str(p->mount, name, type);
    return 0;
}

static int set_flag(struct mount_parse *p, const char *where, const char *name)
{
    bool on = true;

    if (!p->bare && str_to_bool(p->value, &on) < 0)
        return err_set(p->err, ERR_INVALID, "invalid value for %s: %s", p->key, p->value);
    json_set_bool(where ? part(p, where) : p->mount, name, on);
    return 0;
}

static int set_source(struct mount_parse *p, _unused_ const char *where, const char *name)
{
    char directory[4096];

    if (p->value[0] == '.' && getcwd(directory, sizeof(directory))) {
        _cleanup_free_ char *joined = path_join(directory, p->value), *clean = path_clean(joined);

        json_set_str(p->mount, name, clean);
        return 0;
    }
    return set_text(p, NULL, name);
}

static int set_pair(struct mount_parse *p, const char *where, const char *name)
{
    const char *equals = strchr(p->value, '=');
    _cleanup_free_ char *key = equals ? xstrndup(p->value, (size_t)(equals - p->value)) : xstrdup(p->value);
    json_t *parent = part(p, where), *map;

    if (str_eq(name, "Options")) { /* VolumeOptions.DriverConfig.Options */
        json_t *driver = json_object_get(parent, "DriverConfig");

        if (!driver) {
            driver = json_object();
            json_object_set_new(parent, "DriverConfig", driver);
        }
        parent = driver;
    }
    map = json_object_get(parent, name);
    if (!map) {
        map = json_object();
        json_object_set_new(parent, name, map);
    }
    json_set_str(map, key, equals ? equals + 1 : "");
    return 0;
}

static int set_driver(struct mount_parse *p, const char *where, const char *name)
{
    json_t *options = part(p, where), *driver = json_object_get(options, "DriverConfig");

    if (!driver) {
        driver = json_object();
        json_object_set_new(options, "DriverConfig", driver);
    }
    json_set_str(driver, name, p->value);
    return 0;
}

static int set_recursive(struct mount_parse *p, const char *where, _unused_ const char *name)
{
    static const struct {
        const char *value, *field;
    } values[] = {{"enabled", NULL},
                  {"disabled", "NonRecursive"},
                  {"writable", "ReadOnlyNonRecursive"},
                  {"readonly", "ReadOnlyForceRecursive"}};

    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (str_eq(p->value, values[i].value)) {
            if (values[i].field)
                json_set_bool(part(p, where), values[i].field, true);
            return 0;
        }
    return err_set(
        p->err, ERR_INVALID,
        "invalid value for %s: %s (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")", p->key,
        p->value);
}

static int set_tmpfs_size(struct mount_parse *p, const char *where, const char *name)
{
    int64_t size;

    if (str_to_bytes(p->value, &size) < 0)
        return err_set(p->err, ERR_INVALID, "invalid value for %s: %s", p->key, p->value);
    json_set_int(part(p, where), name, size);
    return 0;
}

static int set_tmpfs_mode(struct mount_parse *p, const char *where, const char *name)
{
    char *end;
    unsigned long mode = strtoul(p->value, &end, 8);

    if (!*p->value || *end || mode > 07777)
        return err_set(p->err, ERR_INVALID, "invalid value for %s: %s", p->key, p->value);
    json_set_int(part(p, where), name, (int64_t)mode);
    return 0;
}

/* To add a key: a row. `may_be_bare` keys need no value. */
static const struct {
    const char *key;
    bool may_be_bare;
    int (*set)(struct mount_parse *p, const char *where, const char *name);
    const char *where, *name;
} mount_keys[] = {
    {"type", false, set_type, NULL, "Type"},
    {"source", false, set_source, NULL, "Source"},
    {"src", false, set_source, NULL, "Source"},
    {"target", false, set_text, NULL, "Target"},
    {"dst", false, set_text, NULL, "Target"},
    {"destination", false, set_text, NULL, "Target"},
    {"readonly", true, set_flag, NULL, "ReadOnly"},
    {"ro", true, set_flag, NULL, "ReadOnly"},
    {"consistency", false, set_text, NULL, "Consistency"},
    {"bind-propagation", false, set_text, "BindOptions", "Propagation"},
    {"bind-nonrecursive", true, set_flag, "BindOptions", "NonRecursive"},
    {"bind-recursive", false, set_recursive, "BindOptions", ""},
    {"bind-create-src", true, set_flag, "BindOptions", "CreateMountpoint"},
    {"volume-subpath", false, set_text, "VolumeOptions", "Subpath"},
    {"volume-nocopy", true, set_flag, "VolumeOptions", "NoCopy"},
    {"volume-label", false, set_pair, "VolumeOptions", "Labels"},
    {"volume-driver", false, set_driver, "VolumeOptions", "Name"},
    {"volume-opt", false, set_pair, "VolumeOptions", "Options"},
    {"tmpfs-size", false, set_tmpfs_size, "TmpfsOptions", "SizeBytes"},
    {"tmpfs-mode", false, set_tmpfs_mode, "TmpfsOptions", "Mode"},
    {"image-subpath", false, set_text, "ImageOptions", "Subpath"},
};

static int set_mount_field(struct mount_parse *p, const char *field)
{
    const char *equals = strchr(field, '=');
    _cleanup_free_ char *key = equals ? xstrndup(field, (size_t)(equals - field)) : xstrdup(field);

    p->key = key;
    p->value = equals ? equals + 1 : "";
    p->bare = !equals;
    for (size_t i = 0; i < ARRAY_SIZE(mount_keys); i++) {
        if (strcasecmp(mount_keys[i].key, key) != 0)
            continue;
        if (p->bare && !mount_keys[i].may_be_bare)
            return err_set(p->err, ERR_INVALID, "invalid field '%s' must be a key=value pair", field);
        return mount_keys[i].set(p, mount_keys[i].where, mount_keys[i].name);
    }
    return err_set(p->err, ERR_INVALID,
                   equals ? "unexpected key '%s' in '%s'" : "invalid field '%s' must be a key=value pair",
                   key, field);
}

/* What bind-recursive needs besides. */
static int check_recursion(const json_t *mount, struct err *err)
{
    const json_t *bind = json_object_get(mount, "BindOptions");
    bool force = json_is_true(json_object_get(bind, "ReadOnlyForceRecursive"));

    if (!force && !json_is_true(json_object_get(bind, "ReadOnlyNonRecursive")))
        return 0;
    if (!json_is_true(json_object_get(mount, "ReadOnly")))
        return err_set(err, ERR_INVALID,
                       "option 'bind-recursive=%s' requires 'readonly' to be specified in conjunction",
                       force ? "readonly" : "writable");
    if (force && !str_eq(json_str_or(bind, "Propagation", ""), "rprivate"))
        return err_set(err, ERR_INVALID,
                       "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be "
                       "specified in conjunction");
    return 0;
}

static int check_mount(const json_t *mount, struct err *err)
{
    static const char *const types[] = {"bind", "volume", "tmpfs", "image", "npipe", "cluster"};
    static const char *const parts[] = {"BindOptions", "VolumeOptions", "TmpfsOptions", "ImageOptions"};
    static const char *const owners[] = {"bind", "volume", "tmpfs", "image"};
    const char *type = json_str_or(mount, "Type", "");
    bool known = false;

    if (!*type)
        return err_set(err, ERR_INVALID, "type is required");
    if (!*json_str_or(mount, "Target", ""))
        return err_set(err, ERR_INVALID, "target is required");
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        known |= str_eq(types[i], type);
    for (size_t i = 0; known && i < ARRAY_SIZE(parts); i++)
        if (json_object_get(mount, parts[i]) && !str_eq(owners[i], type))
            return err_set(err, ERR_INVALID, "cannot mix '%s-*' options with mount type '%s'", owners[i],
                           type);
    return check_recursion(mount, err);
}

int create_parse_mount(const char *text, json_t **ret, struct err *err)
{
    static const char *const order[] = {"Type",          "Source",       "Target",
                                        "ReadOnly",      "Consistency",  "BindOptions",
                                        "VolumeOptions", "ImageOptions", "TmpfsOptions"};
    _cleanup_strv_ char **fields = create_split_csv(text);
    _cleanup_json_ json_t *mount = json_object();
    struct mount_parse p = {.mount = mount, .err = err};

    if (!*text)
        return err_set(err, ERR_INVALID, "value is empty");
    if (create_check_csv(text, err) < 0)
        return -1;
    for (char **f = fields; *f; f++)
        if (set_mount_field(&p, *f) < 0)
            return -1;
    if (!json_object_get(mount, "Type"))
        json_set_str(mount, "Type", "volume");
    if (check_mount(mount, err) < 0)
        return -1;
    *ret = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        if (json_object_get(mount, order[i]) && !json_is_false(json_object_get(mount, order[i])))
            json_object_set(*ret, order[i], json_object_get(mount, order[i]));
    return 0;
}

int create_check_mount(const char *value, struct err *err)
{
    json_t *mount;

    if (create_parse_mount(value, &mount, err) < 0)
        return -1;
    json_decref(mount);
    return 0;
}

/* ---- -v and --tmpfs ---- */

/* Makes a relative source ("./data", "..") absolute; names of volumes stay. The caller frees. */
static char *absolute_bind(const char *bind)
{
    const char *colon = strchr(bind, ':');
    size_t len = (size_t)(colon - bind);
    _cleanup_free_ char *source = xstrndup(bind, len);
    char directory[4096];

    if ((source[0] == '.' || strchr(source, '/')) && source[0] != '/' && source[0] == '.' &&
        getcwd(directory, sizeof(directory))) {
        _cleanup_free_ char *joined = path_join(directory, source), *clean = path_clean(joined);

        return xasprintf("%s%s", clean, colon);
    }
    return xstrdup(bind);
}

/* "source:target:options": no part is empty, and there are no more than three. */
static int check_volume(const char *text, struct err *err)
{
    _cleanup_strv_ char **parts = strv_split(text, ':');
    size_t n = strv_len(parts);

    if (!*text)
        return err_set(err, ERR_INVALID, "invalid empty volume spec");
    for (size_t i = 0; strlen(text) > 2 && i < n; i++) {
        if (!*parts[i])
            return err_set(err, ERR_INVALID, "invalid spec: %s: empty section between colons", text);
        if (i == 2 && n > 3)
            return err_set(err, ERR_INVALID, "invalid spec: %s: too many colons", text);
    }
    return 0;
}

static int add_volume(const char *text, json_t *volumes, json_t **binds, struct err *err)
{
    if (check_volume(text, err) < 0)
        return -1;
    if (!strchr(text, ':')) {
        json_object_set_new(volumes, text, json_object());
        return 0;
    }
    if (!*binds)
        *binds = json_array();
    {
        _cleanup_free_ char *bind = absolute_bind(text);

        json_array_append_new(*binds, json_string_lossy(bind, strlen(bind)));
    }
    return 0;
}

int create_volumes(const struct args *args, json_t *config, json_t *host, struct err *err)
{
    json_t *volumes = json_object(), *mounts = json_array(), *tmpfs = json_object();
    _cleanup_json_ json_t *binds = NULL;

    json_object_set_new(config, "Volumes", volumes);
    json_object_set_new(host, "Mounts", mounts);
    json_object_set_new(host, "Tmpfs", tmpfs);
    for (char **v = args_list(args, "volume"); v && *v; v++)
        if (add_volume(*v, volumes, &binds, err) < 0)
            return -1;
    json_object_set(host, "Binds", binds ? binds : json_null());
    for (char **m = args_list(args, "mount"); m && *m; m++) {
        json_t *mount;

        if (create_parse_mount(*m, &mount, err) < 0)
            return -1;
        json_array_append_new(mounts, mount);
    }
    for (char **t = args_list(args, "tmpfs"); t && *t; t++) {
        const char *colon = strchr(*t, ':');
        _cleanup_free_ char *target = colon ? xstrndup(*t, (size_t)(colon - *t)) : xstrdup(*t);

        json_set_str(tmpfs, target, colon ? colon + 1 : "");
    }
    if (!json_array_size(mounts))
        json_object_del(host, "Mounts");
    if (!json_object_size(tmpfs))
        json_object_del(host, "Tmpfs");
    return 0;
}
