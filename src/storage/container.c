/* Containers' own layers. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "storage/init_layer.h"
#include "storage/internal.h"
#include "storage/quota.h"
#include "storage/tree_remove.h"
#include "storage/whole.h"

/* "base" is a symlink, since a symlink is metadata: it is on the disk when the directory is, without an fsync
 * of its own. Its target also tells people where to look. */
#define BASE_PREFIX "../../layers/"

enum { WORK_MODE = 0711 };

static int check_id(const char *id, struct err *err)
{
    size_t len = strlen(id);

    if (len == 0 || len > NAME_MAX || id[0] == '.' ||
        strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != len)
        return err_set(err, ERR_INVALID, "invalid container id: %.100s", id);
    return 0;
}

static int no_such_container(const char *id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "container %s has no layers here", id);
}

void storage_rootfs_finish(struct storage_rootfs *r)
{
    strv_free(r->lower);
    free(r->upper);
    free(r->work);
    free(r->root);
    *r = (struct storage_rootfs){};
}

/* ---- Where the layers are ---- */

static int read_base(int dir, const char *id, char top[STORAGE_DIGEST_SIZE], struct err *err)
{
    char target[256];
    ssize_t n = readlinkat(dir, "base", target, sizeof(target) - 1);
    const char *name;

    if (n < 0)
        return errno == ENOENT ? no_such_container(id, err)
                               : err_errno(err, errno, "cannot read the base of %s", id);
    target[n] = '\0';
    name = str_after(target, BASE_PREFIX);
    if (str_eq(name, SCRATCH_DIR)) {
        top[0] = '\0';
        return 0;
    }
    snprintf(top, STORAGE_DIGEST_SIZE, "sha256:%.64s", name ? name : "");
    return storage_digest_hex(top, err) ? 0 : err_wrap(err, "container %s stands on nothing known", id);
}

static int fill_rootfs(struct storage *s, const char *id, const char *top, struct storage_rootfs *ret,
                       struct err *err)
{
    _cleanup_(storage_rootfs_finish) struct storage_rootfs r = {};

    if (s->driver->root_make) {
        *ret = (struct storage_rootfs){.root = xasprintf("%s/%s/root", s->containers, id)};
        return 0;
    }
    strv_push_take(&r.lower, xasprintf("%s/%s/init", s->layers, storage_base_name(top)));
    if (layer_stack_paths(s, top, &r.lower, err) < 0)
        return err_wrap(err, "container %s", id);
    r.upper = xasprintf("%s/%s/upper", s->containers, id);
    r.work = xasprintf("%s/%s/work", s->containers, id);
    *ret = r;
    r = (struct storage_rootfs){};
    return 0;
}

static int open_container(struct storage *s, const char *id, struct err *err)
{
    int fd;

    if (check_id(id, err) < 0)
        return -1;
    fd = openat(s->containers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? no_such_container(id, err) : err_errno(err, errno, "cannot open %s", id);
    return fd;
}

int storage_container_rootfs(struct storage *s, const char *id, struct storage_rootfs *ret, struct err *err)
{
    _cleanup_close_ int dir = open_container(s, id, err);
    char top[STORAGE_DIGEST_SIZE];

    if (dir < 0 || read_base(dir, id, top, err) < 0)
        return -1;
    return fill_rootfs(s, id, top, ret, err);
}

int storage_container_top(struct storage *s, const char *id, char ret[STORAGE_DIGEST_SIZE], struct err *err)
{
    _cleanup_close_ int dir = open_container(s, id, err);

    return dir < 0 ? -1 : read_base(dir, id, ret, err);
}

/* ---- Making and removing ---- */

/* The init layer of the image, made if this is its first container. */
static int ensure_init(struct storage *s, const char *top, struct err *err)
{
    _cleanup_(storage_rootfs_finish) struct storage_rootfs image = {};
    _cleanup_close_ int dir = -EBADF;

    if (storage_layer_rootfs(s, top, &image, err) < 0)
        return -1;
    dir = openat(s->layers_fd, storage_base_name(top), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_errno(err, errno, "cannot open layer %s", top);
    return init_layer_make(s, dir, &image, err);
}

/* The merged root has the attributes of the writable layer's: they are the image's. */
static int make_upper(struct storage *s, int dir, const char *top, struct err *err)
{
    _cleanup_free_ char *init = xasprintf("%s/init", storage_base_name(top));
    _cleanup_close_ int upper = -EBADF;
    struct stat st;

    if (fstatat(s->layers_fd, init, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, errno, "cannot look at %s", init);
    if (mkdirat(dir, "upper", 0755) == 0)
        upper = openat(dir, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (upper < 0 || fchown(upper, st.st_uid, st.st_gid) < 0 || fchmod(upper, st.st_mode & 07777) < 0)
        return err_errno(err, errno, "cannot make the writable layer");
    return mkdirat(dir, "work", WORK_MODE) < 0 ? err_errno(err, errno, "cannot make overlay's work directory")
                                               : 0;
}

static int make_layers(struct storage *s, int dir, const char *id, const char *top, struct err *err)
{
    _cleanup_free_ char *base = xasprintf("%s%s", BASE_PREFIX, storage_base_name(top));

    /* The symlink comes first: who makes it owns the place. */
    if (symlinkat(base, dir, "base") < 0)
        return errno == EEXIST ? err_set(err, ERR_CONFLICT, "container %s has layers already", id)
                               : err_errno(err, errno, "cannot make the layers of %s", id);
    if ((s->driver->root_make ? s->driver->root_make(s, dir, top, err) : make_upper(s, dir, top, err)) < 0) {
        storage_container_remove(s, id, NULL);
        return err_wrap(err, "container %s", id);
    }
    return 0;
}

int storage_container_create(struct storage *s, const char *id, const char *top, struct storage_rootfs *ret,
                             struct err *err)
{
    _cleanup_(storage_rootfs_finish) struct storage_rootfs r = {};
    _cleanup_close_ int dir = -EBADF;

    if (check_id(id, err) < 0 || (!str_empty(top) && !storage_digest_hex(top, err)))
        return -1;
    if (ensure_init(s, top, err) < 0 || fill_rootfs(s, id, top, &r, err) < 0)
        return -1;
    if (mkdirat(s->containers_fd, id, 0710) < 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make %s/%s", s->containers, id);
    dir = open_container(s, id, err);
    if (dir < 0 || make_layers(s, dir, id, top, err) < 0)
        return -1;
    if (ret) {
        *ret = r;
        r = (struct storage_rootfs){};
    }
    return 0;
}

int driver_limit_layered(int dir, int64_t bytes, struct err *err)
{
    static const char *const names[] = {"upper", "work"};
    int r = quota_project_make(dir, names, ARRAY_SIZE(names), (uint64_t)bytes);

    if (r == -EOPNOTSUPP)
        return err_set(err, ERR_SYSTEM,
                       "--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
    return r < 0 ? err_errno(err, r, "cannot limit a layer to %lld bytes", (long long)bytes) : 0;
}

int storage_container_limit(struct storage *s, const char *id, int64_t bytes, struct err *err)
{
    _cleanup_close_ int dir = -EBADF;

    bytes = bytes > 0 ? bytes : s->default_size;
    if (bytes <= 0)
        return 0;
    if (!s->driver->limit)
        return err_set(err, ERR_SYSTEM, "--storage-opt is not supported with %s: it has no quotas", s->driver->name);
    if (bytes < s->smallest_size)
        return err_set(err, ERR_SYSTEM, "%s: storage size cannot be less than %lld bytes", s->driver->name,
                       (long long)s->smallest_size);
    dir = open_container(s, id, err);
    return dir < 0 ? -1 : s->driver->limit(dir, bytes, err);
}

int storage_container_mend(struct storage *s, const char *id, const char *top, struct err *err)
{
    _cleanup_free_ char *base = xasprintf("%s%s", BASE_PREFIX, storage_base_name(top));
    _cleanup_close_ int dir = -EBADF;

    if (check_id(id, err) < 0 || ensure_init(s, top, err) < 0)
        return -1;
    if (mkdirat(s->containers_fd, id, 0710) < 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make %s/%s", s->containers, id);
    dir = open_container(s, id, err);
    if (dir < 0)
        return -1;
    if (symlinkat(base, dir, "base") < 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make the layers of %s", id);
    if (s->driver->root_make)
        return faccessat(dir, "root", F_OK, AT_SYMLINK_NOFOLLOW) == 0
                   ? 0
                   : s->driver->root_make(s, dir, top, err);
    if (faccessat(dir, "upper", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        (void)tree_remove(dir, "work");
        return make_upper(s, dir, top, err);
    }
    if (mkdirat(dir, "work", WORK_MODE) < 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make overlay's work directory");
    return 0;
}

int storage_container_renew(struct storage *s, const char *id, struct err *err)
{
    _cleanup_close_ int dir = open_container(s, id, err);
    int r;

    if (dir < 0)
        return -1;
    if (s->driver->root_make || faccessat(dir, "work/work/incompat", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    r = tree_remove(dir, "work");
    if (r == 0 && mkdirat(dir, "work", WORK_MODE) < 0)
        r = -errno;
    if (r == 0)
        r = quota_project_join(dir, "upper", "work"); /* nothing can be renamed from one project to another */
    return r < 0 ? err_errno(err, r, "cannot make overlay's work directory anew") : 0;
}

int storage_container_remove(struct storage *s, const char *id, struct err *err)
{
    /* base last: until then it is known to be ours */
    static const char *const names[] = {"work", "upper", "root", "base"};
    _cleanup_close_ int dir = -EBADF;
    struct err open_err;

    dir = open_container(s, id, &open_err);
    if (dir < 0) {
        if (open_err.kind == ERR_NOT_FOUND)
            return 0;
        return err_pass(err, &open_err);
    }
    if (!s->driver->root_make)
        quota_project_end(dir, "upper");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        int r = driver_remove(s->driver, dir, names[i], NULL);

        if (r < 0)
            return err_errno(err, r, "cannot remove %s/%s/%s", s->containers, id, names[i]);
    }
    if (unlinkat(s->containers_fd, id, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY && errno != ENOENT)
        return err_errno(err, errno, "cannot remove %s/%s", s->containers, id);
    return 0;
}

int storage_container_list(struct storage *s, char ***ret, struct err *err)
{
    int copy = openat(s->containers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    if (!dir) {
        err_errno(err, errno, "cannot list %s", s->containers);
        close_fd(&copy);
        return -1;
    }
    *ret = NULL;
    while ((entry = readdir(dir))) {
        _cleanup_free_ char *base = xasprintf("%s/base", entry->d_name);

        if (entry->d_name[0] != '.' && faccessat(s->containers_fd, base, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            strv_push(ret, entry->d_name);
    }
    closedir(dir);
    return 0;
}

/* ---- Size ---- */

enum { SIZE_DEPTH_MAX = 256 }; /* what is deeper isn't counted: it is nobody's work but an attacker's */

/* A file with several names, which counts once. */
struct shared_file {
    ino_t ino;
    int64_t size;
};

struct tree_size {
    int64_t sum;
    struct shared_file *shared;
    size_t n_shared;
};

static void add_size(struct tree_size *t, const struct stat *st)
{
    if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
        return;
    if (st->st_nlink < 2) {
        t->sum += st->st_size;
        return;
    }
    t->shared = xreallocarray(t->shared, t->n_shared + 1, sizeof(*t->shared));
    t->shared[t->n_shared++] = (struct shared_file){st->st_ino, st->st_size};
}

static void add_dir(struct tree_size *t, int parent, const char *name, int depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) { /* went away meanwhile */
        close_fd(&fd);
        return;
    }
    while ((entry = readdir(dir))) {
        struct stat st;

        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
            continue;
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (!S_ISDIR(st.st_mode))
            add_size(t, &st);
        else if (depth < SIZE_DEPTH_MAX)
            add_dir(t, fd, entry->d_name, depth + 1);
    }
    closedir(dir);
}

static int compare_inodes(const void *a, const void *b)
{
    ino_t x = ((const struct shared_file *)a)->ino, y = ((const struct shared_file *)b)->ino;

    return x < y ? -1 : x > y;
}

static int64_t dir_size(int parent, const char *name)
{
    struct tree_size t = {};

    add_dir(&t, parent, name, 0);
    if (t.n_shared > 1)
        qsort(t.shared, t.n_shared, sizeof(*t.shared), compare_inodes);
    for (size_t i = 0; i < t.n_shared; i++)
        if (i == 0 || t.shared[i].ino != t.shared[i - 1].ino)
            t.sum += t.shared[i].size;
    free(t.shared);
    return t.sum;
}

int storage_container_size(struct storage *s, const char *id, int64_t *ret, struct err *err)
{
    _cleanup_close_ int dir = open_container(s, id, err);
    char top[STORAGE_DIGEST_SIZE];

    if (dir < 0)
        return -1;
    if (s->driver->root_make)
        return read_base(dir, id, top, err) < 0 ? -1 : whole_diff(s, id, top, -EBADF, NULL, ret, err);
    *ret = dir_size(dir, "upper");
    return 0;
}

/* ---- What it has written, going out ---- */

int storage_container_pack(struct storage *s, const char *id, int out, struct storage_pack_result *ret,
                           struct err *err)
{
    _cleanup_close_ int dir = open_container(s, id, err);
    char top[STORAGE_DIGEST_SIZE];

    if (dir < 0 || read_base(dir, id, top, err) < 0)
        return -1;
    if (s->driver->root_make)
        return whole_diff(s, id, top, out, ret, NULL, err);
    return pack_directory(s, dir, "upper", out, ret, err);
}
