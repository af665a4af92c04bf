/* --use-api-socket: a container that may talk to the daemon which runs it, with its user's credentials at registries. */
#ifndef KEG_CLI_API_SOCKET_H
#define KEG_CLI_API_SOCKET_H

#include "cli/cli.h"

/* Adds to the body of a creation the bind of the daemon's socket on /var/run/docker.sock and, unless the user has said where,
 * DOCKER_CONFIG. *ret_auths: what is to be copied into the container then, or NULL; the caller frees. -1: a helper for
 * credentials is missing or fails. */
int api_socket_add(struct cli *cli, json_t *body, json_t **ret_auths, struct err *err);
/* Writes the credentials into the container that was created. */
int api_socket_copy(struct cli *cli, const char *id, const json_t *auths, struct err *err);

#endif
