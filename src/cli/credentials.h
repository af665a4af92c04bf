/* Who the user is at registries, kept as docker keeps it: in config.json's "auths", or by the helper programs
 * docker-credential-NAME that its "credsStore" (for all) and "credHelpers" (by server) name. */
#ifndef KEG_CLI_CREDENTIALS_H
#define KEG_CLI_CREDENTIALS_H

#include "cli/cli.h"

/* What config.json calls its default registry. Any other server is "host[:port]". */
#define CREDENTIALS_HUB "https://index.docker.io/v1/"

/* Every member may be NULL. */
struct credentials {
    char *username, *password;
    char *identity_token; /* an OAuth2 refresh token, kept instead of the password */
    char *registry_token; /* a bearer token */
};
void credentials_finish(struct credentials *c);

/* 0, with nothing in *ret when there are none; -1 when a helper is missing or fails, with its words. */
int credentials_get(struct cli *cli, const char *server, struct credentials *ret, struct err *err);
/* As the API takes them: {"username":…,"serveraddress":…}; an empty object for none. */
json_t *credentials_json(const struct credentials *c, const char *server);
/* The X-Registry-Auth header line ("X-Registry-Auth: …\r\n") for a registry's domain; the caller frees. A helper
 * that is missing or fails is a warning on stderr: what everybody may pull is pulled nevertheless. */
char *credentials_header(struct cli *cli, const char *domain);
/* The X-Registry-Config header line with what there is for every server: config.json's, and what helpers list; the caller
 * frees. NULL: nothing. A helper that fails is a warning. */
char *credentials_all_header(struct cli *cli);
/* The same as config.json's "auths" would have them, {server: {"auth":…}}; NULL: a helper fails. */
json_t *credentials_entries(struct cli *cli, struct err *err);
/* Keeps them. *ret_plain: a password that wasn't there has been written to the file as it is. */
int credentials_store(struct cli *cli, const char *server, const struct credentials *c, bool *ret_plain,
                      struct err *err);
/* Forgets them. No error where there were none. */
int credentials_erase(struct cli *cli, const char *server, struct err *err);

#endif
