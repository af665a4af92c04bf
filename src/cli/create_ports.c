/* -p [ip:][host:]container[/proto], each port also a range. */
#include <arpa/inet.h>
#include <string.h>

#include "base/str.h"
#include "cli/create.h"

struct range {
    uint32_t first, last;
};

static int parse_range(const char *text, struct range *ret)
{
    _cleanup_strv_ char **ends = strv_split(text, '-');

    if (strv_len(ends) > 2 || str_to_u32(ends[0], &ret->first) < 0)
        return -1;
    ret->last = ret->first;
    if (ends[1] && str_to_u32(ends[1], &ret->last) < 0)
        return -1;
    return ret->first > 65535 || ret->last > 65535 || ret->last < ret->first ? -1 : 0;
}

static const char *check_protocol(const char *protocol)
{
    static const char *const known[] = {"tcp", "udp", "sctp"};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strcasecmp(protocol, known[i]) == 0)
            return known[i];
    return NULL;
}

/* Cuts "/proto" off; "tcp" when there is none. NULL if unknown. */
static const char *take_protocol(char *text)
{
    char *slash = strrchr(text, '/');

    if (!slash)
        return "tcp";
    *slash = '\0';
    return check_protocol(slash + 1);
}

static bool is_address(const char *text)
{
    unsigned char ignored[16];

    return inet_pton(AF_INET, text, ignored) == 1 || inet_pton(AF_INET6, text, ignored) == 1;
}

/* "ip:host:container" into its three parts, inside text; missing ones are "". */
static int split_binding(char *text, const char **ip, const char **host, const char **container,
                         struct err *err)
{
    char *last = strrchr(text, ':'), *before;

    *ip = *host = "";
    *container = last ? last + 1 : text;
    if (!last)
        return 0;
    *last = '\0';
    *host = text;
    before = text[0] == '[' ? strchr(text, ']') : NULL;
    if (before) {
        *before = '\0';
        *ip = text + 1;
        *host = before[1] == ':' ? before + 2 : "";
    } else if ((before = strrchr(text, ':'))) {
        *before = '\0';
        *ip = text;
        *host = before + 1;
    }
    if (**ip && !is_address(*ip))
        return err_set(err, ERR_INVALID, "invalid IP address: %s", *ip);
    return 0;
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
    _cleanup_free_ char *text = xstrdup(option);
    const char *protocol = take_protocol(text), *ip, *host_text, *container_text;
    struct range container, outside = {0, 0};
    bool pool;

    if (!protocol)
        return err_set(err, ERR_INVALID, "Invalid proto: %s", strrchr(option, '/') + 1);
    if (split_binding(text, &ip, &host_text, &container_text, err) < 0)
        return -1;
    if (!*container_text)
        return err_set(err, ERR_INVALID, "No port specified: %s<empty>", option);
    if (parse_range(container_text, &container) < 0)
        return err_set(err, ERR_INVALID, "Invalid containerPort: %s", container_text);
    if (*host_text && parse_range(host_text, &outside) < 0)
        return err_set(err, ERR_INVALID, "Invalid hostPort: %s", host_text);
    /* one container port may be published on any port of a range: the daemon picks */
    pool = *host_text && container.first == container.last && outside.first != outside.last;
    if (*host_text && !pool && outside.last - outside.first != container.last - container.first)
        return err_set(err, ERR_INVALID, "Invalid ranges specified for container and host Ports: %s and %s",
                       container_text, host_text);
    for (uint32_t port = container.first; port <= container.last; port++) {
        char key[32], published[32] = "";

        snprintf(key, sizeof(key), "%u/%s", port, protocol);
        if (pool)
            snprintf(published, sizeof(published), "%u-%u", outside.first, outside.last);
        else if (*host_text)
            snprintf(published, sizeof(published), "%u", outside.first + (port - container.first));
        add_binding(config, host, key, ip, published);
    }
    return 0;
}

static int expose(const char *option, json_t *config, struct err *err)
{
    _cleanup_free_ char *text = xstrdup(option);
    const char *protocol = strchr(text, ':') ? NULL : take_protocol(text);
    struct range range;

    if (strchr(option, ':'))
        return err_set(err, ERR_INVALID, "invalid port format for --expose: %s", option);
    if (!protocol || parse_range(text, &range) < 0)
        return err_set(err, ERR_INVALID, "invalid range format for --expose: %s", option);
    for (uint32_t port = range.first; port <= range.last; port++) {
        char key[32];

        snprintf(key, sizeof(key), "%u/%s", port, protocol);
        json_object_set_new(json_object_get(config, "ExposedPorts"), key, json_object());
    }
    return 0;
}

int create_ports(const struct args *args, json_t *config, json_t *host, struct err *err)
{
    json_object_set_new(config, "ExposedPorts", json_object());
    json_object_set_new(host, "PortBindings", json_object());
    for (char **p = args_list(args, "publish"); p && *p; p++)
        if (publish(*p, config, host, err) < 0)
            return -1;
    for (char **p = args_list(args, "expose"); p && *p; p++)
        if (expose(*p, config, err) < 0)
            return -1;
    if (!json_object_size(json_object_get(config, "ExposedPorts")))
        json_object_del(config, "ExposedPorts");
    return 0;
}
