/* The table of routes: every path of Docker's API, and who answers. */
#include "api/handlers.h"
#include "api/route.h"

/* clang-format off */
const struct route routes[] = {
    /* system */
    {"GET",    "/_ping",                           0, route_system_ping},
    {"HEAD",   "/_ping",                           0, route_system_ping},
    {"GET",    "/version",                         0, route_system_version},
    {"GET",    "/info",                            0, route_system_info},
    {"GET",    "/events",                          0, route_system_events},
    {"GET",    "/system/df",                       0, route_system_disk_usage},
    {"POST",   "/keg/system/check",                0, route_system_check}, /* keg's own */
    {"POST",   "/auth",                            ROUTE_JSON | ROUTE_REMOTE, route_system_login},
    {"OPTIONS", "/",                               0, route_system_options},
    {"OPTIONS", "/{anything*}",                    0, route_system_options},
    {"POST",   "/session",                         0, route_system_not_implemented},

    /* containers */
    {"GET",    "/containers/json",                 0, route_containers_list},
    {"POST",   "/containers/create",               ROUTE_JSON, route_containers_create},
    {"POST",   "/containers/prune",                0, route_containers_prune},
    {"GET",    "/containers/{id*}/json",            0, route_containers_inspect},
    {"GET",    "/containers/{id*}/top",             0, route_containers_top},
    {"GET",    "/containers/{id*}/logs",            0, route_containers_logs},
    {"GET",    "/containers/{id*}/changes",         0, route_containers_changes},
    {"GET",    "/containers/{id*}/export",          0, route_containers_export},
    {"GET",    "/containers/{id*}/stats",           0, route_containers_stats},
    {"POST",   "/containers/{id*}/resize",          0, route_containers_resize},
    {"POST",   "/containers/{id*}/start",           0, route_containers_start},
    {"POST",   "/containers/{id*}/stop",            0, route_containers_stop},
    {"POST",   "/containers/{id*}/restart",         0, route_containers_restart},
    {"POST",   "/containers/{id*}/kill",            0, route_containers_kill},
    {"POST",   "/containers/{id*}/update",          ROUTE_JSON | ROUTE_DEFAULTS, route_containers_update},
    {"POST",   "/containers/{id*}/rename",          0, route_containers_rename},
    {"POST",   "/containers/{id*}/pause",           0, route_containers_pause},
    {"POST",   "/containers/{id*}/unpause",         0, route_containers_unpause},
    {"POST",   "/containers/{id*}/attach",          0, route_containers_attach},
    {"GET",    "/containers/{id*}/attach/ws",       0, route_containers_attach_websocket},
    {"POST",   "/containers/{id*}/wait",            0, route_containers_wait},
    {"DELETE", "/containers/{id*}",                0, route_containers_remove},
    {"DELETE", "/containers/",                     0, route_containers_remove}, /* says that a name is missing */
    {"HEAD",   "/containers/{id*}/archive",         0, route_containers_path_stat},
    {"GET",    "/containers/{id*}/archive",         0, route_containers_archive},
    {"PUT",    "/containers/{id*}/archive",         ROUTE_UPLOAD, route_containers_extract},
    {"POST",   "/commit",                          ROUTE_JSON, route_containers_commit},

    /* execs */
    {"POST",   "/containers/{id*}/exec",            ROUTE_JSON | ROUTE_DEFAULTS, route_execs_create, exec_fields},
    {"POST",   "/exec/{id*}/start",                 ROUTE_JSON, route_execs_start, exec_start_fields},
    {"POST",   "/exec/{id*}/resize",                0, route_execs_resize},
    {"GET",    "/exec/{id*}/json",                  0, route_execs_inspect},
    {"POST",   "/keg/exec/{id*}/end",               0, route_execs_end}, /* keg's own */

    /* images */
    {"GET",    "/images/json",                     0, route_images_list},
    {"POST",   "/images/create",                   ROUTE_UPLOAD | ROUTE_REMOTE, route_images_create},
    {"POST",   "/images/load",                     ROUTE_UPLOAD, route_images_load},
    {"POST",   "/images/prune",                    0, route_images_prune},
    {"GET",    "/images/search",                   ROUTE_REMOTE, route_images_search},
    {"GET",    "/images/get",                      0, route_images_save},
    {"GET",    "/images/{name*}/get",              0, route_images_save_one},
    {"GET",    "/images/{name*}/json",             0, route_images_inspect},
    {"GET",    "/images/{name*}/history",          0, route_images_history},
    {"POST",   "/images/{name*}/push",             ROUTE_REMOTE, route_images_push},
    {"POST",   "/images/{name*}/tag",              0, route_images_tag},
    {"DELETE", "/images/{name*}",                  0, route_images_remove},
    {"DELETE", "/images/",                         0, route_images_remove}, /* says that a name is missing */
    {"GET",    "/distribution/{name*}/json",       ROUTE_REMOTE, route_images_distribution},
    {"POST",   "/build",                           0, route_system_not_implemented},
    {"POST",   "/build/prune",                     0, route_system_no_build_cache},
    {"POST",   "/build/cancel",                    0, route_system_not_implemented},

    /* networks */
    {"GET",    "/networks",                        0, route_networks_list},
    {"POST",   "/networks/create",                 ROUTE_JSON, route_networks_create, network_fields},
    {"POST",   "/networks/prune",                  0, route_networks_prune},
    {"POST",   "/networks/{id}/connect",           ROUTE_JSON, route_networks_connect, connect_fields},
    {"POST",   "/networks/{id}/disconnect",        ROUTE_JSON, route_networks_disconnect, disconnect_fields},
    {"GET",    "/networks/{id}",                   0, route_networks_inspect},
    {"DELETE", "/networks/{id}",                   0, route_networks_remove},

    /* volumes */
    {"GET",    "/volumes",                         0, route_volumes_list},
    {"POST",   "/volumes/create",                  ROUTE_JSON | ROUTE_DEFAULTS, route_volumes_create, volume_fields},
    {"POST",   "/volumes/prune",                   0, route_volumes_prune},
    {"GET",    "/volumes/{name*}",                  0, route_volumes_inspect},
    {"PUT",    "/volumes/{name*}",                  0, route_system_no_cluster_volume},
    {"DELETE", "/volumes/{name*}",                  0, route_volumes_remove},

    /* plugins: there are none */
    {"GET",    "/plugins",                         0, route_system_no_plugins},
    {"GET",    "/plugins/privileges",              0, route_system_not_implemented},
    {"POST",   "/plugins/pull",                    0, route_system_not_implemented},
    {"POST",   "/plugins/create",                  0, route_system_not_implemented},
    {"GET",    "/plugins/{name*}/json",            0, route_system_no_plugin},
    {"POST",   "/plugins/{name*}/enable",          0, route_system_no_plugin},
    {"POST",   "/plugins/{name*}/disable",         0, route_system_no_plugin},
    {"POST",   "/plugins/{name*}/upgrade",         0, route_system_no_plugin},
    {"POST",   "/plugins/{name*}/push",            0, route_system_no_plugin},
    {"POST",   "/plugins/{name*}/set",             0, route_system_no_plugin},
    {"DELETE", "/plugins/{name*}",                 0, route_system_no_plugin},

    /* swarm: this is no node of one */
    {"GET",    "/swarm",                           0, route_system_no_swarm},
    {"GET",    "/swarm/unlockkey",                 0, route_system_no_swarm},
    {"POST",   "/swarm/init",                      0, route_system_not_implemented},
    {"POST",   "/swarm/join",                      0, route_system_not_implemented},
    {"POST",   "/swarm/leave",                     0, route_system_no_swarm},
    {"POST",   "/swarm/update",                    0, route_system_no_swarm},
    {"POST",   "/swarm/unlock",                    0, route_system_no_swarm},
    {"GET",    "/nodes",                           0, route_system_no_swarm},
    {"GET",    "/nodes/{id}",                      0, route_system_no_swarm},
    {"DELETE", "/nodes/{id}",                      0, route_system_no_swarm},
    {"POST",   "/nodes/{id}/update",               0, route_system_no_swarm},
    {"GET",    "/services",                        0, route_system_no_swarm},
    {"POST",   "/services/create",                 0, route_system_no_swarm},
    {"GET",    "/services/{id}",                   0, route_system_no_swarm},
    {"DELETE", "/services/{id}",                   0, route_system_no_swarm},
    {"POST",   "/services/{id}/update",            0, route_system_no_swarm},
    {"GET",    "/services/{id}/logs",              0, route_system_no_swarm},
    {"GET",    "/tasks",                           0, route_system_no_swarm},
    {"GET",    "/tasks/{id}",                      0, route_system_no_swarm},
    {"GET",    "/tasks/{id}/logs",                 0, route_system_no_swarm},
    {"GET",    "/secrets",                         0, route_system_no_swarm},
    {"POST",   "/secrets/create",                  0, route_system_no_swarm},
    {"GET",    "/secrets/{id}",                    0, route_system_no_swarm},
    {"DELETE", "/secrets/{id}",                    0, route_system_no_swarm},
    {"POST",   "/secrets/{id}/update",             0, route_system_no_swarm},
    {"GET",    "/configs",                         0, route_system_no_swarm},
    {"POST",   "/configs/create",                  0, route_system_no_swarm},
    {"GET",    "/configs/{id}",                    0, route_system_no_swarm},
    {"DELETE", "/configs/{id}",                    0, route_system_no_swarm},
    {"POST",   "/configs/{id}/update",             0, route_system_no_swarm},
};
/* clang-format on */
const size_t routes_count = ARRAY_SIZE(routes);
