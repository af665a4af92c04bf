/* What of an engine's options may change while it runs. */
#ifndef KEG_ENGINE_RELOAD_H
#define KEG_ENGINE_RELOAD_H

#include "engine/engine.h"

/* Takes over what can be: labels, insecure registries, mirrors, how many layers are moved at once, runtimes; copied. What is under way
 * goes on as it began. `attributes` (borrowed) are the daemon's "reload" event's, to which the engine adds its own. */
void engine_reload(struct engine *e, const struct engine_options *options, const json_t *attributes);

#endif
