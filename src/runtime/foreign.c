/* The steps of a container's life, each by the command that other runtimes have for it. */
#include "runtime/foreign.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/rootfs/rootfs.h"
#include "sys/mount.h"
#include "sys/pidfd.h"

enum {
    BUNDLE_MODE = 0700,
    CONSOLE_PATIENCE_MS = 1000,
    DESTROY_TIMEOUT_MS = 10000,
    PID_MAX_TEXT = 32,
    CHILD_PATIENCE_MS = 1000,
    STRAY_ROUNDS = 100,
    CHILDREN_MAX = 1024 * 1024
};

struct foreign *foreign_free(struct foreign *f)
{
    if (!f)
        return NULL;
    strv_free(f->program);
    free(f->bundle);
    free(f);
    return NULL;
}

/* ---- files ---- */

static int write_file(const struct foreign *f, const char *name, const json_t *json, char **ret_path,
                      struct err *err)
{
    _cleanup_free_ char *path = path_join(f->bundle, name), *text = json_text(json);
    int r = text ? file_replace(AT_FDCWD, path, text, strlen(text), 0600, /* sync= */ false) : -EINVAL;

    if (r < 0)
        return err_errno(err, r, "write %s", path);
    if (ret_path)
        *ret_path = take_ptr(&path);
    return 0;
}

/* The pid that a command has written, and a descriptor of that process, which is our child by now. */
static int take_pid(const char *path, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(PID_MAX_TEXT);
    _cleanup_close_ int pidfd = -EBADF;
    siginfo_t info;
    uint32_t pid = 0;
    int r = file_read(AT_FDCWD, path, &text);

    unlink(path);
    if (r == 0) {
        text.data[strcspn(buf_str(&text), "\n")] = '\0';
        r = str_to_u32(buf_str(&text), &pid);
    }
    if (r < 0 || pid == 0)
        return err_set(err, ERR_SYSTEM, "the runtime wrote no pid to %s", path);
    pidfd = pidfd_from_pid((pid_t)pid);
    if (pidfd < 0)
        return err_errno(err, pidfd, "open process %u", pid);
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return err_set(err, ERR_SYSTEM, "the runtime wrote %u to %s, which is no process that it has made",
                       pid, path);
    *ret_pid = (pid_t)pid;
    *ret_pidfd = take_fd(&pidfd);
    return 0;
}

/* ---- terminals ---- */

/* Listens where a runtime is to send the terminal. Its name goes by way of our directory: some programs take no longer ones
 * than an address has room for. */
static int console_listen(const struct foreign *f, char **ret_name, struct err *err)
{
    _cleanup_free_ char *path = path_join(f->bundle, "console.sock");
    _cleanup_close_ int fd = unix_listen(path, SOCK_STREAM, 0600), directory = -EBADF;

    if (fd < 0)
        return err_errno(err, fd, "listen on %s", path);
    *ret_name = xasprintf("/proc/%d/cwd/%s/console.sock", (int)getpid(), strrchr(f->bundle, '/') + 1);
    return take_fd(&fd);
}

static int console_take(int listener, int *ret_master, struct err *err)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    _cleanup_close_ int peer = -EBADF;
    char text[4096];
    size_t count = 0;
    ssize_t n;

    if (poll(&p, 1, CONSOLE_PATIENCE_MS) == 1)
        peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer < 0)
        return err_set(err, ERR_SYSTEM, "the runtime sent no terminal");
    n = fd_receive_message(peer, text, sizeof(text), ret_master, 1, &count);
    return n < 0 || count != 1 ? err_set(err, ERR_SYSTEM, "the runtime sent no terminal") : 0;
}

/* Executes `words`, which make a process: stdio is its own, or `terminal` a new one's, whose master comes back. */
static int call_for_process(const struct foreign *f, char ***words, const char *id, bool terminal,
                            const int stdio[3], int *ret_master, struct err *err)
{
    _cleanup_free_ char *name = NULL;
    _cleanup_close_ int listener = terminal ? console_listen(f, &name, err) : -EBADF;

    *ret_master = -EBADF;
    if (terminal && listener < 0)
        return -1;
    if (terminal) {
        strv_push(words, "--console-socket");
        strv_push(words, name);
    }
    strv_push(words, id);
    if (foreign_call(f, (const char *const *)*words, terminal ? NULL : stdio, err) < 0)
        return -1;
    return terminal ? console_take(listener, ret_master, err) : 0;
}

/* ---- create ---- */

/* Mounts made from here on are ours alone; the host's new ones still show. */
static int leave_mounts(struct err *err)
{
    static bool left;
    int r;

    if (left)
        return 0;
    if (unshare(CLONE_NEWNS) < 0)
        return err_errno(err, errno, "make a mount namespace");
    left = true;
    r = mount_set_propagation("/", MS_SLAVE | MS_REC);
    return r < 0 ? err_errno(err, r, "cut the propagation of mounts") : 0;
}

/* By a process of its own, in the same mount namespace. */
static int mount_apart(const struct runtime_overlay *overlay, const char *place, struct err *err)
{
    _cleanup_close_ int pidfd = -EBADF, failure = -EBADF;
    struct err why = {0};
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    failure = ends[0];
    pid = process_clone(0, -1, &pidfd);
    if (pid == 0) {
        if (rootfs_mount_layers(overlay, place, &why) < 0)
            (void)!write(ends[1], &why, sizeof(why));
        _exit(0);
    }
    close(ends[1]);
    if (pid < 0)
        return err_errno(err, pid, "clone a process that mounts the layers");
    ssize_t n = fd_read_full(failure, &why, sizeof(why));
    pidfd_reap(pidfd, /* hang= */ true, NULL);
    return n == 0 ? 0 : err_pass(err, &why);
}

static int mount_layers(struct foreign *f, const struct runtime_overlay *overlay, struct err *err)
{
    _cleanup_free_ char *place = path_join(f->bundle, "rootfs");

    if (mkdir(place, BUNDLE_MODE) < 0)
        return err_errno(err, errno, "make %s", place);
    if (leave_mounts(err) < 0 || mount_apart(overlay, place, err) < 0)
        return -1;
    f->mounted = true;
    return 0;
}

/* The configuration as another program needs it: with the layers as a directory, and the network namespace by name. */
static json_t *complete_config(const struct foreign *f, const json_t *config)
{
    json_t *copy = json_deep_copy(config);

    if (f->mounted) {
        if (!json_object_get(copy, "root"))
            json_object_set_new(copy, "root", json_object());
        json_set_str(json_object_get(copy, "root"), "path", "rootfs");
    }
    if (f->network >= 0) {
        _cleanup_free_ char *path = xasprintf("/proc/%d/fd/%d", (int)getpid(), f->network);

        json_array_append_new(json_at(copy, "linux.namespaces"),
                              json_pack("{s:s, s:s}", "type", "network", "path", path));
    }
    return copy;
}

static int make_bundle(struct runtime_container *c, const json_t *config,
                       const struct runtime_create_options *options, struct err *err)
{
    struct foreign *f = c->foreign;
    _cleanup_json_ json_t *complete = NULL;

    path_remove_all(AT_FDCWD, f->bundle);
    if (mkdir(f->bundle, BUNDLE_MODE) < 0)
        return err_errno(err, errno, "make %s", f->bundle);
    if (options->overlay && mount_layers(f, options->overlay, err) < 0)
        return -1;
    complete = complete_config(f, config);
    return write_file(f, "config.json", complete, NULL, err);
}

int foreign_create(struct runtime_container *c, const json_t *config,
                   const struct runtime_create_options *options, struct err *err)
{
    struct foreign *f = c->foreign = xcalloc(1, sizeof(*f));
    _cleanup_free_ char *pid_file = path_join(options->bundle, "pid");
    _cleanup_strv_ char **words = NULL;
    bool terminal = json_is_true(json_at(config, "process.terminal"));

    for (char *const *word = options->program; *word; word++)
        strv_push(&f->program, *word);
    f->bundle = xstrdup(options->bundle);
    if (json_is_integer(json_at(config, "process.oomScoreAdj")))
        snprintf(f->oom_score, sizeof(f->oom_score), "%d",
                 (int)json_integer_value(json_at(config, "process.oomScoreAdj")));
    f->network = options->own_network ? options->network : -EBADF;
    f->host_network = options->own_network ? options->host_network : -EBADF;
    if (make_bundle(c, config, options, err) < 0)
        return -1;
    strv_push(&words, "create");
    strv_push(&words, "--bundle");
    strv_push(&words, f->bundle);
    strv_push(&words, "--pid-file");
    strv_push(&words, pid_file);
    if (call_for_process(f, &words, c->id, terminal, options->stdio, &c->console, err) < 0 ||
        take_pid(pid_file, &c->pid, &c->pidfd, err) < 0)
        return err_wrap(err, "OCI runtime create failed");
    /* Limits, statistics and the OOM killer are the kernel's, whoever made the group; a runtime may have none. */
    c->cgroup = c->spec->cgroups_path ? cgroup_open_path(c->spec->cgroups_path, NULL) : NULL;
    return 0;
}

/* ---- afterwards ---- */

static int call_simply(struct runtime_container *c, const char *command, const char *option, struct err *err)
{
    const char *words[] = {command, option ? option : c->id, option ? c->id : NULL, NULL};

    return foreign_call(c->foreign, words, NULL, err);
}

int foreign_start(struct runtime_container *c, struct err *err)
{
    if (call_simply(c, "start", NULL, err) < 0)
        return err_wrap(err, "OCI runtime start failed");
    c->started = true;
    return 0;
}

int foreign_exec(struct runtime_container *c, const struct runtime_exec_options *options, pid_t *ret_pid,
                 int *ret_pidfd, int *ret_console, struct err *err)
{
    const struct foreign *f = c->foreign;
    _cleanup_free_ char *process = NULL, *pid_file = path_join(f->bundle, "exec-pid");
    _cleanup_close_ int pidfd = -EBADF;
    _cleanup_strv_ char **words = NULL;
    bool terminal = json_is_true(json_object_get(options->process, "terminal"));

    if (write_file(f, "process.json", options->process, &process, err) < 0)
        return -1;
    strv_push(&words, "exec");
    strv_push(&words, "--detach");
    strv_push(&words, "--process");
    strv_push(&words, process);
    strv_push(&words, "--pid-file");
    strv_push(&words, pid_file);
    if (call_for_process(f, &words, c->id, terminal, options->stdio, ret_console, err) < 0 ||
        take_pid(pid_file, ret_pid, &pidfd, err) < 0)
        return -1;
    if (options->group > 0) { /* newer runtimes take a group as an option, older ones don't */
        char number[16];

        snprintf(number, sizeof(number), "%d", *ret_pid);
        (void)file_write_at(options->group, "cgroup.procs", number);
    }
    if (ret_pidfd)
        *ret_pidfd = take_fd(&pidfd);
    return 0;
}

/* SIGKILL to all where nobody ends with init; a runtime that can't be executed any more is done without, and what it makes of
 * SIGKILL isn't relied on: a container must be removable. */
int foreign_kill(struct runtime_container *c, int signal, bool all, struct err *err)
{
    const char *words[] = {"kill", all ? "--all" : NULL, NULL, NULL, NULL};
    char number[16];
    struct err why = {0};
    int r;

    if (c->pidfd < 0 || pidfd_wait_exit(c->pidfd, 0) == 1)
        return err_set(err, ERR_CONFLICT, "container not running");
    snprintf(number, sizeof(number), "%d", signal);
    words[all ? 2 : 1] = c->id;
    words[all ? 3 : 2] = number;
    r = foreign_call(c->foreign, words, NULL, &why);
    if (signal == SIGKILL || (r < 0 && why.kind == ERR_UNAVAILABLE)) {
        r = pidfd_signal(c->pidfd, signal);
        if (r < 0 && r != -ESRCH)
            return err_errno(err, r, "signal the container's init");
    } else if (r < 0 && why.kind == ERR_CONFLICT) {
        return err_set(err, ERR_CONFLICT, "container not running");
    } else if (r < 0) {
        return err_pass(err, &why);
    }
    if (signal == SIGKILL && c->cgroup && cgroup_is_frozen(c->cgroup)) /* v1 lets no frozen process die */
        return cgroup_freeze(c->cgroup, /* freeze= */ false, err);
    return 0;
}

int foreign_update(struct runtime_container *c, const json_t *resources, struct err *err)
{
    _cleanup_free_ char *path = NULL;
    const char *words[] = {"update", "--resources", NULL, c->id, NULL};

    if (write_file(c->foreign, "resources.json", resources, &path, err) < 0)
        return -1;
    words[2] = path;
    return foreign_call(c->foreign, words, NULL, err);
}

int foreign_freeze(struct runtime_container *c, bool freeze, struct err *err)
{
    return call_simply(c, freeze ? "pause" : "resume", NULL, err);
}

/* Kills and awaits those of our children that execute other programs than ours. Whether there were any. */
static bool end_children(const char *list, const struct stat *own)
{
    _cleanup_strv_ char **pids = strv_split(list, ' ');
    bool any = false;

    for (char **pid = pids; *pid; pid++) {
        _cleanup_free_ char *program = xasprintf("/proc/%s/exe", *pid);
        _cleanup_close_ int pidfd = -EBADF;
        struct stat st;

        if (!**pid || stat(program, &st) < 0 || (st.st_dev == own->st_dev && st.st_ino == own->st_ino))
            continue; /* one that has ended has none */
        pidfd = pidfd_from_pid((pid_t)atoi(*pid));
        if (pidfd < 0)
            continue;
        any = true;
        pidfd_signal(pidfd, SIGKILL);
        pidfd_wait_exit(pidfd, CHILD_PATIENCE_MS);
    }
    return any;
}

/* What the runtime's programs have left running outside of the container's cgroup came to us, and would go on after us. What
 * a killed one leaves in turn comes next. */
static void end_strays(void)
{
    struct stat own;

    if (stat("/proc/self/exe", &own) < 0)
        return;
    for (int round = 0; round < STRAY_ROUNDS; round++) {
        _cleanup_(buf_finish) struct buf list = BUF_INIT(CHILDREN_MAX);

        if (file_read(AT_FDCWD, "/proc/thread-self/children", &list) < 0 ||
            !end_children(buf_str(&list), &own))
            return;
    }
}

int foreign_destroy(struct runtime_container *c, struct err *err)
{
    struct foreign *f = c->foreign;
    _cleanup_free_ char *rootfs = path_join(f->bundle, "rootfs");
    int r;

    if (c->pidfd >= 0)
        pidfd_signal(c->pidfd, SIGKILL);
    /* Also where creation failed: what it made and left is the runtime's to know. */
    (void)call_simply(c, "delete", "--force", NULL);
    if (!c->cgroup && c->spec->cgroups_path)
        c->cgroup = cgroup_open_path(c->spec->cgroups_path, NULL);
    if (c->cgroup && cgroup_destroy(c->cgroup, DESTROY_TIMEOUT_MS, err) < 0)
        return -1;
    end_strays();
    if (f->mounted && umount2(rootfs, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
        return err_errno(err, errno, "unmount %s", rootfs);
    f->mounted = false;
    r = path_remove_all(AT_FDCWD, f->bundle);
    return r < 0 ? err_errno(err, r, "remove %s", f->bundle) : 0;
}
