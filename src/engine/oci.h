/* Composing: Docker's Config and HostConfig become an OCI configuration (runtime-spec 1.3). Everything here
 * computes; the host is only looked at (stat of devices), never changed.
 *
 *     oci.c            the frame: root, hostname, namespaces, paths
 *     oci_process.c    program, environment, user, limits
 *     oci_user.c       "name:group" through the image's passwd and group
 *     oci_mounts.c     default mounts, the user's, the engine's files
 *     oci_devices.c    device nodes and device cgroup rules
 *     oci_resources.c  memory, cpu, pids, block I/O
 *     oci_security.c   capabilities, seccomp, no_new_privs, security options */
#ifndef KEG_ENGINE_OCI_H
#define KEG_ENGINE_OCI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/engine.h"

struct storage_rootfs;

enum oci_namespace { OCI_NS_PID, OCI_NS_NETWORK, OCI_NS_IPC, OCI_NS_UTS, OCI_NS_CGROUP, OCI_NS_COUNT };

struct oci_namespace_choice {
    bool host;     /* the host's: no namespace of its own */
    bool given;    /* a new one that the monitor makes before the runtime runs */
    char path[64]; /* another's: "/proc/PID/ns/net"; "": a new one */
};

struct oci_input {
    const struct engine_options *options;
    const json_t *config, *host_config; /* compact, as containers keep them */
    const json_t *mounts;               /* as containers keep them, see oci_mounts.c */
    const struct storage_rootfs *rootfs;
    const char *hostname, *domainname;
    const char *cgroup_path;
    const char *hosts_file, *hostname_file, *resolv_file; /* NULL: not mounted */
    const char *shm_dir;                                  /* bound at /dev/shm; NULL: a tmpfs of its own */
    const char *init_program;                             /* NULL: without */
    const json_t *link_environment;                       /* rows; NULL: none */
    bool portable; /* for any runtime: nothing of keg's own in it */
    struct oci_namespace_choice namespaces[OCI_NS_COUNT];
};

/* The configuration, a new object. ERR_INVALID with Docker's words for what the user got wrong. */
json_t *oci_compose(const struct oci_input *in, struct err *err);

/* The process object of an exec: body is Docker's ExecConfig, on top of the container's. privileged execs get
 * every capability. */
json_t *oci_compose_exec(const struct oci_input *in, const json_t *exec_config, struct err *err);

/* ---- parts, for the tests too ---- */

enum { OCI_GROUPS_MAX = 4096, OCI_ID_MAX = 0x7fffffff, OCI_PASSWD_MAX = 8 * 1024 * 1024 };

struct oci_user {
    uint32_t uid, gid;
    uint32_t *groups; /* additional ones, the primary group first */
    size_t group_count;
    char *home; /* "/" when unknown */
};
void oci_user_finish(struct oci_user *u);
/* spec: "", "user", "user:group" with names or strict decimals. extra_groups: HostConfig.GroupAdd. passwd and
 * group are the files' text ("" when missing). ERR_INVALID with Docker's words. */
int oci_user_resolve(const char *spec, char *const *extra_groups, const char *passwd, const char *group,
                     struct oci_user *ret, struct err *err);
/* The same with the files of a root filesystem; they are only read when needed. */
int oci_user_lookup(const struct storage_rootfs *rootfs, const char *spec, char *const *extra_groups,
                    struct oci_user *ret, struct err *err);

/* HostConfig.Ulimits: ERR_INVALID for names that aren't one, and soft limits above hard ones. */
int oci_ulimits_check(const json_t *list, struct err *err);
json_t *oci_process(const struct oci_input *in, struct err *err);
json_t *oci_mounts(const struct oci_input *in, struct err *err);
/* linux.devices (new array) and linux.resources.devices (new array). */
int oci_devices(const struct oci_input *in, json_t **ret_devices, json_t **ret_rules, struct err *err);
/* linux.resources without devices. */
json_t *oci_resources(const json_t *host_config, struct err *err);
int oci_capabilities(const json_t *host_config, uint64_t *ret, struct err *err);

/* HostConfig.SecurityOpt, understood. */
struct oci_security {
    bool unconfined; /* seccomp */
    bool writable_cgroups;
    const char *apparmor;  /* a profile's name, borrowed; NULL: not said */
    const char *profile;   /* inline JSON, borrowed; NULL: the default profile */
    int no_new_privileges; /* 1, 0, or -1: not said */
};
int oci_security_parse(const json_t *host_config, struct oci_security *ret, struct err *err);
/* linux.seccomp: a new object, or NULL with *err untouched where there is none (see *ret_failed). */
json_t *oci_seccomp(const struct oci_input *in, uint64_t capabilities, bool *ret_failed, struct err *err);
bool oci_no_new_privileges(const struct oci_input *in);

/* "KEY=value" rows over others: same keys are replaced in place, new ones appended; a row without "=" removes
 * its key. Both are arrays of strings, target is changed. */
void oci_env_apply(json_t *target, const json_t *rows);

#endif
