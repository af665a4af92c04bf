/* The table of routes: every path of Docker's API, and who answers. */
#include "api/handlers.h"
#include "api/route.h"

/* clang-format off */
const struct route routes[] = {
    /* system */
    {"GET",    "/_ping",                           0, 0, route_system_ping},
    {"HEAD",   "/_ping",                           0, 0, route_system_ping},
    {"GET",    "/version",                         0, 0, route_system_version},
    {"GET",    "/info",                            0, 0, route_system_info},
    {"GET",    "/events",                          0, 0, route_system_events},
    {"GET",    "/system/df",                       1025, 0, route_system_disk_usage},
    {"POST",   "/keg/system/check",                0, 0, route_system_check}, /* keg's own */
    {"POST",   "/auth",                            0, ROUTE_JSON | ROUTE_REMOTE, route_system_login},
    {"OPTIONS", "/",                               0, 0, route_system_options},
    {"OPTIONS", "/{anything*}",                    0, 0, route_system_options},
    {"POST",   "/session",                         0, 0, route_system_not_implemented},

    /* containers */
    {"GET",    "/containers/json",                 0, 0, route_containers_list},
    {"POST",   "/containers/create",               0, ROUTE_JSON, route_containers_create},
    {"POST",   "/containers/prune",                1025, 0, route_containers_prune},
    {"GET",    "/containers/{id*}/json",            0, 0, route_containers_inspect},
    {"GET",    "/containers/{id*}/top",             0, 0, route_containers_top},
    {"GET",    "/containers/{id*}/logs",            0, 0, route_containers_logs},
    {"GET",    "/containers/{id*}/changes",         0, 0, route_containers_changes},
    {"GET",    "/containers/{id*}/export",          0, 0, route_containers_export},
    {"GET",    "/containers/{id*}/stats",           0, 0, route_containers_stats},
    {"POST",   "/containers/{id*}/resize",          0, 0, route_containers_resize},
    {"POST",   "/containers/{id*}/start",           0, 0, route_containers_start},
    {"POST",   "/containers/{id*}/stop",            0, 0, route_containers_stop},
    {"POST",   "/containers/{id*}/restart",         0, 0, route_containers_restart},
    {"POST",   "/containers/{id*}/kill",            0, 0, route_containers_kill},
    {"POST",   "/containers/{id*}/update",          0, ROUTE_JSON | ROUTE_DEFAULTS, route_containers_update},
    {"POST",   "/containers/{id*}/rename",          0, 0, route_containers_rename},
    {"POST",   "/containers/{id*}/pause",           0, 0, route_containers_pause},
    {"POST",   "/containers/{id*}/unpause",         0, 0, route_containers_unpause},
    {"POST",   "/containers/{id*}/attach",          0, 0, route_containers_attach},
    {"GET",    "/containers/{id*}/attach/ws",       0, 0, route_containers_attach_websocket},
    {"POST",   "/containers/{id*}/wait",            0, 0, route_containers_wait},
    {"DELETE", "/containers/{id*}",                0, 0, route_containers_remove},
    {"DELETE", "/containers/",                     0, 0, route_containers_remove}, /* says that a name is missing */
    {"HEAD",   "/containers/{id*}/archive",         0, 0, route_containers_path_stat},
    {"GET",    "/containers/{id*}/archive",         0, 0, route_containers_archive},
    {"PUT",    "/containers/{id*}/archive",         0, ROUTE_UPLOAD, route_containers_extract},
    {"POST",   "/commit",                          0, ROUTE_JSON, route_containers_commit},

    /* execs */
    {"POST",   "/containers/{id*}/exec",            0, ROUTE_JSON | ROUTE_DEFAULTS, route_execs_create},
    {"POST",   "/exec/{id*}/start",                 0, ROUTE_JSON, route_execs_start},
    {"POST",   "/exec/{id*}/resize",                0, 0, route_execs_resize},
    {"GET",    "/exec/{id*}/json",                  0, 0, route_execs_inspect},
    {"POST",   "/keg/exec/{id*}/end",               0, 0, route_execs_end}, /* keg's own */

    /* images */
    {"GET",    "/images/json",                     0, 0, route_images_list},
    {"POST",   "/images/create",                   0, ROUTE_UPLOAD | ROUTE_REMOTE, route_images_create},
    {"POST",   "/images/load",                     0, ROUTE_UPLOAD, route_images_load},
    {"POST",   "/images/prune",                    1025, 0, route_images_prune},
    {"GET",    "/images/search",                   0, ROUTE_REMOTE, route_images_search},
    {"GET",    "/images/get",                      0, 0, route_images_save},
    {"GET",    "/images/{name*}/get",              0, 0, route_images_save_one},
    {"GET",    "/images/{name*}/json",             0, 0, route_images_inspect},
    {"GET",    "/images/{name*}/history",          0, 0, route_images_history},
    {"POST",   "/images/{name*}/push",             0, ROUTE_REMOTE, route_images_push},
    {"POST",   "/images/{name*}/tag",              0, 0, route_images_tag},
    {"DELETE", "/images/{name*}",                  0, 0, route_images_remove},
    {"DELETE", "/images/",                         0, 0, route_images_remove}, /* says that a name is missing */
    {"GET",    "/distribution/{name*}/json",       1030, ROUTE_REMOTE, route_images_distribution},
    {"POST",   "/build",                           0, 0, route_system_not_implemented},
    {"POST",   "/build/prune",                     1031, 0, route_system_no_build_cache},
    {"POST",   "/build/cancel",                    1039, 0, route_system_not_implemented},

    /* networks */
    {"GET",    "/networks",                        0, 0, route_networks_list},
    {"POST",   "/networks/create",                 0, ROUTE_JSON, route_networks_create},
    {"POST",   "/networks/prune",                  1025, 0, route_networks_prune},
    {"POST",   "/networks/{id}/connect",           0, ROUTE_JSON, route_networks_connect},
    {"POST",   "/networks/{id}/disconnect",        0, ROUTE_JSON, route_networks_disconnect},
    {"GET",    "/networks/{id}",                   0, 0, route_networks_inspect},
    {"DELETE", "/networks/{id}",                   0, 0, route_networks_remove},

    /* volumes */
    {"GET",    "/volumes",                         0, 0, route_volumes_list},
    {"POST",   "/volumes/create",                  0, ROUTE_JSON | ROUTE_DEFAULTS, route_volumes_create},
    {"POST",   "/volumes/prune",                   1025, 0, route_volumes_prune},
    {"GET",    "/volumes/{name*}",                  0, 0, route_volumes_inspect},
    {"PUT",    "/volumes/{name*}",                  1042, 0, route_system_no_cluster_volume},
    {"DELETE", "/volumes/{name*}",                  0, 0, route_volumes_remove},

    /* plugins: there are none */
    {"GET",    "/plugins",                         1025, 0, route_system_no_plugins},
    {"GET",    "/plugins/privileges",              1025, 0, route_system_not_implemented},
    {"POST",   "/plugins/pull",                    1025, 0, route_system_not_implemented},
    {"POST",   "/plugins/create",                  1025, 0, route_system_not_implemented},
    {"GET",    "/plugins/{name*}/json",            1025, 0, route_system_no_plugin},
    {"POST",   "/plugins/{name*}/enable",          1025, 0, route_system_no_plugin},
    {"POST",   "/plugins/{name*}/disable",         1025, 0, route_system_no_plugin},
    {"POST",   "/plugins/{name*}/upgrade",         1026, 0, route_system_no_plugin},
    {"POST",   "/plugins/{name*}/push",            1025, 0, route_system_no_plugin},
    {"POST",   "/plugins/{name*}/set",             1025, 0, route_system_no_plugin},
    {"DELETE", "/plugins/{name*}",                 1025, 0, route_system_no_plugin},

    /* swarm: this is no node of one */
    {"GET",    "/swarm",                           0, 0, route_system_no_swarm},
    {"GET",    "/swarm/unlockkey",                 0, 0, route_system_no_swarm},
    {"POST",   "/swarm/init",                      0, 0, route_system_not_implemented},
    {"POST",   "/swarm/join",                      0, 0, route_system_not_implemented},
    {"POST",   "/swarm/leave",                     0, 0, route_system_no_swarm},
    {"POST",   "/swarm/update",                    0, 0, route_system_no_swarm},
    {"POST",   "/swarm/unlock",                    0, 0, route_system_no_swarm},
    {"GET",    "/nodes",                           0, 0, route_system_no_swarm},
    {"GET",    "/nodes/{id}",                      0, 0, route_system_no_swarm},
    {"DELETE", "/nodes/{id}",                      0, 0, route_system_no_swarm},
    {"POST",   "/nodes/{id}/update",               0, 0, route_system_no_swarm},
    {"GET",    "/services",                        0, 0, route_system_no_swarm},
    {"POST",   "/services/create",                 0, 0, route_system_no_swarm},
    {"GET",    "/services/{id}",                   0, 0, route_system_no_swarm},
    {"DELETE", "/services/{id}",                   0, 0, route_system_no_swarm},
    {"POST",   "/services/{id}/update",            0, 0, route_system_no_swarm},
    {"GET",    "/services/{id}/logs",              0, 0, route_system_no_swarm},
    {"GET",    "/tasks",                           0, 0, route_system_no_swarm},
    {"GET",    "/tasks/{id}",                      0, 0, route_system_no_swarm},
    {"GET",    "/tasks/{id}/logs",                 0, 0, route_system_no_swarm},
    {"GET",    "/secrets",                         0, 0, route_system_no_swarm},
    {"POST",   "/secrets/create",                  0, 0, route_system_no_swarm},
    {"GET",    "/secrets/{id}",                    0, 0, route_system_no_swarm},
    {"DELETE", "/secrets/{id}",                    0, 0, route_system_no_swarm},
    {"POST",   "/secrets/{id}/update",             0, 0, route_system_no_swarm},
    {"GET",    "/configs",                         0, 0, route_system_no_swarm},
    {"POST",   "/configs/create",                  0, 0, route_system_no_swarm},
    {"GET",    "/configs/{id}",                    0, 0, route_system_no_swarm},
    {"DELETE", "/configs/{id}",                    0, 0, route_system_no_swarm},
    {"POST",   "/configs/{id}/update",             0, 0, route_system_no_swarm},
};
/* clang-format on */
const size_t routes_count = ARRAY_SIZE(routes);
