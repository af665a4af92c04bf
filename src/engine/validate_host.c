/* Lists and texts of HostConfig: names, addresses, security options, what Linux or the kernel has not. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/links.h"
#include "engine/netfiles.h"
#include "engine/oci.h"
#include "engine/validate_parts.h"
#include "sys/cgroup.h"

/* ---- names and addresses ---- */

bool validate_is_address(const char *text)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

bool validate_is_mac(const char *text)
{
    if (strlen(text) != 17)
        return false;
    for (size_t i = 0; i < 17; i++)
        if (i % 3 == 2 ? text[i] != ':' : !strchr("0123456789abcdefABCDEF", text[i]))
            return false;
    return true;
}

int validate_extra_hosts(const struct subject *s, struct err *err)
{
    const json_t *row;
    size_t i;
    json_array_foreach (json_object_get(s->host, "ExtraHosts"), i, row) {
        const char *text = json_string_value(row), *separator = netfiles_host_separator(text);
        if (!separator || separator == text || !separator[1] || strpbrk(text, " \t\r\n"))
            return err_set(err, ERR_INVALID, "bad format for add-host: \"%.256s\"", text);
        if (!str_eq(separator + 1, "host-gateway") && !validate_is_address(separator + 1))
            return err_set(err, ERR_INVALID, "invalid IP address in add-host: \"%.128s\"", separator + 1);
    }
    return 0;
}

int validate_dns(const struct subject *s, struct err *err)
{
    const json_t *row;
    size_t i;
    json_array_foreach (json_object_get(s->host, "Dns"), i, row) {
        if (!validate_is_address(json_string_value(row)))
            return err_set(err, ERR_INVALID, "bad nameserver address %.128s: it is no IP address",
                           json_string_value(row));
    }
    json_array_foreach (json_object_get(s->host, "DnsSearch"), i, row)
        if (strpbrk(json_string_value(row), " \t\r\n"))
            return err_set(err, ERR_INVALID, "invalid DNS search domain: \"%.128s\"", json_string_value(row));
    json_array_foreach (json_object_get(s->host, "DnsOptions"), i, row)
        if (strpbrk(json_string_value(row), " \t\r\n"))
            return err_set(err, ERR_INVALID, "invalid DNS option: \"%.128s\"", json_string_value(row));
    return 0;
}

int validate_mac(const struct subject *s, struct err *err)
{
    const char *mac = json_str_or(s->config, "MacAddress", "");
    if (*mac && !validate_is_mac(mac))
        return err_set(err, ERR_INVALID, "invalid config for network %s: invalid MAC address %.64s",
                       json_str_or(s->host, "NetworkMode", "bridge"), mac);
    return 0;
}

int validate_links(const struct subject *s, struct err *err)
{
    const char *mode = json_str_or(s->host, "NetworkMode", "");
    const json_t *row, *links = json_object_get(s->host, "Links");
    size_t i;
    if (json_array_size(links) == 0)
        return 0;
    if (str_eq(mode, "host") || str_starts(mode, "container:"))
        return err_set(err, ERR_INVALID,
                       "conflicting options: %s type network%s can't be used with links. This would result "
                       "in undefined behavior",
                       *mode == 'h' ? "host" : "container", *mode == 'h' ? "ing" : "");
    json_array_foreach (links, i, row) {
        _cleanup_link_ struct link link = {0};
        if (link_parse(json_string_value(row), &link, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- what the runtime is told ---- */

int validate_annotations(const struct subject *s, struct err *err)
{
    if (json_object_get(json_object_get(s->host, "Annotations"), ""))
        return err_set(err, ERR_INVALID,
                       "invalid Annotations: the empty string is not permitted as an annotation key");
    return 0;
}

int validate_ulimits(const struct subject *s, struct err *err)
{
    return oci_ulimits_check(json_object_get(s->host, "Ulimits"), err);
}

int validate_security(const struct subject *s, struct err *err)
{
    struct oci_security security;
    uint64_t capabilities;
    if (oci_security_parse(s->host, &security, err) < 0 || oci_capabilities(s->host, &capabilities, err) < 0)
        return -1;
    if (security.profile) {
        _cleanup_json_ json_t *profile =
            json_parse(security.profile, strlen(security.profile), "Decoding seccomp profile failed", err);
        if (!profile)
            return -1;
    }
    return 0;
}

/* ---- what isn't there ---- */

int validate_foreign(const struct subject *s, struct err *err)
{
    static const struct {
        const char *member, *words;
    } rows[] = {{"IOMaximumIOps", "IOPs"}, {"IOMaximumBandwidth", "bandwidth"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (json_int_or(s->host, rows[i].member, 0))
            return err_set(err, ERR_INVALID,
                           "invalid option: QoS maximum %s configuration is not supported on linux",
                           rows[i].words);
    return 0;
}

/* Whether the driver can limit a layer is for it to say. */
int validate_storage(const struct subject *s, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)json_object_get(s->host, "StorageOpt"), key, value) {
        int64_t size;
        if (strcasecmp(key, "size") != 0)
            return err_set(err, ERR_INVALID, "Unknown option %.64s", key);
        if (str_to_bytes(json_string_value(value), &size) < 0)
            return err_set(err, ERR_INVALID, "invalid size: '%.64s'", json_string_value(value));
    }
    return 0;
}

int64_t validate_storage_size(const json_t *host_config)
{
    const char *key;
    json_t *value;
    int64_t size = 0;
    json_object_foreach ((json_t *)json_object_get(host_config, "StorageOpt"), key, value) {
        if (str_to_bytes(json_string_value(value), &size) < 0)
            return 0;
    }
    return size;
}

int validate_realtime(const struct subject *s, struct err *err)
{
    int64_t period = json_int_or(s->host, "CpuRealtimePeriod", 0);
    int64_t runtime = json_int_or(s->host, "CpuRealtimeRuntime", 0);
    if ((period || runtime) && cgroup_mode() == CGROUP_MODE_UNIFIED)
        return err_set(err, ERR_INVALID, "kernel does not support CPU real-time scheduler");
    if (period && runtime && runtime > period)
        return err_set(err, ERR_INVALID, "cpu real-time runtime cannot be higher than cpu real-time period");
    return 0;
}

int validate_oom(const struct subject *s, struct err *err _unused_)
{
    if (json_bool_or(s->host, "OomKillDisable", false) && json_int_or(s->host, "Memory", 0) == 0)
        json_array_append_new(
            s->warnings,
            json_string("OOM killer is disabled for the container, but no memory limit is set, this can "
                        "result in the system running out of resources."));
    return 0;
}
