/* Image configurations, to what people are shown of them. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "image/inspect.h"
#include "image/store_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int storage_layer_get(struct storage *s _unused_, const char *chain_id, struct storage_layer *ret,
                      struct err *err _unused_)
{
    if (!digest_valid(chain_id))
        abort(); /* it names a directory */
    *ret = (struct storage_layer){.size = 1};
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_image_config_ struct image_config c = {0};
    _cleanup_json_ json_t *inspected = NULL, *history = NULL;
    struct image_store store = {0};
    struct image image = {.id = "sha256:"};
    char *text;

    if (image_config_parse(data, size, &c, NULL) < 0)
        return 0;
    inspected = image_inspect_json(&image, &c, NULL, NULL);
    history = image_history_json(&store, &c);
    if (json_array_size(history) < c.n_layers)
        abort(); /* each layer has a row */
    text = json_text(inspected);
    if (!text)
        abort();
    free(text);
    return 0;
}
