/* The grammar of mounts: -v's text, --mount's JSON, --tmpfs. */
#include <string.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "volume/volume.h"

/* What Docker shows of a volume that was mounted by name without options. */
#define NAMED_VOLUME_MODE "z"

static const char *const propagations[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave"};

void volume_mount_finish(struct volume_mount *m)
{
    free(m->source);
    free(m->destination);
    free(m->mode);
    free(m->driver);
    free(m->subpath);
    free(m->tmpfs_options);
    json_decref(m->labels);
    json_decref(m->options);
    *m = (struct volume_mount){0};
}

static const char *find_propagation(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(propagations); i++)
        if (str_eq(propagations[i], name))
            return propagations[i];
    return NULL;
}

static int set_destination(struct volume_mount *m, const char *text, struct err *err)
{
    if (!path_is_absolute(text))
        return err_set(err, ERR_INVALID, "invalid mount path: '%s' mount path must be absolute", text);
    m->destination = path_clean(text);
    if (str_eq(m->destination, "/"))
        return err_set(err, ERR_INVALID, "invalid specification: destination can't be '/'");
    return 0;
}

/* One option of -v. Rows: name, what it does. z, Z, cached, … are accepted as Docker accepts them:
 * relabelling means nothing without SELinux, the others nothing on Linux. */
static int apply_bind_option(struct volume_mount *m, const char *option)
{
    static const char *const no_effect[] = {"rw", "z", "Z", "consistent", "cached", "delegated"};
    const char *propagation = find_propagation(option);

    if (propagation) {
        m->propagation = propagation;
        return m->type == VOLUME_MOUNT_BIND ? 0 : -EINVAL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(no_effect); i++)
        if (str_eq(no_effect[i], option))
            return 0;
    if (str_eq(option, "ro"))
        m->read_only = true;
    else if (str_eq(option, "nocopy") && m->type == VOLUME_MOUNT_VOLUME)
        m->no_copy = true;
    else if (str_eq(option, "rbind") && m->type == VOLUME_MOUNT_BIND)
        m->recursive = true;
    else if (str_eq(option, "bind") && m->type == VOLUME_MOUNT_BIND)
        m->recursive = false;
    else
        return -EINVAL;
    return 0;
}

/* Of options that exclude each other only one may be there. Rows are such groups. */
static bool has_rivals(char *const *options)
{
    static const char *const groups[][8] = {{"ro", "rw"},
                                            {"z", "Z"},
                                            {"consistent", "cached", "delegated"},
                                            {"private", "rprivate", "shared", "rshared", "slave", "rslave"}};

    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        size_t found = 0;

        for (char *const *o = options; *o; o++)
            found += strv_contains((char *const *)groups[i], *o);
        if (found > 1)
            return true;
    }
    return false;
}

static int parse_bind_options(struct volume_mount *m, struct err *err)
{
    _cleanup_strv_ char **options = strv_split(m->mode, ',');

    for (char **o = options; *o; o++)
        if ((**o && apply_bind_option(m, *o) < 0) || has_rivals(options))
            return err_set(err, ERR_INVALID, "invalid mode: %s", m->mode);
    m->read_only_recursive = m->read_only;
    return 0;
}

int volume_mount_parse_bind(const char *text, struct volume_mount *ret, struct err *err)
{
    _cleanup_volume_mount_ struct volume_mount m = {.propagation = "rprivate", .recursive = true};
    _cleanup_strv_ char **parts = strv_split(text, ':');
    size_t n = strv_len(parts);
    const char *source = n > 1 ? parts[0] : NULL;

    if (n > 3 || str_empty(parts[0]) || (n > 1 && str_empty(parts[1])))
        return err_set(err, ERR_INVALID, "invalid volume specification: '%s'", text);
    m.type = source && path_is_absolute(source) ? VOLUME_MOUNT_BIND : VOLUME_MOUNT_VOLUME;
    m.create_source = m.type == VOLUME_MOUNT_BIND;
    m.mode = xstrdup(n == 3 ? parts[2] : source && m.type == VOLUME_MOUNT_VOLUME ? NAMED_VOLUME_MODE : "");
    if (set_destination(&m, parts[n > 1 ? 1 : 0], err) < 0)
        return err_wrap(err, "invalid volume specification: '%s': invalid mount config for type \"%s\"", text,
                        m.type == VOLUME_MOUNT_BIND ? "bind" : "volume");
    if (source)
        m.source = m.type == VOLUME_MOUNT_BIND ? path_clean(source) : xstrdup(source);
    if (source && m.type == VOLUME_MOUNT_VOLUME && volume_name_check(source, err) < 0)
        return err_wrap(err, "create %s", source);
    if (parse_bind_options(&m, err) < 0)
        return -1;
    *ret = m;
    m = (struct volume_mount){0};
    return 0;
}

/* ---- --mount ---- */

/* What the options for read-only trees may not say together. */
static int check_read_only(const json_t *options, const struct volume_mount *m, struct err *err)
{
    bool flat = json_bool_or(options, "ReadOnlyNonRecursive", false);
    bool forced = json_bool_or(options, "ReadOnlyForceRecursive", false);

    if (flat && !m->read_only)
        return err_set(err, ERR_INVALID,
                       "mount options conflict: !ReadOnly && BindOptions.ReadOnlyNonRecursive");
    if (forced && !m->read_only)
        return err_set(err, ERR_INVALID,
                       "mount options conflict: !ReadOnly && BindOptions.ReadOnlyForceRecursive");
    if (flat && forced)
        return err_set(err, ERR_INVALID,
                       "mount options conflict: ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive");
    return 0;
}

static int parse_bind_json(const json_t *json, struct volume_mount *m, struct err *err)
{
    const json_t *options = json_object_get(json, "BindOptions");
    const char *propagation = json_str(options, "Propagation"), *source = json_str(json, "Source");

    if (str_empty(source))
        return err_set(err, ERR_INVALID,
                       "invalid mount config for type \"bind\": field Source must not be empty");
    if (!path_is_absolute(source))
        return err_set(
            err, ERR_INVALID,
            "invalid mount config for type \"bind\": invalid mount path: '%s' mount path must be absolute",
            source);
    if (!str_empty(propagation)) {
        m->propagation = find_propagation(propagation);
        if (!m->propagation)
            return err_set(err, ERR_INVALID,
                           "invalid mount config for type \"bind\": invalid propagation mode: %s",
                           propagation);
    }
    m->source = path_clean(source);
    m->recursive = !json_bool_or(options, "NonRecursive", false);
    m->create_source = json_bool_or(options, "CreateMountpoint", false);
    m->read_only_recursive = m->read_only && !json_bool_or(options, "ReadOnlyNonRecursive", false);
    return check_read_only(options, m, err);
}

static int set_subpath(const json_t *options, const char *type, struct volume_mount *m, struct err *err)
{
    const char *subpath = json_str(options, "Subpath");
    _cleanup_free_ char *clean = str_empty(subpath) ? NULL : path_clean(subpath);

    if (!clean)
        return 0;
    if (path_is_absolute(clean) || str_eq(clean, "..") || str_starts(clean, "../"))
        return err_set(
            err, ERR_INVALID,
            "invalid mount config for type \"%s\": subpath must be a relative path within the volume", type);
    m->subpath = take_ptr(&clean);
    return 0;
}

static int parse_volume_json(const json_t *json, struct volume_mount *m, struct err *err)
{
    const json_t *options = json_object_get(json, "VolumeOptions");
    const char *source = json_str(json, "Source");

    if (!str_empty(source)) {
        if (volume_name_check(source, err) < 0)
            return err_wrap(err, "create %s", source);
        m->source = xstrdup(source);
        free(m->mode);
        m->mode = xstrdup(NAMED_VOLUME_MODE);
    }
    m->no_copy = json_bool_or(options, "NoCopy", false);
    m->labels = json_incref(json_object_get(options, "Labels"));
    m->driver = xstrdup(json_string_value(json_at(options, "DriverConfig.Name")));
    m->options = json_incref(json_at(options, "DriverConfig.Options"));
    if (set_subpath(options, "volume", m, err) < 0)
        return -1;
    if (m->subpath && !m->source)
        return err_set(
            err, ERR_INVALID,
            "invalid mount config for type \"volume\": must not set Subpath when using anonymous volumes");
    return 0;
}

/* TmpfsOptions.Options: [["exec"],["key","value"]], of which Docker knows two. */
static int set_tmpfs_options(const json_t *list, struct volume_mount *m, struct err *err)
{
    _cleanup_strv_ char **texts = NULL;
    const json_t *row;
    size_t i;

    json_array_foreach (list, i, row) {
        const char *name = json_string_value(json_array_get(row, 0));

        if (!name || json_array_size(row) > 2)
            return err_set(err, ERR_INVALID,
                           "invalid mount config for type \"tmpfs\": invalid option array length");
        if ((!str_eq(name, "exec") && !str_eq(name, "noexec")) || json_array_size(row) > 1)
            return err_set(err, ERR_INVALID, "invalid mount config for type \"tmpfs\": invalid option: %s",
                           name);
        strv_push(&texts, name);
    }
    m->tmpfs_options = texts ? strv_join(texts, ",") : NULL;
    return 0;
}

static int parse_tmpfs_json(const json_t *json, struct volume_mount *m, struct err *err)
{
    const json_t *options = json_object_get(json, "TmpfsOptions");

    if (!str_empty(json_str(json, "Source")))
        return err_set(err, ERR_INVALID,
                       "invalid mount config for type \"tmpfs\": field Source must not be specified");
    m->tmpfs_size = json_int_or(options, "SizeBytes", 0);
    m->tmpfs_mode = (uint32_t)json_int_or(options, "Mode", 0);
    if (m->tmpfs_size < 0)
        return err_set(err, ERR_INVALID, "invalid mount config for type \"tmpfs\": negative size");
    return set_tmpfs_options(json_object_get(options, "Options"), m, err);
}

static int parse_image_json(const json_t *json, struct volume_mount *m, struct err *err)
{
    const char *source = json_str(json, "Source");

    if (str_empty(source))
        return err_set(err, ERR_INVALID,
                       "invalid mount config for type \"image\": field Source must not be empty");
    m->source = xstrdup(source);
    m->read_only = true;
    return set_subpath(json_object_get(json, "ImageOptions"), "image", m, err);
}

static const struct json_type {
    const char *name;
    enum volume_mount_type type;
    const char *options; /* the member that is its own */
    int (*parse)(const json_t *json, struct volume_mount *m, struct err *err);
} json_types[] = {
    {"bind", VOLUME_MOUNT_BIND, "BindOptions", parse_bind_json},
    {"volume", VOLUME_MOUNT_VOLUME, "VolumeOptions", parse_volume_json},
    {"tmpfs", VOLUME_MOUNT_TMPFS, "TmpfsOptions", parse_tmpfs_json},
    {"image", VOLUME_MOUNT_IMAGE, "ImageOptions", parse_image_json},
};

/* Options of another type are a mistake, not something to pass over. */
static int check_options(const json_t *json, const struct json_type *own, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(json_types); i++) {
        const char *member = json_types[i].options;
        const json_t *value = json_object_get(json, member);

        if (!value || json_is_null(value) || &json_types[i] == own)
            continue;
        return json_types[i].type == VOLUME_MOUNT_IMAGE
                   ? err_set(err, ERR_INVALID,
                             "invalid mount config for type \"%s\": field %s must not be specified",
                             own->name, member)
                   : err_set(err, ERR_INVALID, "%s must not be specified on mount type \"%s\"", member,
                             own->name);
    }
    return 0;
}

int volume_mount_parse_json(const json_t *json, struct volume_mount *ret, struct err *err)
{
    _cleanup_volume_mount_ struct volume_mount m = {
        .propagation = "rprivate", .recursive = true, .mode = xstrdup("")};
    const char *type = json_str_or(json, "Type", ""), *target = json_str(json, "Target");
    const struct json_type *row = json_types, *end = json_types + ARRAY_SIZE(json_types);

    if (str_empty(target))
        return err_set(err, ERR_INVALID,
                       "invalid mount config for type \"%s\": field Target must not be empty", type);
    if (strchr(target, '\n'))
        return err_set(err, ERR_INVALID, "invalid mount path: it holds a line break");
    if (set_destination(&m, target, err) < 0)
        return err_wrap(err, "invalid mount config for type \"%s\"", type);
    while (row < end && !str_eq(row->name, type))
        row++;
    if (row == end)
        return err_set(err, ERR_INVALID, "invalid mount config for type \"%s\": mount type unknown", type);
    m.type = row->type;
    m.read_only = json_bool_or(json, "ReadOnly", false);
    if (check_options(json, row, err) < 0 || row->parse(json, &m, err) < 0)
        return -1;
    *ret = m;
    m = (struct volume_mount){0};
    return 0;
}

/* What a tmpfs takes, besides the flags of any mount. */
static int check_tmpfs_options(const char *options, struct err *err)
{
    static const char *const known[] = {
        "defaults",      "ro",        "rw",         "suid",     "nosuid",     "dev",
        "nodev",         "exec",      "noexec",     "sync",     "async",      "dirsync",
        "remount",       "mand",      "nomand",     "atime",    "noatime",    "diratime",
        "bind",          "rbind",     "nodiratime", "relatime", "norelatime", "strictatime",
        "nostrictatime", "size",      "mode",       "uid",      "gid",        "nr_inodes",
        "nr_blocks",     "mpol",      "huge",       "inode64",  "inode32",    "private",
        "rprivate",      "shared",    "rshared",    "slave",    "rslave",     "unbindable",
        "runbindable",   "tmpcopyup", "noswap",     NULL};
    _cleanup_strv_ char **list = strv_split(options, ',');

    for (char **o = list; *o; o++) {
        _cleanup_free_ char *name = xstrndup(*o, strcspn(*o, "="));

        if (*name && !strv_contains((char *const *)known, name))
            return err_set(err, ERR_INVALID, "invalid tmpfs option \"%s\"", name);
    }
    return 0;
}

int volume_mount_parse_tmpfs(const char *destination, const char *options, struct volume_mount *ret,
                             struct err *err)
{
    _cleanup_volume_mount_ struct volume_mount m = {
        .type = VOLUME_MOUNT_TMPFS, .propagation = "rprivate", .mode = xstrdup(options ? options : "")};

    if (set_destination(&m, destination, err) < 0 || check_tmpfs_options(options ? options : "", err) < 0)
        return -1;
    m.tmpfs_options = xstrdup(options ? options : "");
    *ret = m;
    m = (struct volume_mount){0};
    return 0;
}
