/* The checks that validate.c's list calls, and what they look at. For src/engine only. */
#ifndef KEG_ENGINE_VALIDATE_PARTS_H
#define KEG_ENGINE_VALIDATE_PARTS_H

#include <jansson.h>
#include <stdbool.h>

#include "engine/engine.h"

struct subject {
    const struct engine_options *options;
    const json_t *config, *host; /* compact */
    json_t *warnings;
};

/* validate_host.c. Each 0, or -1 with ERR_INVALID in Docker's words; hints go to warnings. */
int validate_extra_hosts(const struct subject *s, struct err *err);
int validate_dns(const struct subject *s, struct err *err);
int validate_mac(const struct subject *s, struct err *err);
int validate_links(const struct subject *s, struct err *err);
int validate_annotations(const struct subject *s, struct err *err);
int validate_ulimits(const struct subject *s, struct err *err);
int validate_security(const struct subject *s, struct err *err);
int validate_foreign(const struct subject *s, struct err *err);
int validate_storage(const struct subject *s, struct err *err);
int validate_realtime(const struct subject *s, struct err *err);
int validate_oom(const struct subject *s, struct err *err);

/* HostConfig.StorageOpt's size in bytes; 0: not said. */
int64_t validate_storage_size(const json_t *host_config);

/* An IPv4 or IPv6 address. "02:42:ac:11:00:02": six bytes. */
bool validate_is_address(const char *text);
bool validate_is_mac(const char *text);

#endif
