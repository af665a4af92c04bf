/* What a user says goes before what an image says: for create, and for commit the other way round. */
#ifndef KEG_ENGINE_MERGE_CONFIG_H
#define KEG_ENGINE_MERGE_CONFIG_H

#include <jansson.h>

/* Completes `config` by `other`, both Docker Configs as fields_compact() leaves them: environment, labels, ports and volumes of
 * both; of single members those that config hasn't; other's command only where config has no entrypoint. */
void merge_config(json_t *config, const json_t *other);

#endif
