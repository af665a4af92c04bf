/* kegd's configuration: the command line and daemon.json, both from one table whose names are dockerd's.
 *
 * To add an option:
 *   1. a member of struct config here, with its default in config_init();
 *   2. a row in options.c, with a check of its values (option_checks.h); --help, the file's key and the check for conflicts
 *      follow from it;
 *   3. hand it on in daemon.c;
 *   4. a line in docs/kegd.md. tests/unit/test_config.c checks that the rows are sane. */
#ifndef KEG_DAEMON_CONFIG_H
#define KEG_DAEMON_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum config_switch { SWITCH_UNSET, SWITCH_ON, SWITCH_OFF };

struct config {
    char *config_file;
    char *data_root, *exec_root;
    char **hosts;
    char *group, *pidfile;
    enum config_switch tls, tls_verify; /* both off: tcp:// is served to everybody; unset: nobody said so */
    char *tls_ca, *tls_cert, *tls_key;
    char *log_level, *log_format;
    bool debug, validate, version, help;

    char *storage_driver, **storage_options;
    char **insecure_registries, **registry_mirrors;
    int64_t max_concurrent_downloads, max_concurrent_uploads;

    char *bridge, *bip, *bip6, *fixed_cidr6;
    char **default_address_pools; /* "base,size" */
    char **dns, **dns_search, **dns_options;
    int64_t mtu;
    bool iptables, ip6tables, ip_forward, ip_masq, icc, ipv6;

    char *log_driver;
    json_t *image_gc;        /* {"high":"85",…} or NULL */
    json_t *log_options;     /* {"max-size":"10m",…} or NULL */
    json_t *default_ulimits; /* [{"Name","Soft","Hard"},…] or NULL */
    int64_t default_shm_size;
    json_t *runtimes; /* {name: {"path",…}} or NULL */
    char *default_runtime;
    char *cgroup_parent, *seccomp_profile, *default_ipc_mode, *default_cgroupns_mode;
    char **labels, **cdi_spec_dirs;
    bool init, no_new_privileges;
    bool live_restore;
    int64_t shutdown_timeout; /* s; for requests under way: containers go on running */
};

void config_init(struct config *c); /* the defaults */
void config_finish(struct config *c);
#define _cleanup_config_ _cleanup_(config_finish)

/* Reads the command line, then the file that it names (a missing default file is none). ERR_INVALID, in
 * dockerd's words: unknown option, an option both on the command line and in the file, an unknown key, a
 * wrong value (ERR_SYSTEM: a file that cannot be read); ERR_NOT_IMPLEMENTED: what dockerd knows and keg doesn't. */
int config_load(struct config *c, int argc, char *const *argv, struct err *err);

/* What --help prints; the caller frees. */
char *config_help(void);

#endif
