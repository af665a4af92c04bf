/* Devices, their I/O limits, ulimits, GPUs. */
#include <string.h>

#include "base/str.h"
#include "cli/create.h"

/* "r", "w", "m", each at most once */
static bool is_permissions(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (!strchr("rwm", text[i]) || strchr(text + i + 1, text[i]))
            return false;
    return len > 0;
}

/* "host[:container[:permissions]]" */
static int add_device(const char *text, json_t *devices, struct err *err)
{
    _cleanup_strv_ char **parts = strv_split(text, ':');
    const char *permissions = "rwm", *inside = parts[0];
    size_t n = strv_len(parts);

    if (n > 3 || !*parts[0])
        return err_set(err, ERR_INVALID, "bad format for path: %s", text);
    if (n == 3 && !is_permissions(parts[2]))
        return err_set(err, ERR_INVALID, "bad mode specified: %s", parts[2]);
    if (n == 3 || (n == 2 && is_permissions(parts[1])))
        permissions = parts[n - 1];
    if (n == 3 || (n == 2 && permissions != parts[1]))
        inside = parts[1];
    if (inside[0] != '/')
        return err_set(err, ERR_INVALID, "%s is not an absolute path", inside);
    json_array_append_new(devices, json_pack("{s:s, s:s, s:s}", "PathOnHost", parts[0], "PathInContainer",
                                             inside, "CgroupPermissions", permissions));
    return 0;
}

/* "path:number", the number with or without a unit, under `field`; checked when it was parsed. */
static void add_throttle(const char *text, const char *field, bool units, json_t *list)
{
    const char *colon = strchr(text, ':');
    _cleanup_free_ char *path = xstrndup(text, (size_t)(colon - text));
    int64_t number = 0;
    uint64_t plain = 0;

    if (units)
        str_to_bytes(colon + 1, &number);
    else
        str_to_u64(colon + 1, &plain);
    json_array_append_new(
        list, json_pack("{s:s, s:I}", "Path", path, field, (json_int_t)(units ? number : (int64_t)plain)));
}

/* One of a ulimit's numbers. */
static int parse_limit(const char *text, int64_t *ret, struct err *err)
{
    int r = str_to_i64(text, ret);

    if (r < 0)
        return err_set(err, ERR_INVALID, "strconv.ParseInt: parsing \"%s\": %s", text,
                       r == -ERANGE ? "value out of range" : "invalid syntax");
    return 0;
}

static int parse_ulimit(const char *text, json_t **ret, struct err *err)
{
    const char *equals = strchr(text, '=');
    _cleanup_free_ char *name = equals ? xstrndup(text, (size_t)(equals - text)) : NULL;
    _cleanup_strv_ char **limits = equals ? strv_split(equals + 1, ':') : NULL;
    static const char *const names[] = {"core",    "cpu",      "data",   "fsize",      "locks",
                                        "memlock", "msgqueue", "nice",   "nofile",     "nproc",
                                        "rss",     "rtprio",   "rttime", "sigpending", "stack"};
    int64_t soft, hard;
    bool known = false;

    if (!equals)
        return err_set(err, ERR_INVALID, "invalid ulimit argument: %s", text);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        known |= str_eq(names[i], name);
    if (!known)
        return err_set(err, ERR_INVALID, "invalid ulimit type: %s", name);
    if (strv_len(limits) > 2)
        return err_set(err, ERR_INVALID,
                       "too many limit value arguments - %s, can only have up to two, `soft[:hard]`",
                       equals + 1);
    if (parse_limit(limits[0], &soft, err) < 0)
        return -1;
    hard = soft;
    if (limits[1] && parse_limit(limits[1], &hard, err) < 0)
        return -1;
    if (soft == -1 && hard != -1)
        return err_set(err, ERR_INVALID,
                       "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), "
                       "hard: %lld",
                       (long long)hard);
    if (hard >= 0 && (soft > hard || soft < 0))
        return err_set(err, ERR_INVALID,
                       "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
                       (long long)soft, (long long)hard);
    *ret = json_pack("{s:s, s:I, s:I}", "Name", name, "Hard", (json_int_t)hard, "Soft", (json_int_t)soft);
    return 0;
}

int create_check_ulimit(const char *value, struct err *err)
{
    json_t *ulimit;

    if (parse_ulimit(value, &ulimit, err) < 0)
        return -1;
    json_decref(ulimit);
    return 0;
}

/* "all", "2", or "device=0,1 capabilities=…" as CSV of key=value. */
static int parse_gpus(const char *text, json_t **ret, struct err *err)
{
    _cleanup_strv_ char **fields = create_split_csv(text);
    _cleanup_json_ json_t *capabilities = json_array(), *ids = NULL, *options = json_object();
    const char *driver = "";
    int64_t count = 0;
    _cleanup_strv_ char **seen = NULL;
    bool counted = false;

    if (!*text)
        return err_set(err, ERR_INVALID, "EOF");
    if (create_check_csv(text, err) < 0)
        return -1;
    for (char **f = fields; *f; f++) {
        char *equals = strchr(*f, '=');
        const char *key = equals ? *f : "count", *value = equals ? equals + 1 : *f;

        if (equals)
            *equals = '\0';
        for (char **s = seen; s && *s; s++)
            if (str_eq(*s, key))
                return err_set(err, ERR_INVALID, "gpu request key '%s' can be specified only once", key);
        strv_push(&seen, key);
        if (str_eq(key, "count")) {
            if (!str_eq(value, "all") && str_to_i64(value, &count) < 0)
                return err_set(
                    err, ERR_INVALID,
                    "invalid count (%s): value must be either \"all\" or an integer: invalid syntax", value);
            if (str_eq(value, "all"))
                count = -1;
            counted = true;
        } else if (str_eq(key, "driver")) {
            driver = value;
        } else if (str_eq(key, "device") || str_eq(key, "capabilities")) {
            _cleanup_strv_ char **parts = strv_split(value, ',');
            bool device = str_eq(key, "device");

            if (device && !ids)
                ids = json_array();
            for (char **p = parts; *p; p++)
                json_array_append_new(device ? ids : capabilities, json_string(*p));
        } else if (str_eq(key, "options")) {
            json_set_str(options, value, "");
        } else {
            return err_set(err, ERR_INVALID, "unexpected key '%s' in '%s'", key, text);
        }
    }
    if (!counted && !ids)
        count = 1;
    json_array_append_new(capabilities, json_string("gpu"));
    *ret = json_pack("{s:s, s:I, s:O?, s:[O], s:O}", "Driver", driver, "Count", (json_int_t)count,
                     "DeviceIDs", ids, "Capabilities", capabilities, "Options", options);
    return 0;
}

int create_check_gpus(const char *value, struct err *err)
{
    json_t *request;

    if (parse_gpus(value, &request, err) < 0)
        return -1;
    json_decref(request);
    return 0;
}

/* "vendor.com/class=name": a device as its vendor describes it, not a path. */
static bool is_cdi_name(const char *text)
{
    const char *slash = strchr(text, '/'), *equals = slash ? strchr(slash, '=') : NULL;

    return *text != '/' && *text != '.' && equals && equals > slash + 1 && equals[1] && !strchr(equals, '/');
}

int create_devices(const struct args *args, json_t *host, struct err *err)
{
    static const struct {
        const char *option, *name, *field;
        bool units;
    } throttles[] = {{"blkio-weight-device", "BlkioWeightDevice", "Weight", false},
                     {"device-read-bps", "BlkioDeviceReadBps", "Rate", true},
                     {"device-write-bps", "BlkioDeviceWriteBps", "Rate", true},
                     {"device-read-iops", "BlkioDeviceReadIOps", "Rate", false},
                     {"device-write-iops", "BlkioDeviceWriteIOps", "Rate", false}};
    static const struct {
        const char *option, *name;
        bool null_if_empty;
        int (*parse)(const char *text, json_t **ret, struct err *err);
    } requests[] = {{"ulimit", "Ulimits", false, parse_ulimit}, {"gpus", "DeviceRequests", true, parse_gpus}};
    _cleanup_json_ json_t *named = json_array();
    json_t *devices = json_array();

    json_object_set_new(host, "Devices", devices);
    for (char **d = args_list(args, "device"); d && *d; d++)
        if (is_cdi_name(*d))
            json_array_append_new(named, json_string(*d));
        else if (add_device(*d, devices, err) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_SIZE(throttles); i++) {
        json_t *list = json_array();

        json_object_set_new(host, throttles[i].name, list);
        for (char **t = args_list(args, throttles[i].option); t && *t; t++)
            add_throttle(*t, throttles[i].field, throttles[i].units, list);
    }
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        char **values = args_list(args, requests[i].option);
        json_t *list = values || !requests[i].null_if_empty ? json_array() : json_null();

        json_object_set_new(host, requests[i].name, list);
        for (; values && *values; values++) {
            json_t *request;

            if (requests[i].parse(*values, &request, err) < 0)
                return -1;
            json_array_append_new(list, request);
        }
    }
    if (json_array_size(named)) {
        json_t *list = json_object_get(host, "DeviceRequests");

        if (!json_is_array(list)) {
            list = json_array();
            json_object_set_new(host, "DeviceRequests", list);
        }
        json_array_append_new(list, json_pack("{s:s, s:i, s:O, s:n, s:n}", "Driver", "cdi", "Count", 0,
                                              "DeviceIDs", named, "Capabilities", "Options"));
    }
    return 0;
}
