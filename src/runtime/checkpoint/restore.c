/* Restore. CRIU runs as our child, in a mount namespace of its own, in which the root filesystem stands as it wants it; it
 * makes the container's init as its sibling, so init is our child as well. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/checkpoint/common.h"
#include "runtime/checkpoint/protobuf.h"
#include "runtime/rootfs/rootfs.h"
#include "runtime/sync.h"
#include "sys/mount.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

#define LOG            "restore.log"
#define ROOT_DIRECTORY "criu-root" /* below the state directory */

enum { DESCRIPTORS_MAX = 64 * 1024 };

struct restore {
    struct runtime_container *c;
    const struct runtime_create_options *options;
    const struct checkpoint_options *checkpoint;
    struct checkpoint_files files;
    char *root; /* where the root filesystem is bound for CRIU */
    struct criu_process process;
    struct buf request;
};

/* CRIU wants the root to be a mount. It is one in this process's mount namespace alone, and so leaves nothing behind. */
static int mount_root(const struct restore *r, struct err *err)
{
    const struct runtime_container *c = r->c;
    _cleanup_free_ char *path = path_is_absolute(c->spec->root_path) || !c->bundle
                                    ? xstrdup(c->spec->root_path ? c->spec->root_path : "")
                                    : path_join(c->bundle, c->spec->root_path);
    int result = unshare(CLONE_NEWNS) < 0 ? -errno : mount_set_propagation("/", MS_SLAVE | MS_REC);

    if (result < 0)
        return err_errno(err, result, "make a mount namespace");
    if (mount(path, r->root, NULL, MS_BIND | MS_REC, NULL) < 0)
        return err_errno(err, errno, "mount the root filesystem %s", path);
    return 0;
}

static bool is_on_tmpfs(const struct spec *spec, const char *path)
{
    for (size_t i = 0; i < spec->mount_count; i++) {
        const struct spec_mount *m = &spec->mounts[i];
        size_t len = strlen(m->destination);

        if (str_eq(m->type, "tmpfs") && !m->bind && strncmp(path, m->destination, len) == 0 &&
            path[len] == '/')
            return true;
    }
    return false;
}

/* What goes into a bind mount goes into what is bound. */
static int make_place(struct rootfs *rootfs, size_t i, struct err *err)
{
    const struct spec_mount *m = &rootfs->spec->mounts[i];
    _cleanup_close_ int target = -EBADF;

    if (m->remount || rootfs_is_cgroup(m) || is_on_tmpfs(rootfs->spec, m->destination))
        return 0;
    if (m->bind)
        return rootfs_bind(rootfs, i, err);
    target = rootfs_open_target(rootfs, rootfs->mounts[i].target, TARGET_DIRECTORY, err);
    return target < 0 ? -1 : 0;
}

static int make_places_in(struct rootfs *rootfs, const char *root, struct err *err)
{
    rootfs->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rootfs->root < 0)
        return err_errno(err, errno, "open %s", root);
    if (rootfs_open_host(rootfs, err) < 0)
        return -1;
    for (size_t i = 0; i < rootfs->spec->mount_count; i++)
        if (make_place(rootfs, i, err) < 0)
            return -1;
    return 0;
}

/* The mount points that creating the container would make: CRIU makes none. */
static int make_places(const struct restore *r, struct err *err)
{
    struct rootfs rootfs = {
        .spec = r->c->spec, .options = r->options, .cgroup = r->c->cgroup, .procfs = -EBADF};
    int result;

    if (mount_root(r, err) < 0)
        return -1;
    rootfs_init(&rootfs);
    result = make_places_in(&rootfs, r->root, err);
    rootfs_finish(&rootfs);
    return result;
}

/* In a process of its own, whose mounts go when it does. */
static int make_places_aside(const struct restore *r, struct err *err)
{
    _cleanup_close_ int sync = -EBADF, pidfd = -EBADF;
    int pair[2], result;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, errno, "make a socket pair");
    sync = pair[0];
    pid = process_clone(0, -EBADF, &pidfd);
    if (pid == 0) {
        struct err inner = {0};

        close_fd(&sync);
        if (make_places(r, &inner) < 0)
            sync_send_error(pair[1], &inner);
        _exit(0);
    }
    close(pair[1]);
    if (pid < 0)
        return err_errno(err, pid, "start a process");
    result = sync_expect(sync, SYNC_END, NULL, err);
    pidfd_reap(pidfd, /* hang= */ true, NULL);
    return result;
}

/* In CRIU's process: what it restores is born in the container's cgroup. The directories are opened once more, as in another
 * mount namespace they are others. */
static int before_criu(struct criu_process *p, struct err *err)
{
    struct restore *r = p->arg;

    if (r->c->cgroup && cgroup_attach(r->c->cgroup, 0, 0, err) < 0)
        return -1;
    if (mount_root(r, err) < 0)
        return -1;
    checkpoint_files_finish(&r->files);
    if (checkpoint_files_open(&r->files, r->checkpoint, /* make= */ false, LOG, err) < 0)
        return -1;
    p->fds[0] = r->files.images;
    p->fds[1] = r->files.work;
    return 0;
}

/* For every hierarchy where the container's cgroup is: "4:memory:/a/b" of the cgroup of CRIU, which is in it. */
static int put_cgroups(struct buf *b, pid_t pid, struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(64 * 1024);
    _cleanup_strv_ char **lines = NULL;
    char path[32];
    int result;

    snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
    result = file_read(AT_FDCWD, path, &text);
    if (result < 0)
        return err_errno(err, result, "read %s", path);
    lines = strv_split(buf_str(&text), '\n');
    for (char **line = lines; *line; line++) {
        _cleanup_strv_ char **field = strv_split(*line, ':');
        _cleanup_strv_ char **controllers = strv_len(field) == 3 ? strv_split(field[1], ',') : NULL;

        for (char **controller = controllers; controller && *controller; controller++) {
            _cleanup_(buf_finish) struct buf root = BUF_INIT(8192);

            pb_put_string(&root, 1, *controller);
            pb_put_string(&root, 2, field[2]);
            pb_put_message(b, CRIU_CG_ROOT, &root);
        }
    }
    return 0;
}

static void put_inherited(struct buf *b, const char *name, int fd)
{
    _cleanup_(buf_finish) struct buf inherited = BUF_INIT(8192);

    pb_put_string(&inherited, 1, name);
    pb_put_int(&inherited, 2, fd);
    pb_put_message(b, CRIU_INHERIT_FD, &inherited);
}

static int put_namespace(struct restore *r, enum namespace_kind kind, const char *path, struct err *err)
{
    _cleanup_(buf_finish) struct buf joined = BUF_INIT(8192);
    const char *name = checkpoint_external_namespace(kind);
    int fd;

    if (kind == NAMESPACE_CGROUP)
        return err_set(err, ERR_NOT_IMPLEMENTED, "restore: criu can't join a cgroup namespace");
    if (!name) {
        pb_put_string(&joined, 1, namespaces[kind].file);
        pb_put_string(&joined, 2, path);
        pb_put_message(&r->request, CRIU_JOIN_NS, &joined);
        return 0;
    }
    fd = namespace_open(path, kind);
    if (fd < 0)
        return err_errno(err, fd, "open the %s namespace %s", namespaces[kind].name, path);
    put_inherited(&r->request, name, CRIU_FIRST_FD + (int)r->process.fd_count);
    r->process.fds[r->process.fd_count++] = fd;
    return 0;
}

/* What was a pipe on 0, 1, 2 is now what we have there. */
static int put_descriptors(struct restore *r, struct err *err)
{
    _cleanup_json_ json_t *all = json_load(r->files.images, DESCRIPTORS_FILE, DESCRIPTORS_MAX, err);
    json_t *item;
    size_t i;

    if (!all)
        return err_wrap(err, "the checkpoint in %s", r->checkpoint->image_path);
    json_array_foreach (all, i, item)
        if (i < 3 && str_starts(json_string_value(item) ? json_string_value(item) : "", "pipe:["))
            put_inherited(&r->request, json_string_value(item), (int)i);
    return 0;
}

static int compose(struct restore *r, struct err *err)
{
    const struct checkpoint_options *o = r->checkpoint;
    struct buf *b = &r->request;

    if (checkpoint_put_options(b, r->c, o, LOG, err) < 0)
        return -1;
    pb_put_string(b, CRIU_ROOT, r->root);
    pb_put_int(b, CRIU_RST_SIBLING, 1);
    pb_put_int(b, CRIU_EVASIVE_DEVICES, 1);
    if (o->lsm_profile)
        pb_put_string(b, CRIU_LSM_PROFILE, o->lsm_profile);
    if (o->lsm_mount_context)
        pb_put_string(b, CRIU_LSM_MOUNT_CONTEXT, o->lsm_mount_context);
    for (int kind = 0; kind < NAMESPACE_COUNT; kind++) {
        const char *path = r->c->spec->namespaces[kind].path;

        if (path && put_namespace(r, (enum namespace_kind)kind, path, err) < 0)
            return -1;
    }
    if (checkpoint_put_mounts(b, r->c, /* restoring= */ true, err) < 0)
        return -1;
    return put_descriptors(r, err);
}

static int adopt(struct runtime_container *c, pid_t pid, struct err *err)
{
    c->pid = pid;
    c->pidfd = pidfd_from_pid(pid);
    if (c->pidfd < 0)
        return err_errno(err, c->pidfd, "open the restored process");
    process_start_time(pid, &c->start_time, NULL);
    c->started = true;
    return state_save(c, err);
}

static int notified(void *arg, struct criu_notice *notice, struct err *err)
{
    struct restore *r = arg;

    if (str_eq(notice->script, "setup-namespaces")) {
        r->c->pid = notice->pid;
        if (hooks_run(r->c, HOOK_PRESTART, "creating", -EBADF, NULL, err) < 0)
            return -1;
        return hooks_run(r->c, HOOK_CREATE_RUNTIME, "creating", -EBADF, NULL, err);
    }
    if (str_eq(notice->script, "orphan-pts-master")) {
        close_fd(&r->c->console);
        r->c->console = take_fd(&notice->fd);
    }
    return str_eq(notice->script, "post-restore") ? adopt(r->c, notice->pid, err) : 0;
}

static int run_criu(struct restore *r, const char *program, struct err *err)
{
    struct criu criu = CRIU_INIT;
    struct criu_answer answer = {0};
    int result = criu_start(&criu, program, &r->process, err);

    if (result == 0)
        result = put_cgroups(&r->request, criu.pid, err);
    if (result == 0)
        result = criu_request(&criu, CRIU_RESTORE, &r->request, notified, r, &answer, err);
    if (criu_finish(&criu, /* kill= */ result < 0, err) < 0 || result < 0)
        return checkpoint_explain(&r->files, err);
    return r->c->pidfd >= 0 ? 0 : err_set(err, ERR_SYSTEM, "criu has restored no process");
}

static int restore(struct restore *r, struct err *err)
{
    _cleanup_free_ char *program = criu_find(r->checkpoint->criu, err);
    int result;

    if (!program || checkpoint_files_open(&r->files, r->checkpoint, /* make= */ false, LOG, err) < 0 ||
        criu_check_version(program, err) < 0 || launch_make_cgroup(r->c, err) < 0 || compose(r, err) < 0)
        return -1;
    if (mkdir(r->root, 0755) < 0 && errno != EEXIST)
        return err_errno(err, errno, "make %s", r->root);
    result = make_places_aside(r, err);
    if (result == 0)
        result = run_criu(r, program, err);
    rmdir(r->root);
    return result;
}

static void restore_finish(struct restore *r)
{
    for (size_t i = CHECKPOINT_FILES; i < r->process.fd_count; i++)
        close_fd(&r->process.fds[i]);
    checkpoint_files_finish(&r->files);
    buf_finish(&r->request);
    free(r->root);
}

struct runtime_container *runtime_restore(const json_t *config, const struct runtime_create_options *options,
                                          const struct checkpoint_options *checkpoint, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = container_new(options);
    _cleanup_(restore_finish) struct restore r = {
        .c = c,
        .options = options,
        .checkpoint = checkpoint,
        .files = CHECKPOINT_FILES_INIT,
        .root = path_join(options->state_dir, ROOT_DIRECTORY),
        .request = BUF_INIT(CRIU_OPTIONS_MAX),
        .process = {.prepare = before_criu, .fd_count = CHECKPOINT_FILES},
    };

    r.process.arg = &r;
    c->spec = spec_parse(config, err);
    if (!c->spec)
        return NULL;
    if (restore(&r, err) == 0)
        return take_ptr(&c);
    launch_kill(&c->pidfd);
    (void)state_remove(c, NULL);
    cgroup_discard_p(&c->cgroup);
    return NULL;
}
