/* Files in and out of containers: which tree it is, who waits for whom.
 *
 * A running container's tree is its mount namespace, into which a keg-layer goes. One at rest has its layers mounted by the
 * keg-layer: to be read, as many times as wanted; to be written to, once, and not while it is started or removed: a start waits
 * for a writer that goes on, and ends one that doesn't. */
#include "engine/archive.h"

#include <fcntl.h>
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
#include "engine/container.h"
#include "engine/copies.h"
#include "engine/netfiles.h"
#include "engine/oci.h"
#include "engine/proc.h"
#include "engine/volumes.h"
#include "storage/storage.h"
#include "storage/worker/protocol.h"

enum { PIECE = 256 * 1024, PATIENCE_S = 10 };

/* ---- the tree ---- */

struct target {
    struct container *c;
    struct container_snapshot s;
    struct storage_place place;
    char *path, *name;
    struct storage_place_mount *mounts;
    char **sources; /* texts that `mounts` refers to */
    int *fds;       /* what is no path: parts of volumes, images */
    size_t n_fds;
    char **held; /* volumes that are mounted for us */
};

static void target_finish(struct target *t)
{
    close_fd(&t->place.mount_ns);
    for (size_t i = 0; i < t->n_fds; i++)
        close(t->fds[i]);
    free(t->fds);
    strv_free(t->sources);
    free(t->mounts);
    for (char **name = t->held; name && *name; name++)
        engine_volume_let_go(t->c->engine, *name);
    strv_free(t->held);
    free(t->path);
    free(t->name);
    if (t->c)
        container_snapshot_finish(&t->s);
    container_unref(t->c);
}

/* "/", cleaned, with the "/" or "/." at its end that tells to follow. */
static char *absolute_path(const char *path)
{
    _cleanup_free_ char *joined = xasprintf("/%s", path), *clean = path_clean(joined);
    size_t len = strlen(path);
    bool dot = str_eq(path, ".") || (len >= 2 && str_eq(path + len - 2, "/."));
    bool slash = len > 0 && path[len - 1] == '/', root = str_eq(clean, "/");

    return xasprintf("%s%s%s", clean, (dot || slash) && !root ? "/" : "", dot ? "." : "");
}

/* What Go's path.Base makes of it. The caller frees. */
static char *base_name(const char *path)
{
    size_t len = strlen(path), start;

    while (len > 1 && path[len - 1] == '/')
        len--;
    for (start = len; start > 0 && path[start - 1] != '/';)
        start--;
    return len == 1 && *path == '/' ? xstrdup("/") : xstrndup(path + start, len - start);
}

static size_t depth_of(const char *path)
{
    size_t depth = 0;

    for (; *path; path++)
        depth += *path == '/' && path[1];
    return depth;
}

static int compare_depths(const void *a, const void *b)
{
    size_t x = depth_of(((const struct storage_place_mount *)a)->target),
           y = depth_of(((const struct storage_place_mount *)b)->target);

    return x < y ? -1 : x > y;
}

/* A source that is only a descriptor. Takes fd. */
static const char *source_of_fd(struct target *t, int fd)
{
    char *text = xasprintf("/proc/self/fd/%d", fd);

    t->fds[t->n_fds++] = fd;
    strv_push_take(&t->sources, text);
    return text;
}

/* What a mount shows; NULL with err set. */
static const char *source_of(struct target *t, const json_t *m, struct err *err)
{
    const json_t *options = json_object_get(m, "Options");
    const char *subpath = json_str(options, "Subpath"), *source = json_str_or(m, "Source", ""),
               *volume = str_eq(json_str(m, "Type"), "volume") ? json_str_or(m, "Name", "") : NULL;
    struct engine *e = t->c->engine;
    int fd;

    if (volume && engine_volume_hold(e, volume, err) < 0)
        return NULL;
    if (volume)
        strv_push(&t->held, volume);
    if (str_eq(json_str(m, "Type"), "image")) {
        _cleanup_(storage_rootfs_finish) struct storage_rootfs r = {};

        if (storage_layer_rootfs(e->storage, json_str_or(options, "TopLayer", ""), &r, err) < 0 ||
            (fd = storage_rootfs_mount(e->storage, &r, err)) < 0)
            return NULL;
        source = source_of_fd(t, fd);
    }
    if (subpath) {
        _cleanup_close_ int whole = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);

        fd = whole < 0 ? -errno : path_open_in_root(whole, subpath, O_PATH, 0);
        if (fd < 0) {
            err_errno(err, fd, "cannot access path %s/%s", source, subpath);
            return NULL;
        }
        source = source_of_fd(t, fd);
    }
    return source;
}

/* Volumes and binds, and the engine's own files in /etc; a tmpfs of one at rest has no content. */
static int add_mounts(struct target *t, struct err *err)
{
    static const char *const own[][2] = {{"/etc/resolv.conf", NETFILE_RESOLV},
                                         {"/etc/hostname", NETFILE_HOSTNAME},
                                         {"/etc/hosts", NETFILE_HOSTS}};
    size_t n = 0, i, count = json_array_size(t->s.mounts);
    json_t *m;

    t->mounts = xcalloc(count + ARRAY_SIZE(own), sizeof(*t->mounts));
    t->fds = xcalloc(2 * count + 1, sizeof(*t->fds));
    for (i = 0; i < ARRAY_SIZE(own); i++) {
        char *file = container_data_path(t->c, own[i][1]);

        strv_push_take(&t->sources, file);
        if (access(file, F_OK) == 0)
            t->mounts[n++] = (struct storage_place_mount){.source = file, .target = own[i][0]};
    }
    json_array_foreach (t->s.mounts, i, m) {
        const char *source;

        if (str_eq(json_str(m, "Type"), "tmpfs"))
            continue;
        source = source_of(t, m, err);
        if (!source)
            return -1;
        t->mounts[n++] = (struct storage_place_mount){.source = source,
                                                      .target = json_str_or(m, "Destination", "/"),
                                                      .read_only = !json_bool_or(m, "RW", true)};
    }
    qsort(t->mounts, n, sizeof(*t->mounts), compare_depths);
    t->place.mounts = t->mounts;
    t->place.n_mounts = n;
    return 0;
}

static int target_find(struct engine *e, const char *ref, const char *path, struct target *t, struct err *err)
{
    *t = (struct target){.place = {.mount_ns = -EBADF, .uid = -1, .gid = -1}};
    t->c = containers_find(e, ref, err);
    if (!t->c)
        return -1;
    container_snapshot(t->c, &t->s);
    t->path = absolute_path(path);
    t->name = base_name(t->path);
    t->place.id = t->c->id;
    t->place.path = t->path;
    t->place.name = str_eq(t->name, "/") ? "" : t->name;
    t->place.read_only = json_bool_or(t->s.host_config, "ReadonlyRootfs", false);
    return 0;
}

/* Its mount namespace, if it runs. */
static bool target_enter(struct target *t)
{
    _cleanup_close_ int proc = -EBADF;

    if (!container_status_runs(t->s.state.status))
        return false;
    proc = container_proc_open(t->c, t->s.state.pid);
    t->place.mount_ns = proc < 0 ? proc : openat(proc, "ns/mnt", O_RDONLY | O_CLOEXEC);
    return t->place.mount_ns >= 0;
}

/* Docker's words for what isn't there. */
static int say_not_found(struct err *err, const char *ref, const char *path)
{
    if (err && err->kind == ERR_NOT_FOUND)
        err_set(err, ERR_NOT_FOUND, "Could not find the file %s in container %s", path, ref);
    return -1;
}

/* ---- stat ---- */

/* Go's os.FileMode. */
static int64_t go_mode(uint32_t mode)
{
    static const struct {
        uint32_t type;
        int64_t bits;
    } types[] = {{S_IFDIR, 1LL << 31}, {S_IFLNK, 1LL << 27},  {S_IFBLK, 1LL << 26},
                 {S_IFIFO, 1LL << 25}, {S_IFSOCK, 1LL << 24}, {S_IFCHR, 1LL << 26 | 1LL << 21}};
    int64_t ret = mode & 0777;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if ((mode & S_IFMT) == types[i].type)
            ret |= types[i].bits;
    ret |= mode & S_ISUID ? 1LL << 23 : 0;
    ret |= mode & S_ISGID ? 1LL << 22 : 0;
    return ret | (mode & S_ISVTX ? 1LL << 20 : 0);
}

static json_t *stat_json(const struct worker_stat *st, const char *name)
{
    char mtime[CLOCK_TEXT_SIZE];
    json_t *ret = json_object();

    clock_format(st->mtime * CLOCK_NS_PER_S + st->mtime_ns, mtime);
    json_object_set_new(ret, "name", json_string_lossy(name, strlen(name)));
    json_set_int(ret, "size", st->size);
    json_set_int(ret, "mode", go_mode(st->mode));
    json_set_str(ret, "mtime", mtime);
    json_object_set_new(ret, "linkTarget",
                        json_string_lossy(st->target, strnlen(st->target, sizeof(st->target))));
    return ret;
}

/* ---- out ---- */

struct engine_archive {
    struct engine *engine;
    struct container *c;
    struct storage_copy *copy;
    int in; /* what it writes */
    int client_fd;
};

/* Reads what came, waiting for it. Bytes, 0 at the end, -1. */
static ssize_t read_piece(struct engine_archive *a, void *data, size_t len, struct err *err)
{
    for (;;) {
        ssize_t n = read(a->in, data, len);

        if (n >= 0)
            return n;
        if (errno != EINTR && errno != EAGAIN)
            return err_errno(err, errno, "read the archive");
        if (engine_wait_readable(a->engine, a->in, a->client_fd, -1, err) < 0)
            return -1;
    }
}

/* Ends the copy: what it says of its end counts for more than how reading went, unless we ended it. */
static int archive_end(struct engine_archive *a, int r, struct err *err)
{
    struct err own = {0};
    int ended;

    close_fd(&a->in);
    if (r < 0)
        storage_copy_cancel(a->copy);
    ended = storage_copy_finish(a->copy, &own);
    if (r == 0 && ended < 0)
        r = err_pass(err, &own);
    container_unref(a->c);
    free(a);
    return r;
}

static struct engine_archive *archive_start(struct engine *e, struct target *t, enum storage_copy_kind kind,
                                            int client_fd, struct err *err)
{
    struct engine_archive *a = xcalloc(1, sizeof(*a));
    int ends[2];

    *a = (struct engine_archive){.engine = e, .c = container_ref(t->c), .in = -EBADF, .client_fd = client_fd};
    if (pipe2(ends, O_CLOEXEC) < 0) {
        err_errno(err, errno, "cannot make a pipe");
    } else {
        a->in = ends[0];
        fd_set_nonblock(a->in, true);
        (void)fcntl(ends[1], F_SETPIPE_SZ, PIECE);
        a->copy = storage_copy_start(e->storage, kind, &t->place, ends[1], err);
        close(ends[1]);
    }
    if (a->copy)
        return a;
    close_fd(&a->in);
    container_unref(a->c);
    free(a);
    return NULL;
}

/* Starts, and takes the stat that comes first. */
static struct engine_archive *archive_begin(struct engine *e, const char *ref, const char *path,
                                            enum storage_copy_kind kind, int client_fd, json_t **ret_stat,
                                            struct err *err)
{
    _cleanup_(target_finish) struct target t;
    struct engine_archive *a;
    struct worker_stat st;
    size_t have = 0;
    ssize_t n = 1;

    if (target_find(e, ref, path, &t, err) < 0)
        return NULL;
    a = !target_enter(&t) && add_mounts(&t, err) < 0 ? NULL : archive_start(e, &t, kind, client_fd, err);
    while (a && have < sizeof(st) && (n = read_piece(a, (char *)&st + have, sizeof(st) - have, err)) > 0)
        have += (size_t)n;
    if (a && have < sizeof(st)) {
        if (archive_end(a, n < 0 ? -1 : 0, err) == 0)
            err_set(err, ERR_SYSTEM, "%s: nothing was said about it", path);
        say_not_found(err, ref, path);
        a = NULL;
    }
    if (a)
        *ret_stat = stat_json(&st, t.name);
    else
        (void)container_failed(t.c, ref, err);
    return a;
}

int engine_container_path_stat(struct engine *e, const char *ref, const char *path, int client_fd,
                               json_t **ret, struct err *err)
{
    struct engine_archive *a = archive_begin(e, ref, path, STORAGE_LOOK, client_fd, ret, err);

    if (!a)
        return -1;
    (void)archive_end(a, 0, NULL);
    return 0;
}

struct engine_archive *engine_container_archive_begin(struct engine *e, const char *ref, const char *path,
                                                      int client_fd, json_t **ret_stat, struct err *err)
{
    return archive_begin(e, ref, path, STORAGE_TAKE, client_fd, ret_stat, err);
}

int engine_container_archive_send(struct engine_archive *a, const struct engine_sink *sink, struct err *err)
{
    _cleanup_free_ char *piece = xmalloc(PIECE);
    _cleanup_container_ struct container *c = container_ref(a->c);
    ssize_t n;

    while ((n = read_piece(a, piece, PIECE, err)) > 0)
        if (sink->write(sink->arg, piece, (size_t)n) < 0) {
            n = err_set(err, ERR_CANCELLED, "the client has gone");
            break;
        }
    if (archive_end(a, n < 0 ? -1 : 0, err) < 0)
        return -1;
    container_event(c, "archive-path", NULL);
    return 0;
}

/* ---- in ---- */

void container_end_writer(struct container *c, bool patiently)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&c->lock);
    if (c->writer && !patiently)
        storage_copy_cancel(c->writer);
    while (c->writer)
        if (pthread_cond_timedwait(&c->announced_done, &c->lock, &until) != 0 && c->writer) {
            storage_copy_cancel(c->writer);
            until.tv_sec += PATIENCE_S;
        }
    pthread_mutex_unlock(&c->lock);
}

static void set_writer(struct container *c, struct storage_copy *copy)
{
    pthread_mutex_lock(&c->lock);
    c->writer = copy;
    pthread_cond_broadcast(&c->announced_done);
    pthread_mutex_unlock(&c->lock);
}

/* Whose everything becomes: the container's user. */
static int choose_owner(struct engine *e, struct target *t, struct err *err)
{
    _cleanup_(storage_rootfs_finish) struct storage_rootfs rootfs = {};
    _cleanup_(oci_user_finish) struct oci_user user = {0};
    const char *spec = json_str_or(t->s.config, "User", "");

    if (!*spec)
        return 0;
    if (storage_container_rootfs(e->storage, t->c->id, &rootfs, err) < 0 ||
        oci_user_lookup(&rootfs, spec, NULL, &user, err) < 0)
        return -1;
    t->place.uid = user.uid;
    t->place.gid = user.gid;
    return 0;
}

/* Waits for the end; the client that goes, or the engine that ends, ends it. */
static int await_copy(struct engine *e, struct storage_copy *copy, int client_fd, struct err *err)
{
    int r = engine_wait_readable(e, storage_copy_fd(copy), client_fd, -1, err);

    if (r < 0)
        storage_copy_cancel(copy);
    return r < 0 ? -1 : 0;
}

static int finish_copy(struct storage_copy *copy, int r, struct err *err)
{
    return storage_copy_finish(copy, r < 0 ? NULL : err) < 0 ? -1 : r;
}

static int extract_running(struct engine *e, struct target *t, int fd, int client_fd, struct err *err)
{
    struct storage_copy *copy = storage_copy_start(e->storage, STORAGE_PUT, &t->place, fd, err);

    return copy ? finish_copy(copy, await_copy(e, copy, client_fd, err), err) : -1;
}

/* Into one at rest: the operation is held until its layers are this copy's. */
static int extract_at_rest(struct engine *e, struct target *t, int fd, int client_fd, struct err *err)
{
    struct container *c = t->c;
    struct storage_copy *copy = NULL;
    bool runs;
    int r;

    pthread_mutex_lock(&c->operation);
    runs = container_status_runs(c->state.status);
    if (c->removing || c->gone)
        err_set(err, ERR_CONFLICT, "container %s is marked for removal and cannot be copied to", c->id);
    else if (!runs) {
        container_end_writer(c, /* patiently= */ true);
        copy =
            add_mounts(t, err) < 0 ? NULL : storage_copy_start(e->storage, STORAGE_PUT, &t->place, fd, err);
        if (copy)
            set_writer(c, copy);
    }
    pthread_mutex_unlock(&c->operation);
    if (runs)
        return 1;
    if (!copy)
        return -1;
    r = await_copy(e, copy, client_fd, err);
    storage_copy_settle(copy);
    set_writer(c, NULL);
    return finish_copy(copy, r, err);
}

int engine_container_extract(struct engine *e, const char *ref, const char *path, int fd,
                             const struct engine_extract_options *o, struct err *err)
{
    for (int tries = 0;; tries++) {
        _cleanup_(target_finish) struct target t;
        int r;

        if (target_find(e, ref, path, &t, err) < 0 || (o->users_own && choose_owner(e, &t, err) < 0))
            return -1;
        t.place.keep_kind = o->keep_kind;
        r = target_enter(&t) ? extract_running(e, &t, fd, o->client_fd, err)
                             : extract_at_rest(e, &t, fd, o->client_fd, err);
        if (r < 0)
            return say_not_found(err, ref, path);
        if (r == 0) {
            container_event(t.c, "extract-to-dir", NULL);
            return 0;
        }
        if (tries == 100) /* it was started each time we looked the other way */
            return err_set(err, ERR_CONFLICT, "container %s is starting and ending: try again", t.c->id);
        engine_wait_readable(e, -1, o->client_fd, 20, NULL);
    }
}
