/* Opening and closing the store. */
#include "storage/storage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "storage/internal.h"
#include "storage/quota.h"
#include "storage/tree_remove.h"

void storage_random_name(char ret[NAME_SIZE], const char *prefix)
{
    char hex[33];

    random_hex(hex, 16);
    snprintf(ret, NAME_SIZE, "%s%s", prefix, hex);
}

const char *storage_digest_hex(const char *digest, struct err *err)
{
    const char *hex = digest ? str_after(digest, "sha256:") : NULL;

    if (hex && strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64)
        return hex;
    err_set(err, ERR_INVALID, "invalid checksum digest format: %.100s", digest ? digest : "");
    return NULL;
}

/* keg-layer beside this program, or where it is installed. */
static char *find_worker(struct err *err)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    static const char *const places[] = {"keg-layer", "../libexec/keg/keg-layer"};

    if (n < 0) {
        err_errno(err, errno, "cannot find keg-layer");
        return NULL;
    }
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        _cleanup_free_ char *path = path_join(self, places[i]);

        if (access(path, X_OK) == 0)
            return take_ptr(&path);
    }
    err_set(err, ERR_SYSTEM, "keg-layer is neither in %s nor in ../libexec/keg of it", self);
    return NULL;
}

/* Makes and opens DATA/<name>. What is below is for root alone: files of containers keep their setuid bits.
 */
static int open_dir(const char *data, const char *name, char **ret_path, struct err *err)
{
    _cleanup_free_ char *path = path_join(data, name);
    _cleanup_close_ int fd = -EBADF;
    int r = path_mkdir_all(path, 0700);

    if (r < 0)
        return err_errno(err, r, "cannot make %s", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, 0700) < 0)
        return err_errno(err, errno, "cannot open %s", path);
    *ret_path = take_ptr(&path);
    return take_fd(&fd);
}

/* Removes what an earlier run was unpacking or removing when it ended; with `trash`, in the background. */
static int sweep(struct storage *s, int dir, const char *path, struct trash *trash, struct err *err)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    if (!d) {
        err_errno(err, errno, "cannot list %s", path);
        close_fd(&copy);
        return -1;
    }
    while ((entry = readdir(d)))
        if (!str_starts(entry->d_name, STAGING_PREFIX) && !str_starts(entry->d_name, TRASH_PREFIX) &&
            !str_starts(entry->d_name, MAKING_PREFIX))
            continue;
        else if (trash)
            storage_trash_add(s, entry->d_name);
        else
            driver_remove(s->driver, dir, entry->d_name,
                          NULL); /* what can't be removed now is tried again next time */
    closedir(d);
    return 0;
}

struct storage *storage_open(const char *data, const char *driver, const char *worker, struct err *err)
{
    _cleanup_(storage_free_p) struct storage *s = xcalloc(1, sizeof(*s));
    static const char *const fixed[] = {EMPTY_DIRS, EMPTY_DIRS "/1", EMPTY_DIRS "/2", SCRATCH_DIR};
    _cleanup_free_ char *absolute = NULL;

    s->layers_fd = s->containers_fd = -EBADF;
    pthread_mutex_init(&s->lock, NULL);
    s->worker = worker ? xstrdup(worker) : find_worker(err);
    if (!s->worker)
        return NULL;
    if (path_mkdir_all(data, 0710) < 0 || !(absolute = realpath(data, NULL))) {
        err_errno(err, errno, "cannot make the data root %s", data);
        return NULL;
    }
    s->layers_fd = open_dir(absolute, "layers", &s->layers, err);
    if (s->layers_fd < 0)
        return NULL;
    s->containers_fd = open_dir(absolute, "containers", &s->containers, err);
    if (s->containers_fd < 0)
        return NULL;
    s->driver = driver_choose(s, driver, err);
    if (!s->driver)
        return NULL;
    s->trash = trash_new(s->layers_fd, s->driver);
    if (sweep(s, s->layers_fd, s->layers, s->trash, err) < 0 ||
        sweep(s, s->containers_fd, s->containers, NULL, err) < 0 || layer_load_all(s, err) < 0)
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        if (mkdirat(s->layers_fd, fixed[i], 0755) < 0 && errno != EEXIST) {
            err_errno(err, errno, "cannot write to %s", s->layers);
            return NULL;
        }
    s->driver->status(s, &s->status);
    return take_ptr(&s);
}

/* ---- settings ---- */

/* "overlay2.size=10G" in its three parts: *ret_key in place, *ret_value after it. The length of the driver's name, or -1. */
static int split_option(const char *option, const char **ret_key, const char **ret_value, struct err *err)
{
    const char *dot = strchr(option, '.'), *equals = strchr(option, '=');

    if (!equals || !dot || dot > equals || dot == option)
        return err_set(err, ERR_INVALID, "Unable to parse key/value option: '%s'", option);
    *ret_key = dot + 1;
    *ret_value = equals + 1;
    return (int)(dot - option);
}

int storage_options_check(const char *const *options, struct err *err)
{
    const char *key, *value;

    for (; options && *options; options++)
        if (split_option(*options, &key, &value, err) < 0)
            return -1;
    return 0;
}

static int set_option(struct storage *s, const char *option, struct err *err)
{
    const char *key, *value;
    int n = split_option(option, &key, &value, err);
    bool ours = n == (int)strlen(s->driver->name) && strncmp(option, s->driver->name, (size_t)n) == 0, smallest;
    int64_t *member;

    if (n < 0)
        return -1;
    smallest = ours && s->driver == &btrfs_driver && str_starts(key, "min_space=");
    if (!ours || (!smallest && !str_starts(key, "size=")))
        return err_set(err, ERR_INVALID, "%s: unknown option %.*s", s->driver->name, (int)(value - option - 1), option);
    member = smallest ? &s->smallest_size : &s->default_size;
    if (str_to_bytes(value, member) < 0)
        return err_set(err, ERR_INVALID, "%.*s: invalid size: '%s'", (int)(value - option - 1), option, value);
    return 0;
}

int storage_configure(struct storage *s, const char *const *options, struct err *err)
{
    bool layered = s->driver->limit == driver_limit_layered;

    for (; options && *options; options++)
        if (set_option(s, *options, err) < 0)
            return -1;
    if (s->default_size > 0 && (!s->driver->limit || (layered && quota_projects_available(s->containers_fd) < 0)))
        return err_set(err, ERR_INVALID,
                       "Storage option %s.size not supported. Filesystem does not support Project Quota: %s is on %s",
                       s->driver->name, s->containers, filesystem_name(s->containers_fd));
    return 0;
}

void storage_trash_add(struct storage *s, const char *name)
{
    if (s->driver->layer_hide)
        s->driver->layer_hide(s, name);
    trash_add(s->trash, name);
}

void storage_settle(struct storage *s)
{
    trash_wait(s->trash);
}

void storage_free(struct storage *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_layers && s->driver->layer_hide; i++)
        s->driver->layer_hide(s, storage_digest_hex(s->index[i].chain_id, NULL));
    trash_free(s->trash);
    close_fd(&s->layers_fd);
    close_fd(&s->containers_fd);
    strv_free(s->status);
    pthread_mutex_destroy(&s->lock);
    free(s->layers);
    free(s->containers);
    free(s->worker);
    free(s->index);
    free(s);
}

const char *storage_driver_name(const struct storage *s)
{
    return s->driver->name;
}

char *const *storage_driver_status(const struct storage *s)
{
    return s->status;
}
