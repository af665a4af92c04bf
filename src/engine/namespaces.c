/* Namespaces of containers: modes become choices. */
#include "engine/namespaces.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "engine/netfiles.h"

#define SHM_DIRECTORY "shm"

void namespaces_finish(struct namespaces *n)
{
    free(n->hostname);
    free(n->hosts_file);
    free(n->hostname_file);
    free(n->resolv_file);
    free(n->shm_dir);
    *n = (struct namespaces){0};
}

const char *namespaces_network_word(const struct namespaces *n)
{
    const struct oci_namespace_choice *net = &n->choices[OCI_NS_NETWORK];
    return net->given ? "new" : net->host ? "inherit" : "config";
}

/* The pid of another, running container. */
static int pid_of_other(struct container *c, const char *ref, const char *what, struct container **ret,
                        struct err *err)
{
    _cleanup_container_ struct container *other = containers_find(c->engine, ref, err);
    if (!other)
        return str_eq(what, "network") ? err_wrap(err, "joining network namespace of container") : -1;
    if (other == c)
        return err_set(err, ERR_INVALID, "cannot join own %s namespace", what);
    pthread_mutex_lock(&other->lock);
    int pid = container_status_runs(other->state.status) ? other->state.pid : 0;
    pthread_mutex_unlock(&other->lock);
    if (pid <= 0)
        return err_set(err, ERR_CONFLICT, "cannot join %s namespace of a non running container: %s", what,
                       other->id);
    if (ret)
        *ret = take_ptr(&other);
    return pid;
}

/* "", "host", "container:x" and words that mean a new one. */
static int choose(struct container *c, const char *mode, const char *title, const char *file,
                  struct oci_namespace_choice *ret, struct container **ret_other, struct err *err)
{
    const char *other = str_after(mode, "container:");
    *ret = (struct oci_namespace_choice){.host = str_eq(mode, "host")};
    if (!other)
        return 0;
    int pid = pid_of_other(c, other, title, ret_other, err);
    if (pid < 0)
        return -1;
    snprintf(ret->path, sizeof(ret->path), "/proc/%d/ns/%s", pid, file);
    return 0;
}

/* ---- /dev/shm ---- */

/* Containers that share their IPC namespace share /dev/shm too, so it needs a place on the host. */
static int mount_shm(struct container *c, struct namespaces *n, struct err *err)
{
    _cleanup_free_ char *path = container_data_path(c, SHM_DIRECTORY);
    char options[64];
    snprintf(options, sizeof(options), "mode=1777,size=%lld",
             (long long)json_int_or(c->host_config, "ShmSize", 64 << 20));
    umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    if ((mkdir(path, 0700) < 0 && errno != EEXIST) ||
        mount("shm", path, "tmpfs", MS_NOEXEC | MS_NOSUID | MS_NODEV, options) < 0)
        return err_errno(err, errno, "mount the shared memory of container %.12s", c->id);
    n->shm_dir = take_ptr(&path);
    return 0;
}

static int resolve_ipc(struct container *c, struct namespaces *n, struct err *err)
{
    const char *mode = json_str_or(c->host_config, "IpcMode", "private");
    _cleanup_container_ struct container *other = NULL;
    if (choose(c, mode, "IPC", "ipc", &n->choices[OCI_NS_IPC], &other, err) < 0)
        return -1;
    if (str_eq(mode, "host"))
        n->shm_dir = xstrdup("/dev/shm");
    else if (str_eq(mode, "shareable"))
        return mount_shm(c, n, err);
    else if (other) {
        _cleanup_json_ json_t *host_config = container_host_config(other);
        if (!str_eq(json_str(host_config, "IpcMode"), "shareable"))
            return err_set(err, ERR_INVALID,
                           "cannot join IPC namespace of container %s: non-shareable IPC (hint: use "
                           "IpcMode:shareable for the donor container)",
                           other->id);
        n->shm_dir = container_data_path(other, SHM_DIRECTORY);
    }
    return 0;
}

/* ---- network ---- */

static int resolve_network(struct container *c, struct namespaces *n, struct err *err)
{
    const char *mode = json_str_or(c->host_config, "NetworkMode", "bridge");
    struct oci_namespace_choice *net = &n->choices[OCI_NS_NETWORK];
    _cleanup_container_ struct container *other = NULL;
    if (choose(c, mode, "network", "net", net, &other, err) < 0)
        return -1;
    net->given = endpoints_wanted(c);
    if (!other && netfiles_write(c, net->host, err) < 0)
        return -1;
    const struct container *files = other ? other : c;
    n->hosts_file = container_data_path(files, NETFILE_HOSTS);
    n->hostname_file = container_data_path(files, NETFILE_HOSTNAME);
    n->resolv_file = container_data_path(files, NETFILE_RESOLV);
    n->hostname = xstrdup(json_str_or(files->config, "Hostname", ""));
    return 0;
}

int namespaces_resolve(struct container *c, struct namespaces *ret, struct err *err)
{
    *ret = (struct namespaces){0};
    ret->choices[OCI_NS_UTS].host = str_eq(json_str(c->host_config, "UTSMode"), "host");
    ret->choices[OCI_NS_CGROUP].host = str_eq(json_str(c->host_config, "CgroupnsMode"), "host");
    if (choose(c, json_str_or(c->host_config, "PidMode", ""), "PID", "pid", &ret->choices[OCI_NS_PID], NULL,
               err) < 0 ||
        resolve_ipc(c, ret, err) < 0 || resolve_network(c, ret, err) < 0) {
        namespaces_finish(ret);
        return -1;
    }
    return 0;
}

void namespaces_release(struct container *c)
{
    if (!str_eq(json_str(c->host_config, "IpcMode"), "shareable"))
        return;
    _cleanup_free_ char *path = container_data_path(c, SHM_DIRECTORY);
    umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
}
