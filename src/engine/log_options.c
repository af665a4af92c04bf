/* Log drivers and their options: a table of names, and a function for each value. To add an option: its row. */
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/logs.h"

#define INITIALIZE "failed to initialize logging driver: "

enum { DECIMAL = 1000, BINARY = 1024, FILES_MAX = 1000, BUFFER_MIN = 64 * 1024 };

/* In the order of enum log_driver_kind. */
static const struct {
    const char *name;
    const char *unknown; /* how an unknown option is told */
} drivers[] = {
    {"json-file", "unknown log opt '%.64s' for json-file log driver"},
    {"local", "unknown log opt '%.64s' for log driver local"},
    {"journald", "unknown log opt '%.64s' for journald log driver"},
    {"syslog", "unknown log opt '%.64s' for syslog log driver"},
    {"none", NULL},
};

enum {
    JSON = 1 << LOG_JSON_FILE,
    LOCAL = 1 << LOG_LOCAL,
    JOURNALD = 1 << LOG_JOURNALD,
    SYSLOG = 1 << LOG_SYSLOG
};
enum { FILES = JSON | LOCAL, ALL = FILES | JOURNALD | SYSLOG };

/* ---- values ---- */

/* "20m": in powers of 1000 as Docker's json-file has it, or of 1024 as its others. */
static int parse_size(const char *text, int base, int64_t *ret)
{
    static const char units[] = "kmgtp";
    size_t digits = strspn(text, "0123456789. ");
    const char *unit = text[digits] ? strchr(units, text[digits] | 0x20) : NULL;
    int r = str_to_bytes(text, ret);
    if (r < 0 || base == BINARY || !unit)
        return r;
    double scale = pow((double)DECIMAL / BINARY, (double)(unit - units + 1));
    *ret = (int64_t)((double)*ret * scale + 0.5);
    return 0;
}

static int set_caps_size(const char *text, int base, struct log_caps *caps, struct err *err)
{
    if (str_eq(text, "-1")) {
        caps->max_size = 0;
        return 0;
    }
    if (parse_size(text, base, &caps->max_size) < 0)
        return err_set(err, ERR_INVALID, INITIALIZE "invalid size: '%.64s'", text);
    return caps->max_size <= 0 ? err_set(err, ERR_INVALID, INITIALIZE "max-size must be a positive number")
                               : 0;
}

static int set_caps_files(const char *text, struct log_caps *caps, struct err *err)
{
    int64_t n;
    if (str_to_i64(text, &n) < 0)
        return err_set(err, ERR_INVALID, INITIALIZE "strconv.Atoi: parsing \"%.64s\": invalid syntax", text);
    if (n < 1)
        return err_set(err, ERR_INVALID, INITIALIZE "max-file cannot be less than 1");
    if (n > FILES_MAX)
        return err_set(err, ERR_INVALID, INITIALIZE "max-file cannot be more than %d", FILES_MAX);
    caps->max_file = (int)n;
    return 0;
}

static int set_bool(const char *text, bool *ret, struct err *err)
{
    return str_to_bool(text, ret) < 0
               ? err_set(err, ERR_INVALID, INITIALIZE "strconv.ParseBool: parsing \"%.64s\": invalid syntax",
                         text)
               : 0;
}

/* ---- options ---- */

static int set_max_size(struct log_settings *s, const char *text, struct err *err)
{
    return set_caps_size(text, s->driver == LOG_JSON_FILE ? DECIMAL : BINARY, &s->caps, err);
}

static int set_max_file(struct log_settings *s, const char *text, struct err *err)
{
    return set_caps_files(text, &s->caps, err);
}

static int set_compress(struct log_settings *s, const char *text, struct err *err)
{
    return set_bool(text, &s->caps.compress, err);
}

static int set_cache_size(struct log_settings *s, const char *text, struct err *err)
{
    return set_caps_size(text, BINARY, &s->cache, err);
}

static int set_cache_file(struct log_settings *s, const char *text, struct err *err)
{
    return set_caps_files(text, &s->cache, err);
}

static int set_cache_compress(struct log_settings *s, const char *text, struct err *err)
{
    return set_bool(text, &s->cache.compress, err);
}

static int set_cache_disabled(struct log_settings *s, const char *text, struct err *err)
{
    bool off = false;
    if (*text && str_to_bool(text, &off) < 0)
        return err_set(err, ERR_INVALID, "invalid value for option cache-disabled: %.64s", text);
    s->cached = s->cached && !off;
    return 0;
}

static int set_labels(struct log_settings *s, const char *text, _unused_ struct err *err)
{
    s->labels = text;
    return 0;
}

static int set_env(struct log_settings *s, const char *text, _unused_ struct err *err)
{
    s->env = text;
    return 0;
}

static int set_regex(const char *text, const char **ret, struct err *err)
{
    char why[128];
    regex_t regex;
    int r = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
    if (r != 0) {
        regerror(r, &regex, why, sizeof(why));
        return err_set(err, ERR_INVALID, INITIALIZE "error parsing regexp: %s: `%.64s`", why, text);
    }
    regfree(&regex);
    *ret = text;
    return 0;
}

static int set_labels_regex(struct log_settings *s, const char *text, struct err *err)
{
    return set_regex(text, &s->labels_regex, err);
}

static int set_env_regex(struct log_settings *s, const char *text, struct err *err)
{
    return set_regex(text, &s->env_regex, err);
}

static int set_tag(struct log_settings *s, const char *text, struct err *err)
{
    _cleanup_free_ char *tried = log_tag_expand(text, NULL, err);
    s->tag = *text ? text : NULL;
    return tried ? 0 : -1;
}

static int set_mode(struct log_settings *s, const char *text, struct err *err)
{
    s->non_blocking = str_eq(text, "non-blocking");
    return *text && !s->non_blocking && !str_eq(text, "blocking")
               ? err_set(err, ERR_INVALID, "logger: logging mode not supported: %.64s", text)
               : 0;
}

static int set_buffer(struct log_settings *s, const char *text, struct err *err)
{
    if (parse_size(text, BINARY, &s->max_buffer) < 0)
        return err_set(err, ERR_INVALID, "error parsing option max-buffer-size: invalid size: '%.64s'", text);
    s->max_buffer = MAX_OF(s->max_buffer, (int64_t)BUFFER_MIN);
    return 0;
}

static int set_address(struct log_settings *s, const char *text, struct err *err)
{
    struct log_address address = {};
    struct stat st;
    if (!*text)
        return 0;
    s->syslog_address = text;
    if (log_address_parse(text, &address, err) < 0)
        return -1;
    int r = 0;
    if (address.is_unix && stat(address.host, &st) < 0)
        r = err_set(err, ERR_INVALID, "stat %s: no such file or directory", address.host);
    log_address_finish(&address);
    return r;
}

static int set_facility(struct log_settings *s, const char *text, struct err *err)
{
    static const char *const names[] = {"kern", "user", "mail", "daemon", "auth",     "syslog",
                                        "lpr",  "news", "uucp", "cron",   "authpriv", "ftp"};
    enum { LOCAL_FIRST = 16, FACILITIES = 24 };
    uint32_t n;
    if (str_to_u32(text, &n) == 0 && n < FACILITIES) {
        s->syslog_facility = n;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_eq(names[i], text)) {
            s->syslog_facility = (unsigned)i;
            return 0;
        }
    const char *local = str_after(text, "local");
    if (local && str_to_u32(local, &n) == 0 && n < FACILITIES - LOCAL_FIRST) {
        s->syslog_facility = LOCAL_FIRST + n;
        return 0;
    }
    return *text ? err_set(err, ERR_INVALID, "invalid syslog facility") : 0;
}

static int set_format(struct log_settings *s, const char *text, struct err *err)
{
    static const char *const names[] = {"", "rfc3164", "rfc5424", "rfc5424micro"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_eq(names[i], text)) {
            s->syslog_format = text;
            return 0;
        }
    return err_set(err, ERR_INVALID, "Invalid syslog format");
}

static int set_tls_ca(struct log_settings *s, const char *text, _unused_ struct err *err)
{
    s->tls_ca = text;
    return 0;
}

static int set_tls_cert(struct log_settings *s, const char *text, _unused_ struct err *err)
{
    s->tls_cert = text;
    return 0;
}

static int set_tls_key(struct log_settings *s, const char *text, _unused_ struct err *err)
{
    s->tls_key = text;
    return 0;
}

/* With Docker it is enough that the option is there; one that says "false" is believed. */
static int set_tls_skip_verify(struct log_settings *s, const char *text, _unused_ struct err *err)
{
    bool skip;
    s->tls_skip_verify = str_to_bool(text, &skip) < 0 || skip;
    return 0;
}

static const struct {
    const char *key;
    unsigned drivers;
    int (*set)(struct log_settings *s, const char *text, struct err *err);
} options[] = {
    {"max-size", FILES, set_max_size},
    {"max-file", FILES, set_max_file},
    {"compress", FILES, set_compress},
    {"labels", ALL, set_labels},
    {"labels-regex", ALL, set_labels_regex},
    {"env", ALL, set_env},
    {"env-regex", ALL, set_env_regex},
    {"tag", ALL, set_tag},
    {"mode", ALL, set_mode},
    {"max-buffer-size", ALL, set_buffer},
    {"cache-disabled", ALL, set_cache_disabled},
    {"cache-max-size", ALL, set_cache_size},
    {"cache-max-file", ALL, set_cache_file},
    {"cache-compress", ALL, set_cache_compress},
    {"syslog-address", SYSLOG, set_address},
    {"syslog-facility", SYSLOG, set_facility},
    {"syslog-format", SYSLOG, set_format},
    {"syslog-tls-ca-cert", SYSLOG, set_tls_ca},
    {"syslog-tls-cert", SYSLOG, set_tls_cert},
    {"syslog-tls-key", SYSLOG, set_tls_key},
    {"syslog-tls-skip-verify", SYSLOG, set_tls_skip_verify},
};

static int parse_option(struct log_settings *s, const char *key, const char *text, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if ((options[i].drivers & 1U << s->driver) && str_eq(options[i].key, key))
            return options[i].set(s, text, err);
    return err_set(err, ERR_INVALID, drivers[s->driver].unknown, key);
}

/* ---- all ---- */

static int find_driver(const char *name, enum log_driver_kind *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
        if (str_eq(drivers[i].name, name)) {
            *ret = (enum log_driver_kind)i;
            return 0;
        }
    return -ENOENT;
}

json_t *log_driver_names(void)
{
    json_t *names = json_array();
    static const enum log_driver_kind sorted[] = {LOG_JOURNALD, LOG_JSON_FILE, LOG_LOCAL, LOG_SYSLOG};
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
        json_array_append_new(names, json_string(drivers[sorted[i]].name));
    return names;
}

static void set_defaults(struct log_settings *s, const json_t *config)
{
    const struct log_caps most = {LOG_MAX_SIZE, LOG_MAX_FILE, true};
    s->caps = s->cache = most;
    s->max_buffer = LOG_MAX_BUFFER;
    s->syslog_facility = 3; /* daemon */
    s->cached = s->driver == LOG_SYSLOG || s->driver == LOG_JOURNALD;
    if (s->driver != LOG_JSON_FILE)
        return;
    s->caps.compress = false;
    if (json_object_get(config, "max-size"))
        s->caps.max_file = 1; /* Docker's default beside a size */
}

static int check_together(const struct log_settings *s, const json_t *config, struct err *err)
{
    if (json_object_get(config, "max-buffer-size") && !s->non_blocking)
        return err_set(err, ERR_INVALID,
                       "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    if (s->driver == LOG_JSON_FILE && s->caps.compress && (s->caps.max_file == 1 || s->caps.max_size == 0))
        return err_set(err, ERR_INVALID,
                       INITIALIZE
                       "compress cannot be true when max-file is less than 2 or max-size is not set");
    return 0;
}

int log_settings_parse(const json_t *log_config, struct log_settings *ret, struct err *err)
{
    const char *type = json_str_or(log_config, "Type", ""), *key;
    const json_t *config = json_object_get(log_config, "Config");
    json_t *value;
    *ret = (struct log_settings){};
    if (*type && find_driver(type, &ret->driver) < 0)
        return err_set(err, ERR_INVALID, "error looking up logging plugin %.64s: plugin \"%.64s\" not found",
                       type, type);
    set_defaults(ret, config);
    json_object_foreach ((json_t *)config, key, value) {
        if (!json_is_string(value))
            return err_set(err, ERR_INVALID, "invalid JSON: LogConfig.Config must be an object of strings");
        if (ret->driver != LOG_NONE && parse_option(ret, key, json_string_value(value), err) < 0)
            return -1;
    }
    return check_together(ret, config, err);
}

void log_config_complete(json_t *host_config, const char *driver, const json_t *defaults)
{
    const json_t *given = json_object_get(host_config, "LogConfig");
    const char *type = json_str_or(given, "Type", ""), *key;
    bool same = !*type || str_eq(type, driver);
    json_t *config = json_object(), *value;
    json_object_foreach ((json_t *)defaults, key, value)
        if (same || str_starts(key, "cache-"))
            json_object_set(config, key, value);
    json_object_update(config, json_object_get(given, "Config"));
    json_object_set_new(host_config, "LogConfig",
                        json_pack("{s:s, s:o}", "Type", *type ? type : driver, "Config", config));
}

int log_defaults_check(const char *driver, const json_t *defaults, struct err *err)
{
    _cleanup_json_ json_t *config =
        json_pack("{s:s, s:O?}", "Type", driver ? driver : "", "Config", defaults);
    struct log_settings settings;
    int r = log_settings_parse(config, &settings, err);

    return r < 0 ? err_wrap(err, "failed to set log opts") : 0;
}

/* ---- addresses ---- */

void log_address_finish(struct log_address *a)
{
    free(a->host);
    free(a->port);
}

int log_address_parse(const char *text, struct log_address *ret, struct err *err)
{
    const char *rest = strstr(text, "://");
    if (!rest)
        return err_set(err, ERR_INVALID, "syslog-address should be in form proto://address, got %.256s",
                       text);
    _cleanup_free_ char *scheme = xstrndup(text, (size_t)(rest - text));
    rest += 3;
    *ret = (struct log_address){.is_unix = str_starts(scheme, "unix"),
                                .is_tls = str_eq(scheme, "tcp+tls"),
                                .is_stream = str_starts(scheme, "tcp") || str_eq(scheme, "unix")};
    if (!ret->is_tls && !str_eq(scheme, "tcp") && !str_eq(scheme, "udp") && !str_eq(scheme, "unix") &&
        !str_eq(scheme, "unixgram"))
        return err_set(err, ERR_INVALID, "unsupported scheme: '%.64s'", scheme);
    if (ret->is_unix) {
        ret->host = xstrdup(rest);
        return 0;
    }
    const char *bracket = *rest == '[' ? strchr(rest, ']') : NULL,
               *colon = strrchr(bracket ? bracket : rest, ':');
    size_t len = colon ? (size_t)(colon - rest) : strcspn(rest, "/");
    ret->host = bracket ? xstrndup(rest + 1, (size_t)(bracket - rest - 1)) : xstrndup(rest, len);
    ret->port = colon ? xstrndup(colon + 1, strcspn(colon + 1, "/")) : xstrdup("514");
    return 0;
}
