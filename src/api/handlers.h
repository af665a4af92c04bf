/* The handlers of routes.c's table, by the file they are in. Each parses parameters, calls the engine and
 * replies; see request.h for their contract. */
#ifndef KEG_API_HANDLERS_H
#define KEG_API_HANDLERS_H

#include "api/request.h"

/* routes_system.c */
int system_ping(struct request *r, struct err *err);
int system_version(struct request *r, struct err *err);
int system_info(struct request *r, struct err *err);
int system_events(struct request *r, struct err *err);
int system_disk_usage(struct request *r, struct err *err);
int system_login(struct request *r, struct err *err);
int system_no_plugins(struct request *r, struct err *err);
int system_no_swarm(struct request *r, struct err *err);
int system_not_implemented(struct request *r, struct err *err);

/* routes_containers.c */
int containers_list(struct request *r, struct err *err);
int containers_create(struct request *r, struct err *err);
int containers_inspect(struct request *r, struct err *err);
int containers_top(struct request *r, struct err *err);
int containers_changes(struct request *r, struct err *err);
int containers_start(struct request *r, struct err *err);
int containers_stop(struct request *r, struct err *err);
int containers_restart(struct request *r, struct err *err);
int containers_kill(struct request *r, struct err *err);
int containers_pause(struct request *r, struct err *err);
int containers_unpause(struct request *r, struct err *err);
int containers_rename(struct request *r, struct err *err);
int containers_resize(struct request *r, struct err *err);
int containers_update(struct request *r, struct err *err);
int containers_remove(struct request *r, struct err *err);
int containers_prune(struct request *r, struct err *err);

/* routes_streams.c: what goes on while a container runs */
int containers_wait(struct request *r, struct err *err);
int containers_logs(struct request *r, struct err *err);
int containers_attach(struct request *r, struct err *err);
int execs_create(struct request *r, struct err *err);
int execs_start(struct request *r, struct err *err);
int execs_resize(struct request *r, struct err *err);
int execs_inspect(struct request *r, struct err *err);

/* routes_images.c */
int images_list(struct request *r, struct err *err);
int images_create(struct request *r, struct err *err);
int images_load(struct request *r, struct err *err);
int images_save(struct request *r, struct err *err);
int images_save_one(struct request *r, struct err *err);
int images_inspect(struct request *r, struct err *err);
int images_history(struct request *r, struct err *err);
int images_tag(struct request *r, struct err *err);
int images_remove(struct request *r, struct err *err);
int images_prune(struct request *r, struct err *err);

/* routes_networks.c, which has volumes too */
int networks_list(struct request *r, struct err *err);
int networks_inspect(struct request *r, struct err *err);
int networks_create(struct request *r, struct err *err);
int networks_remove(struct request *r, struct err *err);
int networks_prune(struct request *r, struct err *err);
int volumes_list(struct request *r, struct err *err);
int volumes_inspect(struct request *r, struct err *err);
int volumes_create(struct request *r, struct err *err);
int volumes_remove(struct request *r, struct err *err);
int volumes_prune(struct request *r, struct err *err);

#endif
