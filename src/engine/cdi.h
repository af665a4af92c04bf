/* Devices by the Container Device Interface (CDI specification 1.0): vendors describe in /etc/cdi and /var/run/cdi what
 * their devices need in a container, as "vendor.com/class=name". Descriptions in JSON are read, those in YAML aren't.
 *
 * HostConfig.DeviceRequests is carried out here: requests of the driver "cdi", and those for GPUs (docker run --gpus)
 * where there is a description of nvidia.com/gpu. */
#ifndef KEG_ENGINE_CDI_H
#define KEG_ENGINE_CDI_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

/* Adds to an OCI configuration what the requests (HostConfig.DeviceRequests) ask for. dirs: NULL-terminated, later ones
 * win. ERR_INVALID with Docker's words for what nobody describes. */
int cdi_apply(const char *const *dirs, const json_t *requests, json_t *oci, struct err *err);

/* The names of all devices that are described, in order; the caller frees the vector. NULL for none. */
char **cdi_names(const char *const *dirs);

/* "vendor.com/class=name". */
bool cdi_is_qualified(const char *name);

#endif
