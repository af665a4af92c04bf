/* GET /system/df: what images, containers and volumes take on disk. Costs a walk over writable layers and volumes. */
#include "base/json.h"
#include "base/str.h"
#include "engine/images.h"
#include "engine/internal.h"
#include "engine/system.h"
#include "engine/volumes.h"
#include "storage/storage.h"
#include "volume/volume.h"

static bool usage_wants(char *const *types, const char *type)
{
    return !types || strv_contains(types, type);
}

/* Every layer once, however many images share it. */
static int64_t usage_layers_size(struct engine *e)
{
    struct storage_layer *layers = NULL;
    int64_t size = 0;
    size_t n = 0;

    if (storage_layer_list(e->storage, &layers, &n, NULL) == 0)
        for (size_t i = 0; i < n; i++)
            size += layers[i].size;
    free(layers);
    return size;
}

static int usage_images(struct engine *e, json_t *usage, struct err *err)
{
    const struct engine_image_list_options o = {.all = true, .shared_size = true};
    json_t *images = NULL;

    if (engine_image_list(e, &o, &images, err) < 0)
        return -1;
    json_set_int(usage, "LayersSize", usage_layers_size(e));
    json_object_set_new(usage, "Images", images);
    return 0;
}

static int usage_containers(struct engine *e, json_t *usage, struct err *err)
{
    const struct engine_list_options o = {.all = true, .size = true};
    json_t *containers = NULL;

    if (engine_container_list(e, &o, &containers, err) < 0)
        return -1;
    json_object_set_new(usage, "Containers", containers);
    return 0;
}

static int usage_volumes(struct engine *e, json_t *usage, struct err *err)
{
    _cleanup_json_ json_t *list = NULL;
    json_t *volumes, *volume;
    size_t i;

    if (engine_volume_list(e, NULL, &list, err) < 0)
        return -1;
    volumes = json_object_get(list, "Volumes");
    json_array_foreach (volumes, i, volume) {
        const char *name = json_str_or(volume, "Name", "");

        json_object_set_new(volume, "UsageData",
                            json_pack("{s:I, s:i}", "Size",
                                      (json_int_t)volume_directory_size(e->options.data_root, name),
                                      "RefCount", engine_volume_users(e, name)));
    }
    json_object_set(usage, "Volumes", volumes);
    return 0;
}

int engine_disk_usage(struct engine *e, char *const *types, json_t **ret, struct err *err)
{
    static const char *const known[] = {"container", "image", "volume", "build-cache", NULL};
    static const char *const lists[] = {"Images", "Containers", "Volumes", "BuildCache"};
    _cleanup_json_ json_t *usage = json_object();

    for (char *const *type = types; type && *type; type++)
        if (!strv_contains((char *const *)known, *type))
            return err_set(err, ERR_INVALID, "unknown object type: %s", *type);
    if ((usage_wants(types, "image") && usage_images(e, usage, err) < 0) ||
        (usage_wants(types, "container") && usage_containers(e, usage, err) < 0) ||
        (usage_wants(types, "volume") && usage_volumes(e, usage, err) < 0))
        return -1;
    if (usage_wants(types, "build-cache"))
        json_object_set_new(usage, "BuildCache", json_array());
    if (!json_object_get(usage, "LayersSize"))
        json_set_int(usage, "LayersSize", 0);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) /* what wasn't asked for */
        if (!json_object_get(usage, lists[i]))
            json_object_set_new(usage, lists[i], json_null());
    *ret = json_incref(usage);
    return 0;
}
