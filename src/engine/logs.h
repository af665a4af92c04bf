/* Logs: what LogConfig says. monitor/logger.h says what the monitor makes of it, log_reader.h how it is read back. */
#ifndef KEG_ENGINE_LOGS_H
#define KEG_ENGINE_LOGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct container;

enum log_driver_kind { LOG_JSON_FILE, LOG_LOCAL, LOG_JOURNALD, LOG_SYSLOG, LOG_NONE };

/* A row of files. */
struct log_caps {
    int64_t max_size; /* bytes, 0: unlimited */
    int max_file;     /* at least 1 */
    bool compress;
};

struct log_settings {
    enum log_driver_kind driver;
    struct log_caps caps;                                /* json-file, local */
    const char *labels, *env, *labels_regex, *env_regex; /* what goes with each line; borrowed, NULL: none */
    const char *tag;                                     /* template; NULL: none given */
    const char *syslog_address, *syslog_format;          /* NULL: none given */
    unsigned syslog_facility;
    const char *tls_ca, *tls_cert, *tls_key; /* files, for tcp+tls:// */
    bool tls_skip_verify;
    bool non_blocking;
    int64_t max_buffer;
    bool cached; /* a copy in the local format is kept, since nobody reads the driver's own back */
    struct log_caps cache;
};

/* What was not said: json-file and local keep five files of 20 MB. */
enum { LOG_MAX_SIZE = 20 * 1000 * 1000, LOG_MAX_FILE = 5, LOG_MAX_BUFFER = 1024 * 1024 };

/* log_config: {"Type","Config":{…}} or NULL. ERR_INVALID for what no driver knows, with Docker's words,
 * ERR_NOT_IMPLEMENTED. */
int log_settings_parse(const json_t *log_config, struct log_settings *ret, struct err *err);
/* Gives a HostConfig the LogConfig that kegd has as its default: as a whole, or its options to the same driver; those of
 * the cache to any. */
void log_config_complete(json_t *host_config, const char *driver, const json_t *options);
/* Whether these are a default that kegd can have: else every container's creation would fail by it. */
int log_defaults_check(const char *driver, const json_t *defaults, struct err *err);
/* The names of the drivers, sorted, without "none". */
json_t *log_driver_names(void);

/* "udp://host:514" and the like. *ret_host is the caller's to free, or a unix socket's path. */
struct log_address {
    bool is_unix, is_stream, is_tls;
    char *host; /* or path */
    char *port;
};
void log_address_finish(struct log_address *a);
int log_address_parse(const char *text, struct log_address *ret, struct err *err);

/* The "log" object of the monitor's "start" (monitor/logger.h). NULL and *err. */
json_t *log_start_request(struct container *c, struct err *err);
/* The newest file of what `logs` reads, or NULL for a driver without one; *ret_local: in the local format. */
char *log_read_path(const struct container *c, const struct log_settings *s, bool *ret_local);

/* log_tag.c: a tag's template, as Docker expands it: {{.ID}}, {{.FullID}}, {{.Name}}, {{.ImageID}}, {{.ImageFullID}},
 * {{.ImageName}}, {{.DaemonName}}, {{.Command}}, {{.Hostname}}. values: an object of these. NULL and ERR_INVALID. */
char *log_tag_expand(const char *template, const json_t *values, struct err *err);

#endif
