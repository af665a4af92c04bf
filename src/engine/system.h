/* What the engine says about itself and its host. */
#ifndef KEG_ENGINE_SYSTEM_H
#define KEG_ENGINE_SYSTEM_H

#include <jansson.h>

#include "engine/engine.h"

#define ENGINE_API_VERSION     "1.51" /* the newest of Docker's API that is spoken */
#define ENGINE_API_VERSION_MIN "1.24"

/* GET /version. A new object. Needs no engine: the programs' --version says the same. */
json_t *engine_version(void);
/* GET /info. */
int engine_info(struct engine *e, json_t **ret, struct err *err);
/* GET /system/df. type: a NULL-terminated vector of "container", "image", "volume", "build-cache"; NULL: all.
 */
int engine_disk_usage(struct engine *e, char *const *types, json_t **ret, struct err *err);
/* Adds to an error what can be done about it, where the data root's file system is the cause: full, over a quota, read-only.
 * For the place that sends it to a client. */
void engine_advise(const struct engine *e, struct err *err);
/* POST /auth: {"username","password","serveraddress"} → {"Status","IdentityToken"}. */
int engine_login(struct engine *e, const json_t *body, json_t **ret, struct err *err);

#endif
