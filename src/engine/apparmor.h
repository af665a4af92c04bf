/* AppArmor: the profile of containers that name none, as Docker has "docker-default". It is loaded by apparmor_parser(8) when
 * a container first needs it, and again when somebody has unloaded it. */
#ifndef KEG_ENGINE_APPARMOR_H
#define KEG_ENGINE_APPARMOR_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

/* Whether this kernel confines by AppArmor, and the host can load profiles. */
bool apparmor_available(void);

/* A container's profile out of its HostConfig: what it says, "unconfined" for privileged ones, else the default one. NULL where
 * AppArmor isn't available and nothing is said. The text is host_config's, or a constant. */
const char *apparmor_profile(const json_t *host_config);

/* Sees that the profile, if it is the default one, is loaded. */
int apparmor_load(const char *profile, struct err *err);

#endif
