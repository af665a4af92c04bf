/* Limits this kernel can't set: discarded with a warning in Docker's words, so that what is kept is what holds. */
#ifndef KEG_ENGINE_KERNEL_LIMITS_H
#define KEG_ENGINE_KERNEL_LIMITS_H

#include <jansson.h>
#include <stdbool.h>

/* Whether a v1 hierarchy with that controller has the file, or one of two ("a|b"). True where there is no such
 * hierarchy (cgroup v2 shows its files in the cgroup only). */
bool kernel_has_limit(const char *controller, const char *files);
/* Removes from host_config (compact) what can't be done, and says so in warnings (an array). */
void kernel_limits_adapt(json_t *host_config, json_t *warnings);

#endif
