/* -p [ip:][host:]container[/proto], each port also a range; or -p target=…,published=…,protocol=…. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/create.h"
#include "cli/option_checks.h"

struct range {
    uint32_t first, last;
};

/* "80" or "80-90". On failure, docker's words for it. */
static int parse_range(const char *text, struct range *ret, struct err *err)
{
    _cleanup_strv_ char **ends = strv_split(text, '-');
    uint64_t numbers[2] = {0, 0};

    if (!*text)
        return err_set(err, ERR_INVALID, "empty string specified for ports.");
    for (size_t i = 0; i < 2 && ends[i]; i++) {
        const char *end = i ? text + strlen(ends[0]) + 1 : ends[i];
        int r = option_parse_uint(end, UINT16_MAX, &numbers[i]);

        if (r < 0)
            return err_set(err, ERR_INVALID, "strconv.ParseUint: parsing \"%s\": %s", end,
                           r == -ERANGE ? "value out of range" : "invalid syntax");
    }
    *ret = (struct range){(uint32_t)numbers[0], (uint32_t)numbers[ends[1] ? 1 : 0]};
    if (ret->last < ret->first)
        return err_set(err, ERR_INVALID, "Invalid range specified for the Port: %s", text);
    return 0;
}

static bool is_protocol(const char *protocol)
{
    static const char *const known[] = {"tcp", "udp", "sctp"};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strcasecmp(protocol, known[i]) == 0)
            return true;
    return false;
}

/* Cuts "/proto" off, inside text: "tcp" when there is none. */
static const char *take_protocol(char *text)
{
    char *slash = strchr(text, '/');

    if (!slash)
        return "tcp";
    *slash = '\0';
    slash[1 + strcspn(slash + 1, "/")] = '\0';
    return slash[1] ? slash + 1 : "tcp";
}

static bool is_address(const char *text)
{
    unsigned char ignored[16];

    return inet_pton(AF_INET, text, ignored) == 1 || inet_pton(AF_INET6, text, ignored) == 1;
}

/* The address before the ports, in brackets if it has colons, without them inside ip. */
static int take_address(char *ip, const char **ret, struct err *err)
{
    const char *why = NULL;

    *ret = ip;
    if (*ip == '[') {
        char *end = strchr(ip, ']');

        if (!end)
            why = "missing ']' in address";
        else if (end[1])
            why = end[1] == ':' ? "too many colons in address" : "missing port in address";
        else
            *end = '\0';
        *ret = ip + 1;
    } else if (strchr(ip, ':')) {
        why = "too many colons in address";
    }
    if (why)
        return err_set(err, ERR_INVALID, "Invalid ip address %s: address %s:: %s", ip, ip, why);
    return **ret && !is_address(*ret) ? err_set(err, ERR_INVALID, "Invalid ip address: %s", *ret) : 0;
}

/* "ip:host:container" into its three parts, inside text; missing ones are "". */
static void split_binding(char *text, char **ip, const char **host, const char **container)
{
    char *last = strrchr(text, ':'), *before;

    *ip = text + strlen(text);
    *host = *ip;
    *container = last ? last + 1 : text;
    if (!last)
        return;
    *last = '\0';
    *host = text;
    before = strrchr(text, ':');
    if (before) {
        *before = '\0';
        *ip = text;
        *host = before + 1;
    }
}

static void add_binding(json_t *config, json_t *host, const char *key, const char *ip, const char *host_port)
{
    json_t *bindings = json_object_get(host, "PortBindings"), *list;

    json_object_set_new(json_object_get(config, "ExposedPorts"), key, json_object());
    list = json_object_get(bindings, key);
    if (!list) {
        list = json_array();
        json_object_set_new(bindings, key, list);
    }
    json_array_append_new(list, json_pack("{s:s, s:s}", "HostIp", ip, "HostPort", host_port));
}

static int publish(const char *option, json_t *config, json_t *host, struct err *err)
{
    _cleanup_free_ char *text = xstrdup(option), *port_text = NULL;
    const char *protocol, *address, *host_text, *container_text;
    struct range container, outside = {0, 0};
    char *ip;
    bool pool;

    split_binding(text, &ip, &host_text, &container_text);
    port_text = xstrdup(container_text);
    protocol = take_protocol(port_text);
    if (take_address(ip, &address, err) < 0)
        return -1;
    if (!*port_text)
        return err_set(err, ERR_INVALID, "No port specified: %s<empty>", option);
    if (parse_range(port_text, &container, NULL) < 0)
        return err_set(err, ERR_INVALID, "Invalid containerPort: %s", port_text);
    if (*host_text && parse_range(host_text, &outside, NULL) < 0)
        return err_set(err, ERR_INVALID, "Invalid hostPort: %s", host_text);
    /* one container port may be published on any port of a range: the daemon picks */
    pool = *host_text && container.first == container.last && outside.first != outside.last;
    if (*host_text && !pool && outside.last - outside.first != container.last - container.first)
        return err_set(err, ERR_INVALID, "Invalid ranges specified for container and host Ports: %s and %s",
                       port_text, host_text);
    if (!is_protocol(protocol))
        return err_set(err, ERR_INVALID, "Invalid proto: %s", protocol);
    for (uint32_t port = container.first; port <= container.last; port++) {
        char key[32], published[32] = "";

        snprintf(key, sizeof(key), "%u/%.4s", port, protocol);
        for (char *c = key; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        if (pool)
            snprintf(published, sizeof(published), "%u-%u", outside.first, outside.last);
        else if (*host_text)
            snprintf(published, sizeof(published), "%u", outside.first + (port - container.first));
        add_binding(config, host, key, address, published);
    }
    return 0;
}

/* "target=80,published=8080,protocol=udp" in the short form; other names mean nothing. The caller frees. */
static char *shorten(const char *option, struct err *err)
{
    static const char *const names[] = {"published", "target", "protocol"};
    const char *values[ARRAY_SIZE(names)] = {"", "", "tcp"};
    _cleanup_strv_ char **fields = strv_split(option, ',');

    for (char **f = fields; *f; f++) {
        char *equals = strchr(*f, '=');

        if (!equals || equals == *f) {
            err_set(err, ERR_INVALID, "invalid publish opts format (should be name=value but got '%s')", *f);
            return NULL;
        }
        *equals = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
            if (str_eq(names[i], *f))
                values[i] = equals + 1;
    }
    return xasprintf("%s:%s/%s", values[0], values[1], values[2]);
}

static int expose(const char *option, json_t *config, struct err *err)
{
    _cleanup_free_ char *text = xstrdup(option);
    const char *protocol = take_protocol(text);
    struct range range;
    struct err why;

    if (strchr(option, ':'))
        return err_set(err, ERR_INVALID, "invalid port format for --expose: %s", option);
    if (parse_range(text, &range, &why) < 0)
        return err_set(err, ERR_INVALID, "invalid range format for --expose: %s, error: %s", option,
                       why.message);
    for (uint32_t port = range.first; port <= range.last; port++) {
        _cleanup_free_ char *key = xasprintf("%u/%s", port, protocol);

        json_object_set_new(json_object_get(config, "ExposedPorts"), key, json_object());
    }
    return 0;
}

int create_ports(const struct args *args, json_t *config, json_t *host, struct err *err)
{
    json_object_set_new(config, "ExposedPorts", json_object());
    json_object_set_new(host, "PortBindings", json_object());
    for (char **p = args_list(args, "publish"); p && *p; p++) {
        _cleanup_free_ char *plain = strchr(*p, '=') ? shorten(*p, err) : xstrdup(*p);

        if (!plain || publish(plain, config, host, err) < 0)
            return -1;
    }
    for (char **p = args_list(args, "expose"); p && *p; p++)
        if (expose(*p, config, err) < 0)
            return -1;
    if (!json_object_size(json_object_get(config, "ExposedPorts")))
        json_object_del(config, "ExposedPorts");
    return 0;
}
