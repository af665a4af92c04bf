/* Links between containers on the default bridge (--link): the other's address in /etc/hosts, what it exposes and its
 * environment as variables. On networks that users make, links are names of that network's.
 *
 * HostConfig.Links is kept as "<id>:<alias>", so that names may change; inspect shows "/other:/this/alias". With any other
 * network mode it is kept as it was given, and nothing here acts on it. */
#ifndef KEG_ENGINE_LINKS_H
#define KEG_ENGINE_LINKS_H

#include "base/buf.h"
#include "engine/container.h"

struct link {
    char *target, *alias;
};
void link_finish(struct link *l);
#define _cleanup_link_ _cleanup_(link_finish)

/* "name", "name:alias" or, from old clients, "/name:/this/alias". ERR_INVALID with Docker's words. */
int link_parse(const char *text, struct link *ret, struct err *err);

/* At create: names become ids. ERR_INVALID when one isn't there. */
int links_settle(struct engine *e, json_t *host_config, struct err *err);
/* HostConfig.Links as inspect shows it: new, JSON's null for none left; NULL when there is nothing to
 * replace. */
json_t *links_shown(struct engine *e, const char *name, const json_t *host_config);
/* All that is linked to, as it is now. */
struct links;
/* ERR_CONFLICT when one of them doesn't run. *ret is NULL where there are none. */
int links_resolve(struct container *c, struct links **ret, struct err *err);
struct links *links_free(struct links *l);
DEFINE_CLEANUP_PTR(struct links, links_free)
/* Variables for the container named `name`: a new array of "K=v". l may be NULL. */
json_t *links_environment(const struct links *l, const char *name);
/* Lines for /etc/hosts. l may be NULL. */
void links_put_hosts(const struct links *l, struct buf *out);
/* Those of `all` that have links: a new array, NULL-terminated, borrowing from it. */
struct container **links_holders(struct container *const *all);
/* "/parent/alias" of each holder who links to `id`, appended to *names. */
void links_collect_names(struct container *const *holders, const char *id, char ***names);
/* A container has a new address: those that link to it and run are told, in their /etc/hosts. */
void links_announce(struct container *c);
/* rm --link: `path` is "parent/alias". ERR_CONFLICT, ERR_NOT_FOUND with Docker's words. */
int links_remove(struct engine *e, const char *path, struct err *err);

#endif
