/* The engine's life: opening in the order in which things need each other, closing the other way round. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/check.h"
#include "engine/container.h"
#include "engine/exec.h"
#include "engine/file_watch.h"
#include "engine/images.h"
#include "engine/images_collect.h"
#include "engine/logs.h"
#include "engine/monitors.h"
#include "engine/networks.h"
#include "engine/recover.h"
#include "engine/start_order.h"
#include "engine/volumes.h"
#include "image/store.h"
#include "network/network.h"
#include "storage/storage.h"

#define DEFAULT_DATA "/var/lib/keg"
#define DEFAULT_EXEC "/run/keg"

enum { DEFAULT_DOWNLOADS = 3, DEFAULT_UPLOADS = 5, ID_BYTES = 16, TAG_MASK = 0xffffff };
#define DEFAULT_SHM_SIZE (64LL << 20)

/* ---- options ---- */

static const char *copy_or(const char *text, const char *otherwise)
{
    return xstrdup(text && *text ? text : otherwise);
}

static const char *const *copy_list(const char *const *list)
{
    char **copy = NULL;
    for (; list && *list; list++)
        strv_push(&copy, *list);
    return (const char *const *)copy;
}

static const char *const default_cdi_dirs[] = {"/etc/cdi", "/var/run/cdi", NULL};

static void options_copy(struct engine_options *to, const struct engine_options *from, const char *tag)
{
    *to = *from;
    to->data_root = copy_or(from->data_root, DEFAULT_DATA);
    to->exec_root = copy_or(from->exec_root, DEFAULT_EXEC);
    to->storage_driver = xstrdup(from->storage_driver);
    to->bip = xstrdup(from->bip);
    to->bip6 = xstrdup(from->bip6);
    to->fixed_cidr6 = xstrdup(from->fixed_cidr6);
    to->storage_options = copy_list(from->storage_options);
    to->default_address_pools = copy_list(from->default_address_pools);
    to->insecure_registries = copy_list(from->insecure_registries);
    to->registry_mirrors = copy_list(from->registry_mirrors);
    to->dns = copy_list(from->dns);
    to->dns_search = copy_list(from->dns_search);
    to->dns_options = copy_list(from->dns_options);
    to->cdi_dirs = copy_list(from->cdi_dirs ? from->cdi_dirs : default_cdi_dirs);
    to->labels = copy_list(from->labels);
    to->open_hosts = copy_list(from->open_hosts);
    to->log_driver = copy_or(from->log_driver, "json-file");
    to->log_options = from->log_options ? json_deep_copy(from->log_options) : NULL;
    to->image_gc = from->image_gc ? json_deep_copy(from->image_gc) : NULL;
    to->default_ulimits = from->default_ulimits ? json_deep_copy(from->default_ulimits) : NULL;
    to->runtimes = from->runtimes ? json_deep_copy(from->runtimes) : NULL;
    to->default_runtime = xstrdup(from->default_runtime);
    to->cgroup_parent = copy_or(from->cgroup_parent, tag);
    to->seccomp_profile = xstrdup(from->seccomp_profile);
    to->ipc_mode = copy_or(from->ipc_mode, "private");
    to->cgroupns_mode = copy_or(from->cgroupns_mode, "private");
    to->host_mounts = xstrdup(from->host_mounts);
    to->shm_size = from->shm_size > 0 ? from->shm_size : DEFAULT_SHM_SIZE;
    to->max_concurrent_downloads =
        from->max_concurrent_downloads > 0 ? from->max_concurrent_downloads : DEFAULT_DOWNLOADS;
    to->max_concurrent_uploads =
        from->max_concurrent_uploads > 0 ? from->max_concurrent_uploads : DEFAULT_UPLOADS;
}

static void options_finish(struct engine_options *o)
{
    const char *const *const lists[] = {o->default_address_pools,
                                        o->insecure_registries,
                                        o->registry_mirrors,
                                        o->dns,
                                        o->dns_search,
                                        o->dns_options,
                                        o->labels,
                                        o->open_hosts,
                                        o->cdi_dirs,
                                        o->storage_options};
    const char *const texts[] = {o->data_root,
                                 o->exec_root,
                                 o->storage_driver,
                                 o->bip,
                                 o->bip6,
                                 o->fixed_cidr6,
                                 o->log_driver,
                                 o->cgroup_parent,
                                 o->seccomp_profile,
                                 o->ipc_mode,
                                 o->cgroupns_mode,
                                 o->host_mounts,
                                 o->default_runtime};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        strv_free((char **)lists[i]);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free((char *)texts[i]);
    json_decref((json_t *)o->log_options);
    json_decref((json_t *)o->image_gc);
    json_decref((json_t *)o->default_ulimits);
    json_decref((json_t *)o->runtimes);
}

/* ---- places ---- */

/* Everything that is global on a host carries the instance's tag, so that two engines can live side by side. */
static void choose_names(struct engine *e, const char *exec_root)
{
    if (str_empty(exec_root) || str_eq(exec_root, DEFAULT_EXEC)) {
        e->tag = xstrdup("keg");
        e->bridge_prefix = xstrdup("keg");
        return;
    }
    unsigned hash = (unsigned)(hash64(exec_root, strlen(exec_root)) & TAG_MASK);
    e->tag = xasprintf("keg-%06x", hash);
    e->bridge_prefix = xasprintf("kg%06x", hash);
}

static int find_libexec(struct engine *e, struct err *err)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0)
        return err_errno(err, errno, "find this program's own directory");
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    *slash = '\0';
    _cleanup_free_ char *beside = xasprintf("%s/keg-monitor", self);
    e->libexec = access(beside, X_OK) == 0 ? xstrdup(self) : xasprintf("%s/../libexec/keg", self);
    return 0;
}

static int make_directory(const char *root, const char *below, mode_t mode, struct err *err)
{
    _cleanup_free_ char *path = below ? path_join(root, below) : xstrdup(root);
    int r = path_mkdir_all(path, mode);
    return r < 0 ? err_errno(err, r, "make %s", path) : 0;
}

static int lock_root(const char *root, int *ret, struct err *err)
{
    _cleanup_free_ char *path = path_join(root, "keg.lock");
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "open %s", path);
    char pid[16] = "";
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        (void)!pread(fd, pid, sizeof(pid) - 1, 0);
        return err_set(err, ERR_CONFLICT, "another kegd (process %s) uses %s", pid, root);
    }
    snprintf(pid, sizeof(pid), "%d", getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
        return err_errno(err, errno, "write %s", path);
    *ret = take_fd(&fd);
    return 0;
}

/* What containers get that say nothing of their own. */
static int check_log_defaults(const struct engine *e, struct err *err)
{
    struct log_settings settings;
    _cleanup_json_ json_t *config = json_object();
    json_set_str(config, "Type", e->options.log_driver);
    if (e->options.log_options)
        json_object_set(config, "Config", (json_t *)e->options.log_options);
    return log_settings_parse(config, &settings, err) < 0 ? err_wrap(err, "failed to set log opts") : 0;
}

static int make_places(struct engine *e, struct err *err)
{
    const char *data = e->options.data_root, *exec = e->options.exec_root;
    if (make_directory(data, NULL, 0710, err) < 0 || make_directory(data, "containers", 0710, err) < 0 ||
        make_directory(exec, NULL, 0711, err) < 0 || make_directory(exec, "containers", 0700, err) < 0 ||
        make_directory(exec, "seccomp", 0700, err) < 0)
        return -1;
    return lock_root(data, &e->lock_data, err) < 0 || lock_root(exec, &e->lock_exec, err) < 0 ? -1 : 0;
}

/* ---- opening ---- */

/* Whether DATA/NAME holds anything that is named by 64 hexadecimal digits. */
static bool holds_something(const char *data, const char *name)
{
    _cleanup_free_ char *path = path_join(data, name);
    DIR *dir = opendir(path);
    struct dirent *entry;
    bool found = false;

    while (dir && !found && (entry = readdir(dir)))
        found = strlen(entry->d_name) == 64 && strspn(entry->d_name, "0123456789abcdef") == 64;
    if (dir)
        closedir(dir);
    return found;
}

/* What a database doesn't know is swept. One that was lost must not take everything with it. */
static int refuse_lost_database(const struct engine *e, struct err *err)
{
    static const char *const places[] = {"layers", "blobs/sha256", "containers"};
    const char *data = e->options.data_root;

    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        if (holds_something(data, places[i]))
            return err_set(
                err, ERR_CONFLICT,
                "%s/keg.db is empty or was missing, but %s/%s isn't empty: put the database back, or "
                "remove or move away %s/{layers,blobs,containers} to begin anew",
                data, data, places[i], data);
    return 0;
}

static int open_identity(struct engine *e, struct err *err)
{
    _cleanup_json_ json_t *known = db_get(e->db, DB_META, "id", NULL);
    char id[2 * ID_BYTES + 1];
    random_hex(id, ID_BYTES);
    if (json_str(known, "ID")) {
        snprintf(e->id, sizeof(e->id), "%s", json_str(known, "ID"));
        return 0;
    }
    if (refuse_lost_database(e, err) < 0)
        return -1;
    snprintf(e->id, sizeof(e->id), "%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12, id + 16, id + 20);
    _cleanup_json_ json_t *value = json_pack("{ss}", "ID", e->id);
    return db_put(e->db, DB_META, "id", NULL, value, DB_SYNCED, err);
}

static int open_stores(struct engine *e, struct err *err)
{
    const struct engine_options *o = &e->options;
    _cleanup_free_ char *path = path_join(o->data_root, "keg.db"),
                        *worker = path_join(e->libexec, "keg-layer");
    if (!(e->db = db_open(path, err)))
        return -1;
    check_note_open(e);
    if (open_identity(e, err) < 0 ||
        !(e->storage = storage_open(o->data_root, o->storage_driver, worker, err)) ||
        storage_configure(e->storage, o->storage_options, err) < 0)
        return -1;
    const struct image_store_options images = {
        .data_dir = o->data_root,
        .layers = e->storage,
        .worker_dir = e->libexec,
        .insecure_registries = (char *const *)o->insecure_registries,
        .mirrors = (char *const *)o->registry_mirrors,
        .max_downloads = (unsigned)o->max_concurrent_downloads,
        .max_uploads = (unsigned)o->max_concurrent_uploads,
    };
    return (e->image_store = image_store_open(&images, err)) ? 0 : -1;
}

static int open_network(struct engine *e, struct err *err)
{
    const struct engine_options *o = &e->options;
    const struct network_host_options options = {
        .tag = e->tag,
        .bridge_prefix = e->bridge_prefix,
        .seed = e->id,
        .pools = o->default_address_pools,
        .ip_forward = !o->no_ip_forward,
        .nat = !o->no_nat,
        .nat6 = !o->no_nat6,
    };
    if (o->no_networks)
        return 0;
    return (e->network_host = network_host_open(&options, err)) ? 0 : -1;
}

static int open_all(struct engine *e, struct err *err)
{
    e->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (e->interrupt_fd < 0)
        return err_errno(err, errno, "make an eventfd");
    e->containers = containers_new();
    e->execs = execs_new();
    e->file_watches = file_watches_new();
    bool places = find_libexec(e, err) == 0 && check_log_defaults(e, err) == 0 && make_places(e, err) == 0;
    e->events = events_new(places ? e->options.data_root : NULL);
    if (!places || open_stores(e, err) < 0 || open_network(e, err) < 0)
        return -1;
    e->spawner = spawner_new(e->libexec, err);
    if (!e->spawner || recover_load(e, err) < 0 || engine_images_open(e, err) < 0 ||
        engine_networks_open(e, err) < 0 || engine_volumes_open(e, err) < 0 ||
        !(e->watcher = watcher_new(e, err)))
        return -1;
    if (recover_run(e, err) < 0 || images_collect_start(e, err) < 0)
        return -1;
    check_start(e);
    return 0;
}

int engine_check_storage_driver(const char *name, struct err *err)
{
    return storage_driver_check(name, err);
}

int engine_check_storage_options(const char *const *options, struct err *err)
{
    return storage_options_check(options, err);
}

struct engine *engine_open(const struct engine_options *options, struct err *err)
{
    struct engine *e = xcalloc(1, sizeof(*e));
    e->lock_data = e->lock_exec = e->interrupt_fd = -EBADF;
    pthread_mutex_init(&e->checking, NULL);
    pthread_mutex_init(&e->options_lock, NULL);
    choose_names(e, options->exec_root);
    options_copy(&e->options, options, e->tag);
    return open_all(e, err) < 0 ? engine_close(e) : e;
}

/* ---- closing ---- */

void engine_interrupt(struct engine *e)
{
    e->closing = true;
    eventfd_write(e->interrupt_fd, 1);
}

struct engine *engine_close(struct engine *e)
{
    if (!e)
        return NULL;
    e->closing = true;
    if (e->interrupt_fd >= 0)
        engine_interrupt(e);
    images_collect_stop(e);
    check_stop(e);
    start_order_finish(e);
    e->watcher = watcher_free(e->watcher);
    engine_dismantle(e);
    if (e->volumes)
        engine_volumes_close(e);
    if (e->networks)
        engine_networks_close(e);
    if (e->images)
        engine_images_close(e);
    e->containers = containers_free(e->containers);
    e->execs = execs_free(e->execs);
    e->file_watches = file_watches_free(e->file_watches);
    e->spawner = spawner_free(e->spawner);
    network_host_free(e->network_host);
    if (e->image_store)
        image_store_close(e->image_store);
    if (e->storage)
        storage_free(e->storage);
    e->db = db_close(e->db);
    e->events = events_free(e->events);
    close_fd(&e->lock_data);
    close_fd(&e->lock_exec);
    close_fd(&e->interrupt_fd);
    pthread_mutex_destroy(&e->checking);
    pthread_mutex_destroy(&e->options_lock);
    options_finish(&e->options);
    free(e->tag);
    free(e->bridge_prefix);
    free(e->libexec);
    free(e);
    return NULL;
}

/* ---- waiting ---- */

int engine_wait_readable(struct engine *e, int fd, int client_fd, int timeout_ms, struct err *err)
{
    int64_t deadline = clock_monotonic() + timeout_ms * 1000000LL;
    for (;;) {
        struct pollfd p[3] = {
            {.fd = e->interrupt_fd, .events = POLLIN},
            {.fd = client_fd, .events = POLLRDHUP},
            {.fd = fd, .events = POLLIN},
        };
        int64_t left = (deadline - clock_monotonic() + 999999) / 1000000;
        int n = poll(p, ARRAY_SIZE(p), timeout_ms < 0 ? -1 : (int)MAX_OF(left, 0));
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "poll");
        if (n == 0)
            return 0;
        if (n > 0 && p[2].revents)
            return 1;
        if (n > 0 && p[0].revents)
            return err_set(err, ERR_CANCELLED, "the engine is shutting down");
        if (n > 0 && p[1].revents)
            return err_set(err, ERR_CANCELLED, "the client has gone");
    }
}
