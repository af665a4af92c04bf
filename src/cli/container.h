/* Calls on one container that several commands make. */
#ifndef KEG_CLI_CONTAINER_H
#define KEG_CLI_CONTAINER_H

#include "cli/session.h"

/* GET /containers/NAME/json. NULL on failure. */
json_t *container_inspect(struct cli *cli, const char *name, struct err *err);
/* Opens the upgraded stream that a session needs, for the streams it wants. */
struct http *container_attach(const struct session *s, struct err *err);
/* Asks for the exit code; the answer comes when `condition` ("removed", "next-exit", NULL: stopped) is there. Asked
 * before the start, nothing is missed. For session_wait(). */
struct http *container_wait(struct cli *cli, const char *id, const char *condition, struct err *err);
/* POST /containers/NAME/start */
int container_start(struct cli *cli, const char *name, struct err *err);

#endif
