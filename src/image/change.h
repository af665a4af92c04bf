/* --change of import and commit: single Dockerfile instructions applied to an image's configuration. */
#ifndef KEG_IMAGE_CHANGE_H
#define KEG_IMAGE_CHANGE_H

#include <jansson.h>

#include "base/err.h"

/* Applies each text ("CMD [\"sh\"]", "ENV A=b C=d", "EXPOSE 80/tcp") to `config`, the "config" member of an
 * image configuration (Docker's Config: Cmd, Env, ExposedPorts…). ERR_INVALID with Docker's words for unknown
 * or forbidden instructions. Allowed: CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER
 * VOLUME WORKDIR. */
int image_change_apply(json_t *config, char *const *changes, struct err *err);

#endif
