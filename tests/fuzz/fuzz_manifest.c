/* Manifests, indexes and image configurations: what parses keeps its promises. */
#include <stdint.h>
#include <stdlib.h>

#include "image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_manifest(const struct manifest *m)
{
    struct platform want;
    size_t chosen;

    if (m->n_layers > MANIFEST_LAYERS_MAX || m->n_children > MANIFEST_CHILDREN_MAX)
        abort();
    for (size_t i = 0; i < m->n_layers; i++)
        if (!digest_valid(m->layers[i].digest) || m->layers[i].size < 0)
            abort();
    platform_host(&want);
    if (m->kind == MANIFEST_INDEX && manifest_choose(m, &want, &chosen, NULL) == 0 && chosen >= m->n_children)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_manifest_ struct manifest m = {0};
    _cleanup_image_config_ struct image_config c = {0};

    if (manifest_parse(data, size, NULL, &m, NULL) == 0)
        check_manifest(&m);
    if (image_config_parse(data, size, &c, NULL) == 0)
        for (size_t i = 0; i < c.n_layers; i++)
            if (!digest_valid(c.diff_ids[i]) || !digest_valid(c.chain_ids[i]))
                abort();
    return 0;
}
