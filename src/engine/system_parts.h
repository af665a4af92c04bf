/* Members of /info that tell how the engine is set up; each puts what it has into the object. */
#ifndef KEG_ENGINE_SYSTEM_PARTS_H
#define KEG_ENGINE_SYSTEM_PARTS_H

#include "engine/internal.h"

void system_add_registries(struct engine *e, json_t *info); /* under options_lock */
void system_add_security(const struct engine *e, json_t *info);
void system_add_pools(const struct engine *e, json_t *info);
void system_add_proxies(json_t *info);
void system_add_devices(const struct engine *e, json_t *info);

#endif
