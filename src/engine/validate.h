/* What a container's definition may say: checked once, at create, so that what is stored can be relied upon.
 */
#ifndef KEG_ENGINE_VALIDATE_H
#define KEG_ENGINE_VALIDATE_H

#include <jansson.h>

#include "engine/engine.h"

/* config and host_config are compact (fields.h), the image's part already merged in. ERR_INVALID in Docker's
 * words, ERR_NOT_IMPLEMENTED naming what keg doesn't do; hints go to warnings (an array). */
int container_validate(const struct engine_options *options, const json_t *config, const json_t *host_config,
                       json_t *warnings, struct err *err);

/* {"Name","MaximumRetryCount"} or NULL. ERR_INVALID in Docker's words. */
int container_check_restart_policy(const json_t *policy, struct err *err);

/* "80/tcp", "53/udp", "80" → number and protocol ("tcp", "udp", "sctp"). ERR_INVALID. */
int container_parse_port(const char *text, uint16_t *ret_port, char ret_protocol[8], struct err *err);

#endif
