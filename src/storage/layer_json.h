/* layer.json: what is known of a layer beside its tree. */
#ifndef KEG_STORAGE_LAYER_JSON_H
#define KEG_STORAGE_LAYER_JSON_H

#include "storage/storage.h"

/* Writes `layer` as the file layer.json in the directory `dir`. Not synced. 0 or -errno. */
int layer_json_write(int dir, const struct storage_layer *layer);
/* Reads DATA/layers/<hex>/layer.json. -EINVAL for one that doesn't describe that layer. */
int layer_json_load(int layers_fd, const char *chain_id, struct storage_layer *ret);

#endif
