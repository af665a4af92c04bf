/* `mounts` of the configuration. */
#include <string.h>
#include <sys/mount.h>

#include "base/json.h"
#include "base/str.h"
#include "runtime/spec.h"
#include "runtime/spec_fields.h"

enum option_kind {
    OPTION_IGNORED, /* the default, or without meaning here */
    OPTION_SET,     /* an attribute of this mount */
    OPTION_ATIME,   /* likewise, of those that replace one another */
    OPTION_UNSET,   /* takes an earlier one back, and what a bind's source has */
    OPTION_RECURSIVE_SET,
    OPTION_RECURSIVE_CLEAR,
    OPTION_PROPAGATION,
    OPTION_SUPERBLOCK, /* passed to the filesystem under its own name */
    OPTION_BIND,
    OPTION_RBIND,
    OPTION_REMOUNT,
    OPTION_COPY_UP,
    OPTION_IDMAP,
    OPTION_RIDMAP,
    OPTION_COPY_SYMLINK,
    OPTION_SOURCE_NOFOLLOW,
    OPTION_TARGET_NOFOLLOW,
};

/* To add an option: a row. Anything not listed goes to the filesystem as it is. */
static const struct {
    const char *name;
    enum option_kind kind;
    uint64_t value;
} option_table[] = {
    {"bind", OPTION_BIND, 0},
    {"rbind", OPTION_RBIND, 0},
    {"remount", OPTION_REMOUNT, 0},
    {"tmpcopyup", OPTION_COPY_UP, 0},
    {"idmap", OPTION_IDMAP, 0},
    {"ridmap", OPTION_RIDMAP, 0},
    {"copy-symlink", OPTION_COPY_SYMLINK, 0},
    {"src-nofollow", OPTION_SOURCE_NOFOLLOW, 0},
    {"dest-nofollow", OPTION_TARGET_NOFOLLOW, 0},
    {"defaults", OPTION_IGNORED, 0},
    {"silent", OPTION_IGNORED, 0},
    {"loud", OPTION_IGNORED, 0},
    {"iversion", OPTION_IGNORED, 0},
    {"noiversion", OPTION_IGNORED, 0},
    {"norelatime", OPTION_UNSET, 0},
    {"diratime", OPTION_UNSET, MOUNT_ATTR_NODIRATIME},
    {"atime", OPTION_UNSET, MOUNT_ATTR_NOATIME},
    {"nostrictatime", OPTION_UNSET, MOUNT_ATTR_STRICTATIME},
    {"rw", OPTION_UNSET, MOUNT_ATTR_RDONLY},
    {"suid", OPTION_UNSET, MOUNT_ATTR_NOSUID},
    {"dev", OPTION_UNSET, MOUNT_ATTR_NODEV},
    {"exec", OPTION_UNSET, MOUNT_ATTR_NOEXEC},
    {"symfollow", OPTION_UNSET, MOUNT_ATTR_NOSYMFOLLOW},
    {"ro", OPTION_SET, MOUNT_ATTR_RDONLY},
    {"nosuid", OPTION_SET, MOUNT_ATTR_NOSUID},
    {"nodev", OPTION_SET, MOUNT_ATTR_NODEV},
    {"noexec", OPTION_SET, MOUNT_ATTR_NOEXEC},
    {"relatime", OPTION_ATIME, MOUNT_ATTR_RELATIME},
    {"noatime", OPTION_ATIME, MOUNT_ATTR_NOATIME},
    {"strictatime", OPTION_ATIME, MOUNT_ATTR_STRICTATIME},
    {"nodiratime", OPTION_SET, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", OPTION_SET, MOUNT_ATTR_NOSYMFOLLOW},
    {"rro", OPTION_RECURSIVE_SET, MOUNT_ATTR_RDONLY},
    {"rnosuid", OPTION_RECURSIVE_SET, MOUNT_ATTR_NOSUID},
    {"rnodev", OPTION_RECURSIVE_SET, MOUNT_ATTR_NODEV},
    {"rnoexec", OPTION_RECURSIVE_SET, MOUNT_ATTR_NOEXEC},
    {"rnoatime", OPTION_RECURSIVE_SET, MOUNT_ATTR_NOATIME},
    {"rnodiratime", OPTION_RECURSIVE_SET, MOUNT_ATTR_NODIRATIME},
    {"rstrictatime", OPTION_RECURSIVE_SET, MOUNT_ATTR_STRICTATIME},
    {"rnosymfollow", OPTION_RECURSIVE_SET, MOUNT_ATTR_NOSYMFOLLOW},
    {"rrw", OPTION_RECURSIVE_CLEAR, MOUNT_ATTR_RDONLY},
    {"rsuid", OPTION_RECURSIVE_CLEAR, MOUNT_ATTR_NOSUID},
    {"rdev", OPTION_RECURSIVE_CLEAR, MOUNT_ATTR_NODEV},
    {"rexec", OPTION_RECURSIVE_CLEAR, MOUNT_ATTR_NOEXEC},
    {"ratime", OPTION_RECURSIVE_CLEAR, MOUNT_ATTR__ATIME},
    {"rrelatime", OPTION_RECURSIVE_CLEAR, MOUNT_ATTR__ATIME},
    {"rnorelatime", OPTION_RECURSIVE_CLEAR, MOUNT_ATTR__ATIME},
    {"rnostrictatime", OPTION_RECURSIVE_CLEAR, MOUNT_ATTR__ATIME},
    {"rdiratime", OPTION_RECURSIVE_CLEAR, MOUNT_ATTR_NODIRATIME},
    {"rsymfollow", OPTION_RECURSIVE_CLEAR, MOUNT_ATTR_NOSYMFOLLOW},
    {"private", OPTION_PROPAGATION, MS_PRIVATE},
    {"shared", OPTION_PROPAGATION, MS_SHARED},
    {"slave", OPTION_PROPAGATION, MS_SLAVE},
    {"unbindable", OPTION_PROPAGATION, MS_UNBINDABLE},
    {"rprivate", OPTION_PROPAGATION, MS_PRIVATE | MS_REC},
    {"rshared", OPTION_PROPAGATION, MS_SHARED | MS_REC},
    {"rslave", OPTION_PROPAGATION, MS_SLAVE | MS_REC},
    {"runbindable", OPTION_PROPAGATION, MS_UNBINDABLE | MS_REC},
    {"sync", OPTION_SUPERBLOCK, 0},
    {"async", OPTION_SUPERBLOCK, 0},
    {"dirsync", OPTION_SUPERBLOCK, 0},
    {"lazytime", OPTION_SUPERBLOCK, 0},
    {"nolazytime", OPTION_SUPERBLOCK, 0},
    {"mand", OPTION_SUPERBLOCK, 0},
    {"nomand", OPTION_SUPERBLOCK, 0},
};

unsigned long spec_propagation(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
        if (option_table[i].kind == OPTION_PROPAGATION && str_eq(option_table[i].name, name))
            return (unsigned long)option_table[i].value;
    return 0;
}

json_t *spec_mount_option_names(void)
{
    json_t *names = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
        json_array_append_new(names, json_string(option_table[i].name));
    return names;
}

/* Flags of the mount itself; value is a MOUNT_ATTR_. */
static void option_apply_attribute(struct spec_mount *m, enum option_kind kind, uint64_t value)
{
    uint64_t atime = value & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0; /* one field of several bits */

    if (kind == OPTION_RECURSIVE_SET) {
        m->recursive_set = (m->recursive_set & ~atime) | value;
        m->recursive_clear = (m->recursive_clear & ~value) | atime;
        return;
    }
    if (kind == OPTION_RECURSIVE_CLEAR) {
        m->recursive_clear |= value;
        m->recursive_set &= ~value;
        return;
    }
    if (kind == OPTION_UNSET) {
        m->set &= ~value;
        m->cleared |= value;
    } else {
        m->set = (kind == OPTION_ATIME ? m->set & ~(uint64_t)MOUNT_ATTR__ATIME : m->set) | value;
        m->cleared &= ~value;
        m->sets_atime |= kind == OPTION_ATIME || value == MOUNT_ATTR_NODIRATIME;
    }
    m->has_flags = true;
}

static void option_apply(struct spec_mount *m, enum option_kind kind, uint64_t value, const char *text)
{
    switch (kind) {
    case OPTION_IGNORED:
        break;
    case OPTION_ATIME:
    case OPTION_SET:
    case OPTION_UNSET:
    case OPTION_RECURSIVE_SET:
    case OPTION_RECURSIVE_CLEAR:
        option_apply_attribute(m, kind, value);
        break;
    case OPTION_PROPAGATION:
        m->propagation = (unsigned long)value;
        break;
    case OPTION_SUPERBLOCK:
        strv_push(&m->options, text);
        break;
    case OPTION_RBIND:
        m->recursive = true;
        /* fall through */
    case OPTION_BIND:
        m->bind = true;
        break;
    case OPTION_REMOUNT:
        m->remount = true;
        break;
    case OPTION_COPY_UP:
        m->copy_up = true;
        break;
    case OPTION_RIDMAP:
        m->idmap_recursive = true;
        /* fall through */
    case OPTION_IDMAP:
        m->idmap = true;
        break;
    case OPTION_COPY_SYMLINK:
        m->copy_symlink = true;
        break;
    case OPTION_SOURCE_NOFOLLOW:
        m->source_nofollow = true;
        break;
    case OPTION_TARGET_NOFOLLOW:
        m->target_nofollow = true;
        break;
    }
}

static void option_parse(struct spec_mount *m, const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
        if (str_eq(option_table[i].name, text)) {
            option_apply(m, option_table[i].kind, option_table[i].value, text);
            return;
        }
    if (str_starts(text, "idmap=") || str_starts(text, "ridmap=")) {
        m->idmap = true;
        m->idmap_recursive = *text == 'r';
        m->idmap_ranges = strchr(text, '=') + 1;
    } else if (*text) {
        strv_push(&m->options, text);
    }
}

static const struct spec_field mount_fields[] = {
    {"destination", SPEC_STRING, offsetof(struct spec_mount, destination), SPEC_REQUIRED},
    {"type", SPEC_STRING, offsetof(struct spec_mount, type), 0},
    {"source", SPEC_STRING, offsetof(struct spec_mount, source), 0},
    {"options", SPEC_STRINGS, offsetof(struct spec_mount, json_options), 0},
};

static int mount_parse(const json_t *json, const char *at, struct spec_mount *m, struct err *err)
{
    const json_t *uids = json_object_get(json, "uidMappings"), *gids = json_object_get(json, "gidMappings");

    if (spec_read(json, at, mount_fields, ARRAY_SIZE(mount_fields), m, err) < 0)
        return -1;
    if (!*m->destination)
        return spec_error(err, at, "destination is empty");
    for (const char **option = m->json_options; option && *option; option++)
        option_parse(m, *option);
    if (str_eq(m->type, "bind"))
        m->bind = true;
    if (!m->bind && str_empty(m->type))
        return spec_error(err, at, "mount %s has neither a type nor the option bind", m->destination);
    if (m->bind && str_empty(m->source) && !m->remount)
        return spec_error(err, at, "bind mount %s has no source", m->destination);
    if (m->idmap && !m->bind)
        return spec_error(err, at, "mount %s: only bind mounts can be idmapped", m->destination);
    if (!uids != !gids)
        return spec_error(err, at, "uidMappings and gidMappings must come together");
    if (!uids)
        return 0;
    m->idmap = true;
    if (spec_mappings_parse(uids, at, &m->uids, &m->uid_count, err) < 0)
        return -1;
    return spec_mappings_parse(gids, at, &m->gids, &m->gid_count, err);
}

int spec_mounts_parse(const json_t *mounts, struct spec *spec, struct err *err)
{
    size_t n = json_array_size(mounts);

    if (!mounts)
        return 0;
    spec->mounts = xcalloc(n ? n : 1, sizeof(*spec->mounts));
    for (size_t i = 0; i < n; i++) {
        char at[48];

        snprintf(at, sizeof(at), "mounts[%zu]", i);
        spec->mount_count = i + 1;
        if (mount_parse(json_array_get(mounts, i), at, &spec->mounts[i], err) < 0)
            return -1;
    }
    return 0;
}

void spec_mounts_finish(struct spec *spec)
{
    for (size_t i = 0; i < spec->mount_count; i++) {
        struct spec_mount *m = &spec->mounts[i];

        free(m->json_options);
        strv_free(m->options);
        free(m->uids);
        free(m->gids);
    }
    free(spec->mounts);
}
