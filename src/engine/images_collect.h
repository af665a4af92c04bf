/* Automatic collection: when the disk of the data root fills beyond a high mark, images that nobody has used for
 * the longest time go, until it is down at a low mark. Off unless it is asked for. */
#ifndef KEG_ENGINE_IMAGES_COLLECT_H
#define KEG_ENGINE_IMAGES_COLLECT_H

#include <jansson.h>

#include "engine/engine.h"

/* {"high": percent, "low": percent (high - 5), "min-age": Go duration since the last use ("24h"), "keep":
 * names that stay, divided by commas, "*" for any text}, values as text. ERR_INVALID names the setting. */
int images_collect_check(const json_t *settings, struct err *err);

/* Starts the collector, with e->options.image_gc; without that it does nothing. */
int images_collect_start(struct engine *e, struct err *err);
void images_collect_stop(struct engine *e);
/* Something was added: look now. */
void images_collect_poke(struct engine *e);
/* A container is being made of that image. With the images' lock held. */
void images_collect_used(struct engine *e, const char *id);

#endif
