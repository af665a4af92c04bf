/* layer.json, by two tables. */
#include "storage/layer_json.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "storage/internal.h"

enum { LAYER_JSON_MAX = 16 * 1024 };

static const struct {
    const char *key;
    size_t offset, size;
} texts[] = {
#define TEXT(key, member)                                                                                    \
    {                                                                                                        \
        key, offsetof(struct storage_layer, member), sizeof(((struct storage_layer *)0)->member)             \
    }
    TEXT("chainId", chain_id),       TEXT("diffId", diff_id),       TEXT("parent", parent),
    TEXT("blobDigest", blob_digest), TEXT("mediaType", media_type), TEXT("imageDigest", image_digest),
};

static const struct {
    const char *key;
    size_t offset;
} numbers[] = {
    {"blobSize", offsetof(struct storage_layer, blob_size)},
    {"size", offsetof(struct storage_layer, size)},
    {"entries", offsetof(struct storage_layer, entries)},
    {"created", offsetof(struct storage_layer, created)},
};

int layer_json_write(int dir, const struct storage_layer *layer)
{
    _cleanup_json_ json_t *json = json_object();
    _cleanup_free_ char *text = NULL;
    _cleanup_close_ int fd = -EBADF;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        json_set_str(json, texts[i].key, (const char *)layer + texts[i].offset);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        json_set_int(json, numbers[i].key, *(const int64_t *)((const char *)layer + numbers[i].offset));
    text = json_text(json);
    fd = openat(dir, "layer.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));
}

int layer_json_load(int layers_fd, const char *chain_id, struct storage_layer *ret)
{
    _cleanup_free_ char *path = xasprintf("%s/layer.json", storage_digest_hex(chain_id, NULL));
    _cleanup_json_ json_t *json = json_load(layers_fd, path, LAYER_JSON_MAX, NULL);

    if (!json)
        return -EINVAL;
    *ret = (struct storage_layer){};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        snprintf((char *)ret + texts[i].offset, texts[i].size, "%s", json_str_or(json, texts[i].key, ""));
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        *(int64_t *)((char *)ret + numbers[i].offset) = json_int_or(json, numbers[i].key, 0);
    return str_eq(ret->chain_id, chain_id) ? 0 : -EINVAL;
}
