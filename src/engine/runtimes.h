/* Which OCI runtime makes a container: keg's own, under the names that clients know runc by, or one that kegd's configuration
 * names (Docker's "runtimes"): a program with runc's command line, which the container's monitor executes. */
#ifndef KEG_ENGINE_RUNTIMES_H
#define KEG_ENGINE_RUNTIMES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct container;
struct engine;

/* What kegd's options say: {name: {"path", "runtimeArgs", "runtimeType", "options"}} (NULL: none) and the default's name
 * (NULL). ERR_INVALID in dockerd's words; ERR_NOT_IMPLEMENTED for types other than runc's shim. */
int runtimes_check(const json_t *runtimes, const char *default_name, struct err *err);

/* ERR_INVALID for a name that nothing is known of. "" and NULL are fine. */
int runtimes_check_name(struct engine *e, const char *name, struct err *err);
/* Sets HostConfig.Runtime where it isn't said and the default isn't keg's own. */
void runtimes_fill_default(struct engine *e, json_t *host_config);
/* The program and its first arguments for a container that starts, the caller's strv; NULL for keg's own. */
int runtimes_command(struct engine *e, const struct container *c, char ***ret, struct err *err);
/* Whether a container is another runtime's. */
bool runtimes_is_foreign(const struct container *c);

/* /info's Runtimes and DefaultRuntime. */
void runtimes_describe(struct engine *e, json_t *info);
/* A reload: takes over both (borrowed, checked). options_lock is held. */
void runtimes_replace(struct engine *e, const json_t *runtimes, const char *default_name);
/* "name:path name:path", as the event "reload" has it; the caller frees. options_lock is held. */
char *runtimes_text(const struct engine *e);

#endif
