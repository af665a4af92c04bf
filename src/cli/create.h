/* The options of run and create, and the JSON that they become: the same that docker sends. */
#ifndef KEG_CLI_CREATE_H
#define KEG_CLI_CREATE_H

#include "base/json.h"
#include "cli/options.h"

/* What run, create and (limits only) update accept. */
extern const struct option_row create_options[];
extern const struct option_row limit_options[];

/* The body of POST /containers/create. NULL on failure (ERR_INVALID). */
json_t *create_body(const struct args *args, struct err *err);
/* HostConfig's limits (CpuShares, Memory…), into an object: for update as well. */
void create_limits(const struct args *args, json_t *host);
/* {"Name", "MaximumRetryCount"} of "on-failure:3". NULL on failure. */
json_t *create_restart_policy(const char *text, struct err *err);

/* Pieces of it, each in a file of its own. All return 0 or -1 with err (ERR_INVALID). */

/* -p and --expose: config.ExposedPorts, host.PortBindings. */
int create_ports(const struct args *args, json_t *config, json_t *host, struct err *err);
/* -v, --mount, --tmpfs: config.Volumes, host.Binds, host.Mounts, host.Tmpfs. */
int create_volumes(const struct args *args, json_t *config, json_t *host, struct err *err);
int create_parse_mount(const char *text, json_t **ret, struct err *err);
/* --network and what belongs to its first one: host.NetworkMode, and the EndpointsConfig. */
int create_networks(const struct args *args, json_t *host, json_t **ret_endpoints, struct err *err);
/* --device, --blkio-…, --device-read-bps…, --ulimit, --gpus. */
int create_devices(const struct args *args, json_t *host, struct err *err);

/* -e and --env-file (variables without "=" get our own value, or are left out), as an array; NULL for none. With
 * `environment` false the files are label files. */
int create_read_variables(char *const *values, char *const *files, bool environment, char ***ret,
                          struct err *err);
/* {"k": "v"} of "k=v" texts. */
json_t *create_map(char *const *pairs);
/* An array of strings; with `null_if_empty` JSON null for none. */
json_t *create_list(char *const *values, bool null_if_empty);

/* Validators of option kinds. */
int create_check_ulimit(const char *value, struct err *err);
int create_check_mount(const char *value, struct err *err);
int create_check_network(const char *value, struct err *err);
int create_check_gpus(const char *value, struct err *err);

/* Splits one CSV line ("a,\"b,c\",d"); the vector is the caller's. */
char **create_split_csv(const char *text);
/* Whether its quotes are where CSV has them. */
int create_check_csv(const char *text, struct err *err);

#endif
