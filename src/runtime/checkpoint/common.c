/* Options, mounts and logs of both directions. */
#include "runtime/checkpoint/common.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/checkpoint/protobuf.h"
#include "runtime/rootfs/rootfs.h"

enum { LOG_LEVEL = 4, LOG_MAX = 8 * 1024 * 1024, MESSAGE_MAX = 200 };

#define CONFIGURATION                                                                                        \
    "/etc/criu/runc.conf" /* where CRIU's settings for containers are kept, whichever the runtime */

static int open_directory(const char *path, bool make, int *ret, struct err *err)
{
    _cleanup_free_ char *here = path_is_absolute(path) ? NULL : getcwd(NULL, 0);
    _cleanup_free_ char *whole = here ? path_join(here, path) : xstrdup(path);
    int result = make ? path_mkdir_all(whole, 0700) : 0;

    if (result < 0)
        return err_errno(err, result, "make %s", path);
    *ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret < 0 ? err_errno(err, errno, "open %s", path) : 0;
}

int checkpoint_files_open(struct checkpoint_files *f, const struct checkpoint_options *o, bool make,
                          const char *log, struct err *err)
{
    const char *work = o->work_path ? o->work_path : o->image_path;

    if (open_directory(o->image_path, make, &f->images, err) < 0 ||
        open_directory(work, make || o->work_path, &f->work, err) < 0)
        return -1;
    free(f->log);
    f->log = path_join(work, log);
    return 0;
}

void checkpoint_files_finish(struct checkpoint_files *f)
{
    close_fd(&f->images);
    close_fd(&f->work);
    free(take_ptr(&f->log));
}

/* criu_cg_mode. */
static int cgroups_mode(const char *name, struct err *err)
{
    static const struct {
        const char *name;
        int mode;
    } modes[] = {{"", 6}, {"ignore", 0}, {"soft", 3}, {"full", 4}, {"strict", 5}};

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (str_eq(name ? name : "", modes[i].name))
            return modes[i].mode;
    return err_set(err, ERR_INVALID, "invalid manage-cgroups-mode value \"%s\"", name);
}

/* The annotation org.criu.config names another file of settings; empty: none. */
static void put_configuration(struct buf *b, const struct runtime_container *c)
{
    const char *named = json_str(c->spec->annotations, "org.criu.config");

    if (named && *named)
        pb_put_string(b, CRIU_CONFIG_FILE, named);
    else if (!named)
        pb_put_string(b, CRIU_CONFIG_FILE, CONFIGURATION);
}

int checkpoint_put_options(struct buf *b, const struct runtime_container *c,
                           const struct checkpoint_options *o, const char *log, struct err *err)
{
    const struct {
        enum criu_option option;
        bool value;
    } flags[] = {
        {CRIU_EXT_UNIX_SK, o->ext_unix_sk}, {CRIU_TCP_ESTABLISHED, o->tcp_established},
        {CRIU_SHELL_JOB, o->shell_job},     {CRIU_FILE_LOCKS, o->file_locks},
        {CRIU_AUTO_DEDUP, o->auto_dedup},   {CRIU_LAZY_PAGES, o->lazy_pages},
        {CRIU_ORPHAN_PTS_MASTER, true},     {CRIU_NOTIFY_SCRIPTS, true},
        {CRIU_MANAGE_CGROUPS, true},
    };
    int mode = cgroups_mode(o->cgroups_mode, err);

    if (mode < 0)
        return -1;
    pb_put_int(b, CRIU_IMAGES_DIR_FD, CRIU_FIRST_FD);
    pb_put_int(b, CRIU_WORK_DIR_FD, CRIU_FIRST_FD + 1);
    pb_put_int(b, CRIU_LOG_LEVEL, LOG_LEVEL);
    pb_put_string(b, CRIU_LOG_FILE, log);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        pb_put_int(b, flags[i].option, flags[i].value);
    pb_put_int(b, CRIU_MANAGE_CGROUPS_MODE, mode);
    pb_put_int(b, CRIU_EMPTY_NS, CLONE_NEWNET); /* interfaces are their maker's to make again */
    put_configuration(b, c);
    return 0;
}

void checkpoint_put_mount(struct buf *b, const char *name, const char *value)
{
    _cleanup_(buf_finish) struct buf pair = BUF_INIT(16 * 1024);

    pb_put_string(&pair, 1, name);
    pb_put_string(&pair, 2, value);
    pb_put_message(b, CRIU_EXT_MNT, &pair);
}

static bool is_plain(const char *path)
{
    for (const char *p = path; *p; p++)
        if (strchr("[],", *p) || (unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return true;
}

struct mounts {
    struct buf *out;
    const struct runtime_container *c;
    int root;
    bool restoring;
};

/* Where a destination leads to by symlinks in the root is what CRIU finds in the mount table. */
static int put_at(struct mounts *m, const char *destination, const char *source, struct err *err)
{
    int result = 0;
    _cleanup_free_ char *place = path_resolve_in_root(m->root, destination, &result), *clean = NULL;

    if (!place)
        return err_errno(err, result, "resolve the mount point %s", destination);
    clean = path_clean(place);
    if (!is_plain(destination) || !is_plain(clean))
        return err_set(
            err, ERR_INVALID,
            "mount %s: a container with brackets, commas or control characters in a mount point can't be "
            "checkpointed or restored",
            destination);
    checkpoint_put_mount(m->out, clean, m->restoring ? source : clean);
    return 0;
}

static int put_bind(struct mounts *m, const struct spec_mount *mount, struct err *err)
{
    _cleanup_free_ char *source = path_is_absolute(mount->source) || !m->c->bundle
                                      ? xstrdup(mount->source)
                                      : path_join(m->c->bundle, mount->source);

    return put_at(m, mount->destination, source, err);
}

/* A bind of the own cgroup each; where CRIU can mount the real thing, it does. */
static int put_cgroup(struct mounts *m, const struct spec_mount *mount, struct err *err)
{
    bool unified = cgroup_mode() == CGROUP_MODE_UNIFIED;
    size_t count;
    const struct cgroup_hierarchy *hierarchies = cgroup_hierarchies(&count);

    if (!m->c->cgroup || (unified && m->c->spec->namespaces[NAMESPACE_CGROUP].wanted))
        return 0;
    for (size_t i = 0; i < count; i++) {
        _cleanup_free_ char *source = cgroup_directory(m->c->cgroup, i),
                            *place = unified ? xstrdup(mount->destination)
                                             : path_join(mount->destination, hierarchies[i].name);

        if (source && put_at(m, place, source, err) < 0)
            return -1;
    }
    return 0;
}

/* Files are covered by the null device, directories by a tmpfs, which CRIU saves. */
static int put_masks(struct mounts *m, struct err *err)
{
    bool any = false;

    for (const char **path = m->c->spec->masked_paths; path && *path; path++) {
        char file[4200];
        struct stat st;

        any = true;
        if (m->restoring)
            continue;
        if (!is_plain(*path))
            return err_set(err, ERR_INVALID, "linux.maskedPaths: %s can't be checkpointed", *path);
        snprintf(file, sizeof(file), "/proc/%d/root/%s", m->c->pid, *path);
        if (lstat(file, &st) == 0 && S_ISCHR(st.st_mode))
            checkpoint_put_mount(m->out, *path, "/dev/null");
    }
    if (any && m->restoring)
        checkpoint_put_mount(m->out, "/dev/null", "/dev/null");
    return 0;
}

/* In a user namespace nodes are binds of the host's. */
static int put_devices(struct mounts *m, struct err *err)
{
    size_t count;
    const struct spec_device *usual = rootfs_default_devices(&count);

    if (!m->c->spec->namespaces[NAMESPACE_USER].wanted)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (put_at(m, usual[i].path, usual[i].path, err) < 0)
            return -1;
    for (size_t i = 0; i < m->c->spec->device_count; i++)
        if (put_at(m, m->c->spec->devices[i].path, m->c->spec->devices[i].path, err) < 0)
            return -1;
    return 0;
}

int checkpoint_put_mounts(struct buf *b, const struct runtime_container *c, bool restoring, struct err *err)
{
    _cleanup_free_ char *path = path_is_absolute(c->spec->root_path) || !c->bundle
                                    ? xstrdup(c->spec->root_path ? c->spec->root_path : "")
                                    : path_join(c->bundle, c->spec->root_path);
    _cleanup_close_ int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct mounts m = {b, c, root, restoring};

    if (root < 0)
        return err_errno(err, errno, "open the root filesystem %s", path);
    for (size_t i = 0; i < c->spec->mount_count; i++) {
        const struct spec_mount *mount = &c->spec->mounts[i];
        int result = mount->remount            ? 0
                     : mount->bind             ? put_bind(&m, mount, err)
                     : rootfs_is_cgroup(mount) ? put_cgroup(&m, mount, err)
                                               : 0;

        if (result < 0)
            return -1;
    }
    return put_masks(&m, err) < 0 || put_devices(&m, err) < 0 ? -1 : 0;
}

const char *checkpoint_external_namespace(enum namespace_kind kind)
{
    return kind == NAMESPACE_NETWORK ? "extRootNetNS" : kind == NAMESPACE_PID ? "extRootPidNS" : NULL;
}

/* The first line that tells of an error; that CRIU can't raise its own limits is none that matters. */
static const char *find_error(const char *text, size_t *ret_len)
{
    for (const char *at = strstr(text, "Error ("); at; at = strstr(at + 1, "Error (")) {
        *ret_len = strcspn(at, "\n");
        if (!memmem(at, *ret_len, "rlimit:", 7))
            return at;
    }
    return NULL;
}

int checkpoint_explain(const struct checkpoint_files *f, struct err *err)
{
    _cleanup_(buf_finish) struct buf log = BUF_INIT(LOG_MAX);
    const char *at;
    size_t len;

    if (!f->log || file_read(AT_FDCWD, f->log, &log) < 0 || !(at = find_error(buf_str(&log), &len)))
        return -1;
    return err_set(err, ERR_SYSTEM, "criu failed: %.*s (all of it is in %s)",
                   (int)(len < MESSAGE_MAX ? len : MESSAGE_MAX), at, f->log);
}

json_t *checkpoint_descriptors(pid_t pid)
{
    json_t *all = json_array();

    for (int fd = 0; fd < 3; fd++) {
        char path[40], target[4096];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
        n = readlink(path, target, sizeof(target));
        json_array_append_new(all, json_string_lossy(target, n > 0 ? (size_t)n : 0));
    }
    return all;
}
