/* A cgroup's life: made in every hierarchy, opened again, joined, removed. */
#include "sys/cgroup_internal.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/cgroup_systemd.h"

enum { DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, DISCARD_TIMEOUT_MS = 500 };

struct cgroup *cgroup_new(const char *path)
{
    struct cgroup *cg = xcalloc(1, sizeof(*cg));
    cg->path = xstrdup(path);
    for (size_t i = 0; i < CGROUP_TREES_MAX; i++)
        cg->fd[i] = cg->join[i] = -EBADF;
    return cg;
}

struct cgroup *cgroup_free(struct cgroup *cg)
{
    if (!cg)
        return NULL;
    for (size_t i = 0; i < CGROUP_TREES_MAX; i++) {
        close_fd(&cg->fd[i]);
        close_fd(&cg->join[i]);
        free(cg->rel[i]);
    }
    free(cg->path);
    free(cg->unit);
    free(cg->slice);
    free(cg);
    return NULL;
}

void cgroup_discard_p(struct cgroup **cg)
{
    int saved = errno;
    if (*cg)
        (void)cgroup_destroy(*cg, DISCARD_TIMEOUT_MS, NULL);
    *cg = cgroup_free(*cg);
    errno = saved;
}

/* Refuses what could leave the tree or name its root. */
static int cgroup_check_path(const char *path, struct err *err)
{
    _cleanup_strv_ char **part = strv_split(path, '/');
    size_t names = 0;
    for (size_t i = 0; part[i]; i++) {
        if (str_eq(part[i], ".."))
            return err_set(err, ERR_INVALID, "cgroup path %s: \"..\" isn't allowed", path);
        names += *part[i] && !str_eq(part[i], ".");
    }
    if (names == 0)
        return err_set(err, ERR_INVALID, "cgroup path \"%s\" names no cgroup", path);
    if (strlen(path) >= PATH_MAX || strpbrk(path, "\n"))
        return err_set(err, ERR_INVALID, "cgroup path is too long or holds a line break");
    return 0;
}

/* The path below a tree's mount point, without leading slash. NULL when the own cgroup can't be found. */
static char *cgroup_relative(const struct cgroup_tree *tree, const char *path)
{
    _cleanup_free_ char *clean = path_clean(path);
    if (path[0] == '/')
        return xstrdup(clean + 1);
    _cleanup_free_ char *own = NULL;
    if (cgroup_own_path(tree, &own) < 0)
        return NULL;
    char *leaf = strrchr(own, '/'); /* we were moved there to make room for what is to come */
    if (leaf && str_eq(leaf + 1, CGROUP_LEAF))
        *leaf = '\0';
    return *own ? path_join(own, clean) : take_ptr(&clean);
}

/* mkdir -p below the tree. 1 if the last directory is new, 0 if it was there, or -errno. */
static int cgroup_make_directory(const struct cgroup_tree *tree, const char *rel)
{
    if (mkdirat(tree->fd, rel, 0755) == 0)
        return 1;
    if (errno == EEXIST)
        return 0;
    if (errno != ENOENT)
        return -errno;
    for (const char *slash = strchr(rel, '/'); slash; slash = strchr(slash + 1, '/')) {
        _cleanup_free_ char *up = xstrndup(rel, (size_t)(slash - rel));
        if (mkdirat(tree->fd, up, 0755) < 0 && errno != EEXIST)
            return -errno;
    }
    return mkdirat(tree->fd, rel, 0755) == 0 ? 1 : errno == EEXIST ? 0 : -errno;
}

/* A directory that was there before is used when nobody is in it (-EBUSY), and nobody will be stopped in it
 * (-EDEADLK: it is frozen, or a v2 group below one that is). */
static int cgroup_check_unused(int dir, bool v2)
{
    char text[256];

    if (cgroup_read(dir, "cgroup.procs", text, sizeof(text)) > 0)
        return -EBUSY;
    if (v2)
        return cgroup_read(dir, "cgroup.events", text, sizeof(text)) > 0 && strstr(text, "frozen 1")
                   ? -EDEADLK
                   : 0;
    return cgroup_read(dir, "freezer.state", text, sizeof(text)) > 0 && !str_eq(text, "THAWED") ? -EDEADLK
                                                                                                : 0;
}

/* Makes cg in its i-th tree. 0 or -errno, as the above. */
static int cgroup_create_in(struct cgroup *cg, const struct cgroup_tree *tree, size_t i)
{
    if (!cg->rel[i])
        return -ENOENT;
    int r = cgroup_make_directory(tree, cg->rel[i]);
    if (r < 0)
        return r;
    cg->is_new[i] = r > 0;
    cg->fd[i] = openat(tree->fd, cg->rel[i], DIRECTORY_FLAGS);
    if (cg->fd[i] < 0)
        return -errno;
    r = cg->is_new[i] || cg->unit ? 0 : cgroup_check_unused(cg->fd[i], tree->info.v2);
    if (r < 0)
        return r;
    if (tree->info.v2)
        cgroup_v2_enable(tree, cg->rel[i], cg->fd[i]);
    else if (tree->controllers & CTL_CPUSET)
        return cgroup_v1_seed_cpuset(tree, cg->rel[i], cg->fd[i]);
    return 0;
}

static bool is_refusal(int result)
{
    return result == -EACCES || result == -EPERM || result == -EROFS;
}

/* On v2 a process can only be moved by who may write both to where it goes and to what that has in common with where it
 * comes from. An ordinary user's containers go below the own cgroup. */
static bool cgroup_may_move_into(const struct cgroup *cg, const struct cgroup_tree *tree, size_t i)
{
    const char *name = strrchr(cg->rel[i], '/');
    _cleanup_free_ char *file =
        xasprintf("%.*s/cgroup.procs", name ? (int)(name - cg->rel[i]) : 1, name ? cg->rel[i] : ".");
    return faccessat(tree->fd, file, W_OK, AT_EACCESS) == 0;
}

/* cgroup_create_in() where it may be refused: then 0 as well, and cg isn't there. */
static int cgroup_try_create_in(struct cgroup *cg, const struct cgroup_tree *tree, size_t i)
{
    int r = cgroup_create_in(cg, tree, i);
    if (r >= 0 && tree->info.v2 && !cgroup_may_move_into(cg, tree, i))
        r = -EACCES;
    if (!is_refusal(r) && r != -ENOENT)
        return r;
    if (cg->is_new[i])
        (void)unlinkat(tree->fd, cg->rel[i], AT_REMOVEDIR);
    cg->is_new[i] = false;
    close_fd(&cg->fd[i]);
    free(take_ptr(&cg->rel[i]));
    return 0;
}

void cgroup_disown(struct cgroup *cg)
{
    for (size_t i = 0; i < CGROUP_TREES_MAX; i++) {
        if (cg->is_new[i])
            continue;
        close_fd(&cg->fd[i]);
        free(take_ptr(&cg->rel[i]));
    }
    free(take_ptr(&cg->unit));
}

/* In the trees of one version, or where it isn't yet. On failure the new ones of all trees are gone. */
static int cgroup_create_some(struct cgroup *cg, bool v2_only, struct err *err)
{
    const struct cgroup_layout *l = cgroup_layout();
    for (size_t i = 0; i < l->count; i++) {
        if (cg->fd[i] >= 0 || (v2_only && !l->trees[i].info.v2))
            continue;
        if (cg->lenient && !cg->rel[i])
            continue;
        int r =
            cg->lenient ? cgroup_try_create_in(cg, &l->trees[i], i) : cgroup_create_in(cg, &l->trees[i], i);
        if (r >= 0)
            continue;
        if (r == -EBUSY)
            err_set(err, ERR_CONFLICT, "container's cgroup is not empty: there are processes in %s/%s",
                    l->trees[i].info.mountpoint, cg->rel[i]);
        else if (r == -EDEADLK)
            err_set(err, ERR_CONFLICT, "container's cgroup unexpectedly frozen: %s/%s",
                    l->trees[i].info.mountpoint, cg->rel[i]);
        else
            err_errno(err, r, "make cgroup %s/%s", l->trees[i].info.mountpoint,
                      cg->rel[i] ? cg->rel[i] : cg->path);
        for (size_t k = 0; k < l->count; k++)
            if (cg->is_new[k])
                (void)unlinkat(l->trees[k].fd, cg->rel[k], AT_REMOVEDIR);
        if (!cg->unit)
            cgroup_disown(cg);
        return -1;
    }
    return 0;
}

static struct cgroup *cgroup_begin_at(const char *path, bool lenient, struct err *err)
{
    if (cgroup_find(err) < 0)
        return NULL;
    if (cgroup_layout()->count == 0) {
        err_set(err, ERR_NOT_IMPLEMENTED, "cgroup %s: no cgroup filesystem is mounted", path);
        return NULL;
    }
    if (cgroup_check_path(path, err) < 0)
        return NULL;
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_new(path);
    cg->lenient = lenient;
    for (size_t i = 0; i < cgroup_layout()->count; i++)
        cg->rel[i] = cgroup_relative(&cgroup_layout()->trees[i], path);
    return take_ptr(&cg);
}

struct cgroup *cgroup_begin(const char *path, struct err *err)
{
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_plan(path, err);
    return !cg || cgroup_begin_planned(cg, err) < 0 ? NULL : take_ptr(&cg);
}

int cgroup_begin_planned(struct cgroup *cg, struct err *err)
{
    return cgroup_create_some(cg, /* v2_only= */ true, err);
}

struct cgroup *cgroup_plan(const char *path, struct err *err)
{
    return cgroup_begin_at(path, /* lenient= */ false, err);
}

struct cgroup *cgroup_begin_where_allowed(const char *path, struct err *err)
{
    return cgroup_begin_at(path, /* lenient= */ true, err);
}

bool cgroup_is_anywhere(const struct cgroup *cg)
{
    for (size_t i = 0; i < CGROUP_TREES_MAX; i++)
        if (cg->fd[i] >= 0)
            return true;
    return false;
}

int cgroup_finish(struct cgroup *cg, struct err *err)
{
    return cgroup_create_some(cg, /* v2_only= */ false, err);
}

struct cgroup *cgroup_create(const char *path, struct err *err)
{
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_begin(path, err);
    return !cg || cgroup_finish(cg, err) < 0 ? NULL : take_ptr(&cg);
}

/* Opens cg->rel[i] where it exists. ERR_NOT_FOUND when it does in no tree; what is there and can't be opened is an error:
 * whoever joins the cgroup would be in a part of it. */
static int cgroup_open_directories(struct cgroup *cg, struct err *err)
{
    const struct cgroup_layout *l = cgroup_layout();
    bool any = false;
    if (cgroup_find(err) < 0)
        return -1;
    for (size_t i = 0; i < l->count; i++) {
        if (!cg->rel[i])
            continue;
        cg->fd[i] = openat(l->trees[i].fd, cg->rel[i], DIRECTORY_FLAGS);
        if (cg->fd[i] < 0 && errno != ENOENT && errno != ENODEV && errno != EACCES)
            return err_errno(err, errno, "open cgroup %s/%s", l->trees[i].info.mountpoint, cg->rel[i]);
        any |= cg->fd[i] >= 0;
    }
    return any ? 0 : err_set(err, ERR_NOT_FOUND, "no such cgroup: %s", cg->path);
}

struct cgroup *cgroup_open_path(const char *path, struct err *err)
{
    const struct cgroup_layout *l = cgroup_layout();
    if (cgroup_check_path(path, err) < 0)
        return NULL;
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_new(path);
    for (size_t i = 0; i < l->count; i++)
        cg->rel[i] = cgroup_relative(&l->trees[i], path);
    return cgroup_open_directories(cg, err) < 0 ? NULL : take_ptr(&cg);
}

json_t *cgroup_save(const struct cgroup *cg)
{
    const struct cgroup_layout *l = cgroup_layout();
    json_t *trees = json_object();
    for (size_t i = 0; i < l->count; i++)
        if (cg->rel[i])
            json_object_set_new(trees, l->trees[i].info.mountpoint, json_string(cg->rel[i]));
    json_t *saved = json_pack("{s:s, s:o}", "path", cg->path, "trees", trees);
    if (cg->unit)
        json_object_set_new(
            saved, "systemd",
            json_pack("{s:s, s:s, s:b}", "unit", cg->unit, "slice", cg->slice, "user", cg->user_manager));
    return saved;
}

struct cgroup *cgroup_open(const json_t *saved, struct err *err)
{
    const struct cgroup_layout *l = cgroup_layout();
    const char *path = json_string_value(json_object_get(saved, "path"));
    const json_t *trees = json_object_get(saved, "trees");
    if (!path || !json_is_object(trees)) {
        err_set(err, ERR_INVALID, "saved cgroup: \"path\" or \"trees\" is missing");
        return NULL;
    }
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_new(path);
    for (size_t i = 0; i < l->count; i++) {
        const char *rel = json_string_value(json_object_get(trees, l->trees[i].info.mountpoint));
        if (rel && cgroup_check_path(rel, err) < 0)
            return NULL;
        if (rel)
            cg->rel[i] = xstrdup(rel + strspn(rel, "/"));
    }
    cg->unit = xstrdup(json_string_value(json_at(saved, "systemd.unit")));
    cg->unit_started = cg->unit;
    cg->slice = xstrdup(json_string_value(json_at(saved, "systemd.slice")));
    cg->user_manager = json_is_true(json_at(saved, "systemd.user"));
    return cgroup_open_directories(cg, err) < 0 ? NULL : take_ptr(&cg);
}

const char *cgroup_path(const struct cgroup *cg)
{
    return cg->path;
}

char *cgroup_directory(const struct cgroup *cg, size_t hierarchy)
{
    const struct cgroup_layout *l = cgroup_layout();
    if (hierarchy >= l->count || cg->fd[hierarchy] < 0)
        return NULL;
    return path_join(l->trees[hierarchy].info.mountpoint, cg->rel[hierarchy]);
}

int cgroup_tree_of(const struct cgroup *cg, unsigned controller)
{
    const struct cgroup_layout *l = cgroup_layout();
    for (size_t i = 0; i < l->count; i++)
        if ((l->trees[i].controllers & controller) && cg->fd[i] >= 0)
            return (int)i;
    return -1;
}

int cgroup_tree_v2(const struct cgroup *cg)
{
    const struct cgroup_layout *l = cgroup_layout();
    for (size_t i = 0; i < l->count; i++)
        if (l->trees[i].info.v2 && cg->fd[i] >= 0)
            return (int)i;
    return -1;
}

int cgroup_unified_fd(const struct cgroup *cg)
{
    int i = cgroup_tree_v2(cg);
    return i < 0 ? -EBADF : cg->fd[i];
}

int cgroup_prepare_join(struct cgroup *cg, struct err *err)
{
    const struct cgroup_layout *l = cgroup_layout();
    for (size_t i = 0; i < l->count; i++) {
        if (cg->fd[i] < 0 || cg->join[i] >= 0)
            continue;
        const char *file = l->trees[i].info.v2 ? "cgroup.procs" : "tasks";
        cg->join[i] = openat(cg->fd[i], file, O_WRONLY | O_CLOEXEC);
        if (cg->join[i] < 0)
            return err_errno(err, errno, "open %s/%s/%s", l->trees[i].info.mountpoint, cg->rel[i], file);
    }
    return 0;
}

size_t cgroup_join_fds(const struct cgroup *cg, int fds[CGROUP_JOIN_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < cgroup_layout()->count; i++)
        if (cg->join[i] >= 0)
            fds[n++] = cg->join[i];
    return n;
}

int cgroup_adopt_join_fds(struct cgroup *cg, const int *fds, size_t count, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < cgroup_layout()->count; i++)
        close_fd(&cg->fd[i]);
    int opened = count ? cgroup_open_directories(cg, err) : 0;
    for (size_t i = 0; i < cgroup_layout()->count; i++)
        if (cg->fd[i] >= 0 && n < count)
            cg->join[i] = fds[n++];
    for (size_t i = n; i < count; i++)
        close(fds[i]);
    if (opened < 0)
        return -1;
    return n == count ? 0 : err_set(err, ERR_SYSTEM, "cgroup %s changed while it was being made", cg->path);
}

int cgroup_attach(struct cgroup *cg, pid_t pid, unsigned flags, struct err *err)
{
    const struct cgroup_layout *l = cgroup_layout();
    char text[16];
    int length = snprintf(text, sizeof(text), "%d", pid);
    if (pid == 0 && cgroup_prepare_join(cg, err) < 0)
        return -1;
    for (size_t i = 0; i < l->count; i++) {
        if (cg->fd[i] < 0 || (l->trees[i].info.v2 && (flags & CGROUP_BORN_UNIFIED)))
            continue;
        int r;
        if (pid == 0)
            r = write(cg->join[i], text, (size_t)length) < 0 ? -errno : 0;
        else
            r = file_write_at(cg->fd[i], "cgroup.procs", text);
        if (r < 0)
            return err_errno(err, r, "move process %d into cgroup %s/%s", pid, l->trees[i].info.mountpoint,
                             cg->rel[i]);
    }
    return 0;
}

/* Removes a directory and those below it. 0, or -errno: -EBUSY while processes are in one. */
static int cgroup_remove_tree(void *unused, int dirfd, const char *name)
{
    if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno != EBUSY && errno != ENOTEMPTY)
        return -errno;
    _cleanup_close_ int fd = openat(dirfd, name, DIRECTORY_FLAGS);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int r = cgroup_each_child(fd, cgroup_remove_tree, unused);
    if (r < 0)
        return r;
    return unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

static int cgroup_remove_all(struct cgroup *cg, int timeout_ms, bool may_kill, struct err *err)
{
    const struct cgroup_layout *l = cgroup_layout();
    int64_t deadline = clock_monotonic() + timeout_ms * INT64_C(1000000);
    long pause_ns = 200000;
    bool killed = !may_kill;
    if (cg->unit && may_kill && (cgroup_kill(cg, NULL), cgroup_stop_unit(cg, err)) < 0)
        return -1;
    for (;;) {
        int failure = 0;
        size_t failed = 0;
        for (size_t i = 0; i < l->count; i++) {
            if (!cg->rel[i])
                continue;
            int r = cgroup_remove_tree(NULL, l->trees[i].fd, cg->rel[i]);
            if (r < 0 && !failure) {
                failure = r;
                failed = i;
            }
        }
        if (!failure)
            return 0;
        if (failure != -EBUSY)
            return err_errno(err, failure, "remove cgroup %s/%s", l->trees[failed].info.mountpoint,
                             cg->rel[failed]);
        if (clock_monotonic() >= deadline)
            return err_set(err, ERR_CONFLICT, "remove cgroup %s/%s: processes in it don't end",
                           l->trees[failed].info.mountpoint, cg->rel[failed]);
        if (may_kill && killed && pause_ns > 5000000)
            cgroup_v1_thaw_all(cg);
        if (may_kill && (!killed || pause_ns > 5000000))
            (void)cgroup_kill(cg, NULL);
        killed = true;
        nanosleep(&(struct timespec){.tv_nsec = pause_ns}, NULL);
        pause_ns = MIN_OF(pause_ns * 2, 10000000);
    }
}

/* What is only planned may be another container's by now, or have been all the time. */
static void cgroup_forget_plans(struct cgroup *cg)
{
    for (size_t i = 0; i < CGROUP_TREES_MAX; i++)
        if (cg->fd[i] < 0 && !cg->is_new[i])
            free(take_ptr(&cg->rel[i]));
    if (!cg->unit_started)
        free(take_ptr(&cg->unit));
}

int cgroup_destroy(struct cgroup *cg, int timeout_ms, struct err *err)
{
    cgroup_forget_plans(cg);
    return cgroup_remove_all(cg, timeout_ms, /* may_kill= */ true, err);
}

int cgroup_remove(struct cgroup *cg, int timeout_ms, struct err *err)
{
    return cgroup_remove_all(cg, timeout_ms, /* may_kill= */ false, err);
}
