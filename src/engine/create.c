/* Creating a container: check, merge with the image, make its places, record it. The record comes last: what
 * isn't in the database is swept at the next start. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/endpoints.h"
#include "engine/fields.h"
#include "engine/images.h"
#include "engine/images_collect.h"
#include "engine/kernel_limits.h"
#include "engine/links.h"
#include "engine/logs.h"
#include "engine/merge_config.h"
#include "engine/mounts.h"
#include "engine/oci.h"
#include "engine/runtimes.h"
#include "engine/validate.h"
#include "engine/validate_parts.h"
#include "storage/storage.h"

enum { NAME_ATTEMPTS = 20, SHORT_ID = 12 };

struct creation {
    struct engine *e;
    const char *name, *platform; /* as asked for; NULL */
    json_t *config, *host_config, *network_config, *warnings;
    struct engine_image image;
    struct container *c;
    bool has_layers;
    struct err *err;
};

/* ---- merging with the image ---- */

static int merge_image(struct creation *cr)
{
    _cleanup_json_ json_t *image = fields_compact(config_fields, json_object_get(cr->image.config, "config"),
                                                  "the image's config", cr->err);
    if (!image)
        return -1;
    merge_config(cr->config, image);
    return 0;
}

/* ---- the request ---- */

static const char *network_mode(const json_t *host_config)
{
    const char *mode = json_str_or(host_config, "NetworkMode", "");
    return !*mode || str_eq(mode, "default") ? "bridge" : mode;
}

/* "02-42-…" is another way to write "02:42:…". */
static void settle_mac_text(json_t *object)
{
    _cleanup_free_ char *mac = xstrdup(json_str_or(object, "MacAddress", ""));
    for (char *p = mac; *p; p++)
        *p = *p == '-' ? ':' : *p;
    if (*mac)
        json_set_str(object, "MacAddress", mac);
}

/* The container's own address is its main network's. */
static int settle_mac(struct creation *cr, const char *mode)
{
    settle_mac_text(cr->config);
    const char *own = json_str_or(cr->config, "MacAddress", "");
    const char *asked = json_str_or(json_object_get(cr->network_config, mode), "MacAddress", "");
    if (!*own)
        return 0;
    if (*asked && !str_eq(own, asked))
        return err_set(cr->err, ERR_INVALID,
                       "the container-wide MAC address must match the endpoint-specific MAC address for the "
                       "main network, or be left empty");
    json_array_append_new(cr->warnings,
                          json_string("The container-wide MacAddress field is now deprecated. It should be "
                                      "specified in EndpointsConfig instead."));
    return 0;
}

/* {network: EndpointSettings}, at least for the one the mode names. */
static int read_networks(struct creation *cr, const json_t *body)
{
    const char *mode = network_mode(cr->host_config), *name;
    json_t *config = json_object_get(body, "NetworkingConfig"), *settings;
    json_t *asked = json_object_get(config, "EndpointsConfig");
    if ((config && !json_is_null(config) && !json_is_object(config)) ||
        (asked && !json_is_null(asked) && !json_is_object(asked)))
        return err_set(cr->err, ERR_INVALID,
                       "invalid JSON: NetworkingConfig.EndpointsConfig must be an object");
    cr->network_config = json_object();
    if (str_starts(mode, "container:"))
        return 0;
    json_object_set_new(cr->network_config, mode, json_object());
    json_object_foreach (asked, name, settings) {
        if (json_is_null(settings))
            return err_set(cr->err, ERR_INVALID, "invalid config for network %s: EndpointsConfig is nil",
                           name);
        json_t *compact = fields_compact(endpoint_fields, settings, "EndpointsConfig", cr->err);
        if (!compact)
            return -1;
        settle_mac_text(compact);
        json_object_set_new(cr->network_config, str_eq(name, "default") ? "bridge" : name, compact);
        const char *mac = json_str_or(compact, "MacAddress", "");
        if (*mac && !validate_is_mac(mac))
            return err_set(cr->err, ERR_INVALID, "invalid config for network %s: invalid MAC address %.64s",
                           name, mac);
    }
    if (settle_mac(cr, mode) < 0)
        return -1;
    if (endpoints_settle(cr->e, &cr->network_config, cr->err) < 0)
        return -1;
    if (json_object_size(cr->network_config) > 1 && (str_eq(mode, "host") || str_eq(mode, "none")))
        return err_set(cr->err, ERR_INVALID,
                       "conflicting options: a container with network mode %s cannot join networks", mode);
    return 0;
}

/* As much swap as memory, unless it is said; -1 is how clients say that they leave the swappiness alone. */
static void fill_memory_defaults(json_t *host)
{
    int64_t limit = json_int_or(host, "Memory", 0);
    if (limit > 0 && limit <= INT64_MAX / 2 && json_int_or(host, "MemorySwap", 0) == 0)
        json_set_int(host, "MemorySwap", 2 * limit);
    if (json_int_or(host, "MemorySwappiness", 0) == -1)
        json_object_del(host, "MemorySwappiness");
}

/* Who sees the host's processes is under no SELinux label: shown as an option, as Docker does. */
static void fill_label_option(json_t *host)
{
    if (!json_bool_or(host, "Privileged", false) && !str_eq(json_str(host, "PidMode"), "host") &&
        !str_eq(json_str(host, "IpcMode"), "host"))
        return;
    if (!json_object_get(host, "SecurityOpt"))
        json_object_set_new(host, "SecurityOpt", json_array());
    json_array_append_new(json_object_get(host, "SecurityOpt"), json_string("label=disable"));
}

static void fill_defaults(struct creation *cr)
{
    const struct engine_options *o = &cr->e->options;
    json_t *host = cr->host_config;
    json_set_str(host, "NetworkMode", network_mode(host));
    log_config_complete(host, o->log_driver, o->log_options);
    if (!json_object_get(host, "IpcMode") && o->ipc_mode)
        json_set_str(host, "IpcMode", o->ipc_mode);
    if (!json_object_get(host, "CgroupnsMode") && o->cgroupns_mode)
        json_set_str(host, "CgroupnsMode", o->cgroupns_mode);
    if (!json_object_get(host, "ShmSize"))
        json_set_int(host, "ShmSize", o->shm_size);
    fill_memory_defaults(host);
    fill_label_option(host);
    runtimes_fill_default(cr->e, host);
}

static int read_request(struct creation *cr, const json_t *body)
{
    cr->warnings = json_array();
    cr->config = fields_compact(config_fields, body, "Config", cr->err);
    if (!cr->config)
        return -1;
    cr->host_config =
        fields_compact(host_config_fields, json_object_get(body, "HostConfig"), "HostConfig", cr->err);
    if (!cr->host_config)
        return -1;
    if (json_bool_or(cr->config, "NetworkDisabled", false))
        json_set_str(cr->host_config, "NetworkMode", "none");
    if (read_networks(cr, body) < 0)
        return -1;
    fill_defaults(cr);
    kernel_limits_adapt(cr->host_config, cr->warnings);
    const char *cwd = json_str_or(cr->config, "WorkingDir", "");
    if (*cwd == '/') {
        _cleanup_free_ char *clean = path_clean(cwd);
        json_set_str(cr->config, "WorkingDir", clean);
    }
    return 0;
}

/* ---- the container ---- */

static void fill_hostname(struct creation *cr)
{
    const char *mode = json_str(cr->host_config, "NetworkMode");
    char host[HOST_NAME_MAX + 1] = "";
    if (json_object_get(cr->config, "Hostname") || str_starts(mode, "container:"))
        return;
    if (str_eq(mode, "host") || str_eq(json_str(cr->host_config, "UTSMode"), "host"))
        gethostname(host, sizeof(host) - 1);
    else
        snprintf(host, sizeof(host), "%.*s", SHORT_ID, cr->c->id);
    json_set_str(cr->config, "Hostname", host);
}

static struct container *creation_container(struct creation *cr, const json_t *body)
{
    char id[CONTAINER_ID_SIZE];
    random_hex(id, (CONTAINER_ID_SIZE - 1) / 2);
    struct container *c = cr->c = container_new(cr->e, id);
    fill_hostname(cr);
    c->created = clock_now();
    c->image_id = xstrdup(cr->image.id);
    c->image_ref = xstrdup(json_str(body, "Image"));
    c->config = take_ptr(&cr->config);
    c->host_config = take_ptr(&cr->host_config);
    c->network_config = take_ptr(&cr->network_config);
    c->mounts = json_array();
    container_settle_constants(c);
    return c;
}

/* Takes the name asked for, or one of our own. */
static int claim_name(struct creation *cr)
{
    struct err why = {0};
    if (cr->name) {
        const char *bare;
        if (container_check_name(cr->name, &bare, cr->err) < 0)
            return -1;
        cr->c->name = xstrdup(bare);
        return containers_add(cr->e, cr->c, cr->err);
    }
    for (unsigned i = 0; i < NAME_ATTEMPTS; i++) {
        free(cr->c->name);
        cr->c->name = container_random_name(i);
        if (containers_add(cr->e, cr->c, &why) == 0)
            return 0;
    }
    return err_set(cr->err, ERR_CONFLICT, "no free name was found: %s", why.message);
}

/* Containers whose namespaces are to be shared are there by now; whether they run is asked at each start. */
static int check_others(struct creation *cr)
{
    static const char *const members[] = {"PidMode", "IpcMode"};
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        const char *ref = str_after(json_str_or(cr->host_config, members[i], ""), "container:");
        _cleanup_container_ struct container *other = ref ? containers_find(cr->e, ref, cr->err) : NULL;
        if (ref && !other) {
            cr->err->kind = ERR_INVALID; /* clients take "not found" for the image */
            return -1;
        }
    }
    return 0;
}

/* From the look-up until the container is in the table, no image may be removed. */
static int find_image_and_claim(struct creation *cr, const json_t *body)
{
    const char *ref = json_str_or(body, "Image", "");
    int r = -1;
    if (json_object_size(body) == 0)
        return err_set(cr->err, ERR_INVALID, "config cannot be empty in order to create a container");
    if (!*ref)
        return err_set(cr->err, ERR_INVALID, "no image was named");
    engine_images_lock(cr->e);
    if (engine_image_find(cr->e, ref, cr->platform, &cr->image, cr->err) == 0 && merge_image(cr) == 0 &&
        container_validate(&cr->e->options, cr->config, cr->host_config, cr->warnings, cr->err) == 0 &&
        runtimes_check_name(cr->e, json_str(cr->host_config, "Runtime"), cr->err) == 0 &&
        links_settle(cr->e, cr->host_config, cr->err) == 0 && check_others(cr) == 0 &&
        creation_container(cr, body))
        r = claim_name(cr);
    if (r == 0)
        images_collect_used(cr->e, cr->image.id);
    engine_images_unlock(cr->e);
    return r;
}

/* Layers, mounts; users and programs that can't be are found out at start, as with Docker. */
static int make_places(struct creation *cr)
{
    struct storage_rootfs rootfs = {0};
    if (storage_container_create(cr->e->storage, cr->c->id, cr->image.top_layer, &rootfs, cr->err) < 0)
        return -1;
    cr->has_layers = true;
    int r = storage_container_limit(cr->e->storage, cr->c->id, validate_storage_size(cr->c->host_config), cr->err);
    if (r == 0)
        r = mounts_prepare(cr->c, &rootfs, cr->warnings, cr->err);
    storage_rootfs_finish(&rootfs);
    return r;
}

static void unmake_places(struct creation *cr)
{
    mounts_release(cr->c, /* anonymous= */ true);
    if (cr->has_layers)
        storage_container_remove(cr->e->storage, cr->c->id, NULL);
    _cleanup_free_ char *data = container_data_path(cr->c, NULL);
    path_remove_all(AT_FDCWD, data);
    containers_remove(cr->e, cr->c);
}

static int creation_run(struct creation *cr, const json_t *body)
{
    if (read_request(cr, body) < 0 || find_image_and_claim(cr, body) < 0)
        return -1;
    if (make_places(cr) < 0 || container_insert(cr->c, cr->err) < 0) {
        unmake_places(cr);
        return -1;
    }
    containers_show(cr->e, cr->c);
    container_event(cr->c, "create", NULL);
    return 0;
}

int engine_container_create(struct engine *e, const char *name, const char *platform, const json_t *body,
                            json_t **ret, struct err *err)
{
    struct creation cr = {.e = e, .name = name, .platform = platform, .err = err};
    if (!json_is_object(body))
        return err_set(err, ERR_INVALID, "invalid JSON: the container's definition must be an object");
    int r = creation_run(&cr, body);
    if (r == 0) {
        *ret = json_object();
        json_set_str(*ret, "Id", cr.c->id);
        json_object_set(*ret, "Warnings", cr.warnings);
    }
    json_decref(cr.config);
    json_decref(cr.host_config);
    json_decref(cr.network_config);
    json_decref(cr.warnings);
    engine_image_finish(&cr.image);
    container_unref(cr.c);
    return r;
}
