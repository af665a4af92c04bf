/* docker import: a root filesystem becomes an image of one layer. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "image/archive.h"
#include "image/change.h"
#include "image/layer_take.h"
#include "image/reference.h"
#include "image/store_internal.h"

static json_t *import_config(const struct image_import_options *o, json_t *config, const char *diff_id)
{
    char created[CLOCK_TEXT_SIZE];
    struct platform platform;
    _cleanup_free_ char *comment =
        o->message ? xstrdup(o->message) : xasprintf("Imported from %s", o->source ? o->source : "-");
    json_t *json;

    clock_format(clock_now(), created);
    if (o->platform)
        platform = *o->platform;
    else
        platform_host(&platform);
    json =
        json_pack("{s:s, s:s, s:O, s:s, s:[{s:s, s:s}], s:{s:s, s:[s]}}", "architecture",
                  platform.architecture, "comment", comment, "config", config, "created", created, "history",
                  "created", created, "comment", comment, "rootfs", "type", "layers", "diff_ids", diff_id);
    json_set_str(json, "os", platform.os);
    if (platform.variant[0])
        json_set_str(json, "variant", platform.variant);
    return json;
}

int image_import(struct image_store *store, struct image_lease *lease, int fd,
                 const struct image_import_options *options, struct image *ret, struct err *err)
{
    _cleanup_json_ json_t *config = json_object(), *json = NULL;
    struct layer_taken layer;

    if (image_change_apply(config, options->changes, err) < 0 ||
        layer_take(store, lease, fd, NULL, /* keep_empty= */ true, &layer, err) < 0)
        return -1;
    json = import_config(options, config, layer.diff_id);
    if (!json)
        return err_set(err, ERR_INVALID, "the message is no valid UTF-8");
    if (image_create(store, lease, json, &layer.blob, 1, ret, err) < 0)
        return -1;
    if (options->reference) {
        struct reference tagged;

        reference_copy(options->reference, &tagged);
        if (!tagged.tag)
            tagged.tag = xstrdup(REFERENCE_DEFAULT_TAG);
        strv_push_take(&ret->tags, reference_string(&tagged));
        reference_finish(&tagged);
    }
    return 0;
}
