/* Mounts of a container. One destination is mounted once: VolumesFrom gives way to Binds and Mounts, and the
 * image's volumes to everything. */
#include "engine/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/images.h"
#include "engine/volumes.h"
#include "storage/storage.h"
#include "volume/volume.h"

struct preparation {
    struct container *c;
    json_t *warnings;
    const struct storage_rootfs *rootfs;
    json_t *mounts;
    int image_tree; /* the image's merged tree, opened when first needed */
    struct err *err;
};

static json_t *mount_at(const json_t *mounts, const char *destination)
{
    json_t *m;
    size_t i;
    json_array_foreach (mounts, i, m)
        if (str_eq(json_str(m, "Destination"), destination))
            return m;
    return NULL;
}

/* ---- copy-up ---- */

/* Fills a new volume with what the image has at the destination. */
static int copy_up_mounted(struct preparation *p, const struct engine_volume *v, const char *destination)
{
    if (p->image_tree < 0 &&
        (p->image_tree = storage_rootfs_mount(p->c->engine->storage, p->rootfs, p->err)) < 0)
        return -1;
    _cleanup_close_ int from = path_open_in_root(p->image_tree, destination, O_RDONLY | O_DIRECTORY, 0);
    if (from < 0)
        return 0; /* the image has no directory there */
    _cleanup_close_ int to = open(v->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (to < 0)
        return err_errno(p->err, errno, "open volume %s", v->name);
    return volume_copy_up(from, to, p->err) < 0 ? err_wrap(p->err, "fill volume %s", v->name) : 0;
}

static int copy_up(struct preparation *p, const struct engine_volume *v, const char *destination)
{
    if (engine_volume_hold(p->c->engine, v->name, p->err) < 0)
        return -1;
    int r = copy_up_mounted(p, v, destination);
    engine_volume_let_go(p->c->engine, v->name);
    return r;
}

/* ---- one mount ---- */

static json_t *point_new(const char *type, const struct volume_mount *m)
{
    json_t *point = json_object();
    json_set_str(point, "Type", type);
    if (m->type == VOLUME_MOUNT_VOLUME || m->type == VOLUME_MOUNT_IMAGE)
        json_set_str(point, "Name", "");
    json_set_str(point, "Source", "");
    json_set_str(point, "Destination", m->destination);
    if (m->type == VOLUME_MOUNT_VOLUME)
        json_set_str(point, "Driver", "local");
    json_set_str(point, "Mode", m->mode ? m->mode : "");
    json_set_bool(point, "RW", !m->read_only);
    bool propagates = m->type == VOLUME_MOUNT_BIND || m->type == VOLUME_MOUNT_IMAGE;
    json_set_str(point, "Propagation", propagates ? m->propagation : "");
    return point;
}

static int add_bind(struct preparation *p, const struct volume_mount *m)
{
    struct stat st;
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a bind has a source */
    if (!m->create_source && stat(m->source, &st) < 0)
        return err_set(p->err, ERR_INVALID,
                       "invalid mount config for type \"bind\": bind source path does not exist: %.512s",
                       m->source);
    json_t *point = point_new("bind", m), *options = json_object();
    json_set_str(point, "Source", m->source);
    if (!m->recursive)
        json_set_bool(options, "NonRecursive", true);
    if (!m->read_only_recursive)
        json_set_bool(options, "ReadOnlyNonRecursive", true);
    if (m->create_source)
        json_set_bool(options, "CreateSource", true);
    json_object_set_new(point, "Options", options);
    json_array_append_new(p->mounts, point);
    return 0;
}

static int add_volume(struct preparation *p, const struct volume_mount *m)
{
    _cleanup_engine_volume_ struct engine_volume v = {0};
    const char *driver = m->driver ? m->driver : json_str(p->c->host_config, "VolumeDriver");
    if (engine_volume_ensure(p->c->engine, m->source, driver, m->options, m->labels, &v, p->err) < 0)
        return -1;
    json_t *point = point_new("volume", m);
    json_set_str(point, "Name", v.name);
    json_set_str(point, "Source", v.path);
    json_set_str(point, "Driver", v.driver);
    if (m->subpath)
        json_object_set_new(point, "Options", json_pack("{ss}", "Subpath", m->subpath));
    json_array_append_new(p->mounts, point);
    engine_volume_use(p->c->engine, v.name, p->c->id);
    return v.created && !m->no_copy && !m->subpath ? copy_up(p, &v, m->destination) : 0;
}

static int add_tmpfs(struct preparation *p, const struct volume_mount *m)
{
    _cleanup_(buf_finish) struct buf data = BUF_INIT(4096);
    if (m->tmpfs_options)
        buf_puts(&data, m->tmpfs_options);
    if (m->tmpfs_size)
        buf_printf(&data, "%ssize=%lld", data.len ? "," : "", (long long)m->tmpfs_size);
    if (m->tmpfs_mode)
        buf_printf(&data, "%smode=%o", data.len ? "," : "", m->tmpfs_mode);
    json_t *point = point_new("tmpfs", m), *options = json_object();
    json_set_str(options, "Data", buf_str(&data));
    json_object_set_new(point, "Options", options);
    json_array_append_new(p->mounts, point);
    return 0;
}

/* The image itself is in the record, so that it stays (images_remove.c), and what its name means may change. */
static int add_image(struct preparation *p, const struct volume_mount *m)
{
    struct engine_image image = {0};
    if (engine_image_find(p->c->engine, m->source, NULL, &image, p->err) < 0)
        return -1;
    json_t *point = point_new("image", m), *options = json_object();
    json_set_str(point, "Name", m->source);
    json_set_str(point, "Source", image.id);
    json_set_str(options, "TopLayer", image.top_layer);
    if (m->subpath)
        json_set_str(options, "Subpath", m->subpath);
    json_object_set_new(point, "Options", options);
    json_array_append_new(p->mounts, point);
    json_array_append_new(p->warnings, json_string("Image mount is an experimental feature"));
    engine_image_finish(&image);
    return 0;
}

static int add_mount(struct preparation *p, const struct volume_mount *m)
{
    switch (m->type) {
    case VOLUME_MOUNT_BIND:
        return add_bind(p, m);
    case VOLUME_MOUNT_VOLUME:
        return add_volume(p, m);
    case VOLUME_MOUNT_TMPFS:
        return add_tmpfs(p, m);
    case VOLUME_MOUNT_IMAGE:
        return add_image(p, m);
    }
    return -1;
}

/* ---- the four sources ---- */

static int add_binds(struct preparation *p)
{
    const json_t *value;
    size_t i;
    json_array_foreach (json_object_get(p->c->host_config, "Binds"), i, value) {
        _cleanup_volume_mount_ struct volume_mount m = {0};
        if (volume_mount_parse_bind(json_string_value(value), &m, p->err) < 0)
            return -1;
        if (mount_at(p->mounts, m.destination))
            return err_set(p->err, ERR_INVALID, "Duplicate mount point: %.512s", m.destination);
        if (add_mount(p, &m) < 0)
            return -1;
    }
    json_array_foreach (json_object_get(p->c->host_config, "Mounts"), i, value) {
        _cleanup_volume_mount_ struct volume_mount m = {0};
        if (volume_mount_parse_json(value, &m, p->err) < 0)
            return -1;
        if (mount_at(p->mounts, m.destination))
            return err_set(p->err, ERR_INVALID, "Duplicate mount point: %.512s", m.destination);
        if (add_mount(p, &m) < 0)
            return -1;
    }
    return 0;
}

/* "container", "container:ro" */
static int add_from(struct preparation *p, const char *text)
{
    const char *colon = strrchr(text, ':');
    bool ro = str_eq(colon, ":ro");
    if (colon && !ro && !str_eq(colon, ":rw") && !str_eq(colon, ":z") && !str_eq(colon, ":Z"))
        return err_set(p->err, ERR_INVALID, "invalid volumes-from specification: %.256s", text);
    _cleanup_free_ char *ref = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
    _cleanup_container_ struct container *other = containers_find(p->c->engine, ref, p->err);
    if (!other) { /* clients take "not found" for the image */
        if (p->err && p->err->kind == ERR_NOT_FOUND)
            p->err->kind = ERR_INVALID;
        return -1;
    }
    _cleanup_snapshot_ struct container_snapshot s = {0};
    container_snapshot(other, &s);
    json_t *m;
    size_t i;
    json_array_foreach (s.mounts, i, m) {
        if (mount_at(p->mounts, json_str(m, "Destination")) || str_eq(json_str(m, "Type"), "tmpfs"))
            continue;
        json_t *copy = json_copy(m);
        if (ro)
            json_set_bool(copy, "RW", false);
        json_array_append_new(p->mounts, copy);
        if (str_eq(json_str(m, "Type"), "volume"))
            engine_volume_use(p->c->engine, json_str(m, "Name"), p->c->id);
    }
    return 0;
}

static int add_others(struct preparation *p)
{
    const json_t *from;
    size_t i;
    json_array_foreach (json_object_get(p->c->host_config, "VolumesFrom"), i, from) {
        if (add_from(p, json_string_value(from)) < 0)
            return -1;
    }
    return 0;
}

static int add_image_volumes(struct preparation *p)
{
    const char *text;
    json_t *ignored;
    const json_t *tmpfs = json_object_get(p->c->host_config, "Tmpfs");
    json_object_foreach (json_object_get(p->c->config, "Volumes"), text, ignored) {
        _cleanup_volume_mount_ struct volume_mount m = {0};
        if (volume_mount_parse_bind(text, &m, p->err) < 0)
            return -1;
        if (mount_at(p->mounts, m.destination) || json_object_get(tmpfs, m.destination))
            continue;
        if (m.source)
            return err_set(p->err, ERR_INVALID, "invalid volume specification: '%.256s'", text);
        if (add_mount(p, &m) < 0)
            return -1;
    }
    return 0;
}

static int check_tmpfs(struct preparation *p)
{
    const char *destination;
    json_t *options;
    json_object_foreach (json_object_get(p->c->host_config, "Tmpfs"), destination, options) {
        _cleanup_volume_mount_ struct volume_mount m = {0};
        if (volume_mount_parse_tmpfs(destination, json_string_value(options), &m, p->err) < 0)
            return -1;
        if (mount_at(p->mounts, m.destination))
            return err_set(p->err, ERR_INVALID, "Duplicate mount point: %.512s", m.destination);
    }
    return 0;
}

int mounts_prepare(struct container *c, const struct storage_rootfs *rootfs, json_t *warnings,
                   struct err *err)
{
    struct preparation p = {.c = c,
                            .warnings = warnings,
                            .rootfs = rootfs,
                            .mounts = json_array(),
                            .image_tree = -EBADF,
                            .err = err};
    int r =
        add_binds(&p) < 0 || check_tmpfs(&p) < 0 || add_others(&p) < 0 || add_image_volumes(&p) < 0 ? -1 : 0;
    close_fd(&p.image_tree);
    json_decref(c->mounts);
    c->mounts = p.mounts;
    return r;
}

/* ---- later ---- */

static bool is_volume(const json_t *m)
{
    return str_eq(json_str(m, "Type"), "volume") && json_str(m, "Name");
}

void mounts_release(struct container *c, bool anonymous)
{
    const json_t *m;
    size_t i;
    json_array_foreach (c->mounts, i, m) {
        if (!is_volume(m))
            continue;
        engine_volume_release(c->engine, json_str(m, "Name"), c->id);
        if (anonymous)
            engine_volume_remove_anonymous(c->engine, json_str(m, "Name"));
    }
}

void mounts_ended(struct container *c)
{
    const json_t *m;
    size_t i;
    json_array_foreach (c->mounts, i, m)
        if (is_volume(m))
            engine_volume_unmount_unused(c->engine, json_str(m, "Name"));
}

void mounts_claim(struct container *c)
{
    const json_t *m;
    size_t i;
    json_array_foreach (c->mounts, i, m) {
        if (is_volume(m))
            engine_volume_use(c->engine, json_str(m, "Name"), c->id);
    }
}

int mounts_check_sources(const json_t *mounts, struct err *err)
{
    const json_t *m;
    size_t i;
    json_array_foreach (mounts, i, m) {
        const char *source = json_str_or(m, "Source", "");
        struct stat st;
        if (!str_eq(json_str(m, "Type"), "bind") && !str_eq(json_str(m, "Type"), "volume"))
            continue;
        if (stat(source, &st) == 0) {
            if (mounts_check_propagation(m, err) < 0)
                return -1;
            continue;
        }
        if (!json_bool_or(json_object_get(m, "Options"), "CreateSource", false))
            return err_set(err, ERR_INVALID,
                           "invalid mount config for type \"%s\": bind source path does not exist: %.512s",
                           json_str_or(m, "Type", ""), source);
        int r = path_mkdir_all(source, 0755);
        if (r < 0)
            return err_errno(err, r, "error while creating mount source path '%.512s'", source);
    }
    return 0;
}

json_t *mounts_shown(const json_t *mounts)
{
    json_t *shown = json_array(), *m;
    size_t i;
    json_array_foreach (mounts, i, m) {
        json_t *copy = json_copy(m);
        json_object_del(copy, "Options");
        json_array_append_new(shown, copy);
    }
    return shown;
}
