/* The user's configuration, docker's own config.json: registry credentials and display habits. */
#ifndef KEG_CLI_CONFIG_H
#define KEG_CLI_CONFIG_H

#include "cli/cli.h"

/* What docker's config.json calls its default registry. */
#define CONFIG_HUB "https://index.docker.io/v1/"

/* The whole file; an empty object when there is none. Borrowed. */
const json_t *config_get(struct cli *cli);
/* A string of it ("detachKeys", "psFormat"), or NULL. */
const char *config_str(struct cli *cli, const char *key);

/* The X-Registry-Auth header line ("X-Registry-Auth: …\r\n") for a registry's domain; the caller frees. */
char *config_registry_header(struct cli *cli, const char *domain);
/* Keeps or (username NULL) removes credentials, through the credential helper if one is configured. `server` is
 * CONFIG_HUB or a domain. */
int config_store_login(struct cli *cli, const char *server, const char *username, const char *secret,
                       struct err *err);
/* Whether credentials for the server are in the file. */
bool config_has_login(struct cli *cli, const char *server);
/* The path of the file; the caller frees. */
char *config_path(struct cli *cli);

/* Base64 with padding, of the URL alphabet if `url`; the caller frees. */
char *base64_encode(const void *data, size_t len, bool url);

#endif
