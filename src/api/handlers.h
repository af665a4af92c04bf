/* The handlers of routes.c's table, by the file they are in. Each parses parameters, calls the engine and
 * replies; see request.h for their contract. */
#ifndef KEG_API_HANDLERS_H
#define KEG_API_HANDLERS_H

#include "api/request.h"

/* routes_system.c */
int route_system_ping(struct request *r, struct err *err);
int route_system_options(struct request *r, struct err *err);
int route_system_version(struct request *r, struct err *err);
int route_system_info(struct request *r, struct err *err);
int route_system_events(struct request *r, struct err *err);
int route_system_disk_usage(struct request *r, struct err *err);
int route_system_check(struct request *r, struct err *err);
int route_system_login(struct request *r, struct err *err);
int route_system_no_build_cache(struct request *r, struct err *err);
int route_system_no_plugins(struct request *r, struct err *err);
int route_system_no_plugin(struct request *r, struct err *err);
int route_system_no_swarm(struct request *r, struct err *err);
int route_system_no_cluster_volume(struct request *r, struct err *err);
int route_system_not_implemented(struct request *r, struct err *err);

/* routes_archive.c */
int route_containers_path_stat(struct request *r, struct err *err);
int route_containers_archive(struct request *r, struct err *err);
int route_containers_extract(struct request *r, struct err *err);
int route_containers_stats(struct request *r, struct err *err);

/* routes_containers.c */
int route_containers_list(struct request *r, struct err *err);
int route_containers_create(struct request *r, struct err *err);
int route_containers_inspect(struct request *r, struct err *err);
int route_containers_top(struct request *r, struct err *err);
int route_containers_changes(struct request *r, struct err *err);
int route_containers_start(struct request *r, struct err *err);
int route_containers_stop(struct request *r, struct err *err);
int route_containers_restart(struct request *r, struct err *err);
int route_containers_kill(struct request *r, struct err *err);
int route_containers_pause(struct request *r, struct err *err);
int route_containers_unpause(struct request *r, struct err *err);
int route_containers_rename(struct request *r, struct err *err);
int route_containers_resize(struct request *r, struct err *err);
int route_containers_export(struct request *r, struct err *err);
int route_containers_commit(struct request *r, struct err *err);
int route_containers_update(struct request *r, struct err *err);
int route_containers_remove(struct request *r, struct err *err);
int route_containers_prune(struct request *r, struct err *err);

/* routes_streams.c: what goes on while a container runs */
int route_containers_wait(struct request *r, struct err *err);
int route_containers_logs(struct request *r, struct err *err);
int route_containers_attach(struct request *r, struct err *err);
int route_containers_attach_websocket(struct request *r, struct err *err);
int route_execs_create(struct request *r, struct err *err);
int route_execs_start(struct request *r, struct err *err);
int route_execs_resize(struct request *r, struct err *err);
int route_execs_end(struct request *r, struct err *err);
int route_execs_inspect(struct request *r, struct err *err);

/* routes_images.c */
int route_images_list(struct request *r, struct err *err);
int route_images_create(struct request *r, struct err *err);
int route_images_search(struct request *r, struct err *err);
int route_images_distribution(struct request *r, struct err *err);
int route_images_push(struct request *r, struct err *err);
int route_images_load(struct request *r, struct err *err);
int route_images_save(struct request *r, struct err *err);
int route_images_save_one(struct request *r, struct err *err);
int route_images_inspect(struct request *r, struct err *err);
int route_images_history(struct request *r, struct err *err);
int route_images_tag(struct request *r, struct err *err);
int route_images_remove(struct request *r, struct err *err);
int route_images_prune(struct request *r, struct err *err);

/* routes_networks.c, which has volumes too */
int route_networks_list(struct request *r, struct err *err);
int route_networks_inspect(struct request *r, struct err *err);
int route_networks_create(struct request *r, struct err *err);
int route_networks_connect(struct request *r, struct err *err);
int route_networks_disconnect(struct request *r, struct err *err);
int route_networks_remove(struct request *r, struct err *err);
int route_networks_prune(struct request *r, struct err *err);
int route_volumes_list(struct request *r, struct err *err);
int route_volumes_inspect(struct request *r, struct err *err);
int route_volumes_create(struct request *r, struct err *err);
int route_volumes_remove(struct request *r, struct err *err);
int route_volumes_prune(struct request *r, struct err *err);

#endif
