/* Values of kegd's options that have parts: address pools, limits, pairs. Each adds to what is there already; 0, or -1 with
 * the reason, in dockerd's words where it has some. */
#ifndef KEG_DAEMON_OPTION_VALUES_H
#define KEG_DAEMON_OPTION_VALUES_H

#include <jansson.h>

#include "base/err.h"

/* "base=10.10.0.0/16,size=24", in either order; [{"base","size"},…]. The list gets "base,size". */
int value_add_pool(char ***list, const char *text, struct err *why);
int value_add_pools_json(char ***list, const json_t *value, struct err *why);

/* "nofile=1024:2048", "core=-1"; {"nofile":{"Name","Soft","Hard"},…}. The list gets {"Name","Soft","Hard"}. */
int value_add_limit(json_t **list, const char *text, struct err *why);
int value_add_limits_json(json_t **list, const json_t *value, struct err *why);

/* "key=value"; an object of strings, which replaces what was there. */
int value_add_pair(json_t **map, const char *text, struct err *why);
int value_take_map_json(json_t **map, const json_t *value, struct err *why);

/* "a string", "a number", … */
const char *value_type_name(const json_t *value);

/* "crun=/usr/bin/crun", or {"crun": {"path": …}}: added to what is there. What each must be the engine knows. */
int value_add_runtime(json_t **runtimes, const char *text, struct err *why);
int value_add_runtimes_json(json_t **runtimes, const json_t *value, struct err *why);

#endif
