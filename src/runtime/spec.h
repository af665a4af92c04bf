/* The OCI configuration, parsed and validated. Strings are borrowed from the JSON, which the spec keeps a
 * reference to. Source: OCI runtime-spec 1.3, config.md and config-linux.md. */
#ifndef KEG_RUNTIME_SPEC_H
#define KEG_RUNTIME_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"
#include "sys/capability.h"
#include "sys/namespace.h"

struct spec_rlimit {
    int resource;
    struct rlimit value;
};

struct spec_scheduler {
    const char *policy;
    int32_t nice, priority;
    const char **flags;
    uint64_t runtime, deadline, period;
};

struct spec_process {
    bool terminal;
    uint16_t rows, columns;
    const char **args, **env;
    const char *cwd;
    uint32_t uid, gid;
    gid_t *groups;
    size_t group_count;
    bool keep_groups; /* the caller's additional groups, by annotation run.oci.keep_original_groups */
    int64_t umask;    /* INT64_MIN: as it is */
    struct capability_sets capabilities;
    bool has_capabilities;
    struct spec_rlimit *rlimits;
    size_t rlimit_count;
    bool no_new_privileges;
    const char *apparmor_profile, *selinux_label;
    int64_t oom_score_adj; /* INT64_MIN: as it is */
    struct spec_scheduler scheduler;
    int io_priority;                       /* ioprio_set(2)'s value, -1: as it is */
    const char *cpus_initial, *cpus_final; /* exec only */
};

struct spec_mount {
    const char *destination, *type, *source;
    const char **json_options;
    bool bind, recursive, remount, copy_up, copy_symlink, source_nofollow, target_nofollow;
    uint64_t set, cleared; /* MOUNT_ATTR_… named as on, and as off */
    bool has_flags;  /* any of them was named: a bind then has what `set` says, not what its source has … */
    bool sets_atime; /* … but for access times, unless one of theirs was named */
    uint64_t recursive_set, recursive_clear;
    unsigned long propagation; /* MS_… with MS_REC, 0: none asked for */
    char **options;            /* for the filesystem: "key=value" */
    bool idmap, idmap_recursive;
    const char *idmap_ranges; /* of the option "idmap=…"; NULL without */
    struct id_mapping *uids, *gids;
    size_t uid_count, gid_count;
};

struct spec_device {
    const char *path, *type_name;
    mode_t type; /* S_IFCHR, S_IFBLK, S_IFIFO */
    int64_t major, minor;
    uint32_t mode, uid, gid;
};

enum spec_hook_stage {
    HOOK_PRESTART,
    HOOK_CREATE_RUNTIME,
    HOOK_CREATE_CONTAINER,
    HOOK_START_CONTAINER,
    HOOK_POSTSTART,
    HOOK_POSTSTOP,
    HOOK_STAGE_COUNT
};
extern const char *const spec_hook_stage_names[HOOK_STAGE_COUNT]; /* OCI's; in spec.c */

struct spec_hook {
    const char *path;
    const char **args, **env;
    int64_t timeout; /* seconds, 0: none */
};

struct spec_hooks {
    struct spec_hook *list;
    size_t count;
};

struct spec_namespace {
    bool wanted;      /* listed */
    const char *path; /* NULL: a new one */
};

struct spec {
    json_t *json;
    const char *oci_version;
    const char *root_path; /* NULL without root */
    bool root_readonly;
    const char *hostname, *domainname;
    bool has_process;
    struct spec_process process;
    struct spec_mount *mounts;
    size_t mount_count;
    struct spec_hooks hooks[HOOK_STAGE_COUNT];
    const json_t *annotations;

    struct spec_namespace namespaces[NAMESPACE_COUNT];
    struct id_mapping *uids, *gids;
    size_t uid_count, gid_count;
    const json_t *time_offsets;
    struct spec_device *devices;
    size_t device_count;
    const char *cgroups_path;
    const json_t *resources, *sysctl, *seccomp, *intel_rdt, *net_devices;
    const char **masked_paths, **readonly_paths;
    const char *root_propagation_name, *mount_label;
    unsigned long root_propagation; /* MS_… with MS_REC */
    int64_t personality;            /* -1: as it is */
    const json_t *memory_policy;
};

/* Validates everything the runtime relies on. NULL and ERR_INVALID, or ERR_NOT_IMPLEMENTED for members keg
 * doesn't do (and won't pass over in silence). */
struct spec *spec_parse(const json_t *config, struct err *err);
struct spec *spec_free(struct spec *spec);
DEFINE_CLEANUP_PTR(struct spec, spec_free)

/* One process object (config.md, Process): also what exec takes. */
int spec_process_parse(const json_t *process, struct spec_process *ret, struct err *err);
void spec_process_finish(struct spec_process *process);
/* What a process of exec leaves open and the container's own says, as runc has it: capabilities, limits, priorities,
 * labels, affinity, oomScoreAdj. Borrows from `of`. */
void spec_process_inherit(struct spec_process *process, const struct spec_process *of);

/* Makes a namespace of this kind for the container (as opposed to joining or sharing one). */
static inline bool spec_makes(const struct spec *spec, enum namespace_kind kind)
{
    return spec->namespaces[kind].wanted && !spec->namespaces[kind].path;
}

/* Parts of the parser: mounts and their options (spec_mounts.c), namespaces, devices and the rest of `linux`
 * (spec_linux.c). */
int spec_mounts_parse(const json_t *mounts, struct spec *spec, struct err *err);
void spec_mounts_finish(struct spec *spec);
/* Their options "idmap=…", once the container's own mappings are known (spec_idmap.c). */
int spec_idmap_options_parse(struct spec *spec, struct err *err);
int spec_linux_parse(const json_t *linux_json, struct spec *spec, struct err *err);
int spec_mappings_parse(const json_t *array, const char *at, struct id_mapping **ret, size_t *ret_count,
                        struct err *err);
/* MS_… by OCI's name ("rslave"), 0 when it is none. */
unsigned long spec_propagation(const char *name);
/* The names of all mount options, for `features`: a new array. */
json_t *spec_mount_option_names(void);

#endif
