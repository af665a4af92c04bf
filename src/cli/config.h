/* The user's configuration, docker's own config.json: display habits, and what cli/credentials.h reads of it. */
#ifndef KEG_CLI_CONFIG_H
#define KEG_CLI_CONFIG_H

#include "cli/cli.h"

/* The whole file; an empty object when there is none. Borrowed. */
const json_t *config_get(struct cli *cli);
/* A string of it ("detachKeys", "psFormat"), or NULL. */
const char *config_str(struct cli *cli, const char *key);
/* What a list is to look like: `given` by --format, else what the file says under `key` ("psFormat"), unless `quiet`; "" for
 * neither. */
const char *config_format(struct cli *cli, const char *key, const char *given, bool quiet);
/* Header lines that go with every request ("HttpHeaders"), each ending in \r\n; "" for none. The caller frees. */
char *config_headers(struct cli *cli);
/* Writes it back, as it is in memory. */
int config_save(struct cli *cli, struct err *err);
/* Where it is. Borrowed. */
const char *config_directory(struct cli *cli);
/* The path of the file; the caller frees. */
char *config_path(struct cli *cli);

#endif
