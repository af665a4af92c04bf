/* Published ports. */
#include "engine/published.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/validate.h"

enum { PORTS_MAX = 65536, PORT_LAST = 65535 };

void published_finish(struct published *p)
{
    free(p->ports);
    free(p->last);
    *p = (struct published){0};
}

static void published_add(struct published *l, const char *protocol, uint16_t inside, const char *host_ip,
                          uint16_t first, uint16_t last)
{
    if (l->count >= PORTS_MAX)
        return;
    l->ports = xreallocarray(l->ports, l->count + 1, sizeof(*l->ports));
    l->last = xreallocarray(l->last, l->count + 1, sizeof(*l->last));
    l->last[l->count] = last;
    struct network_port *p = &l->ports[l->count++];
    *p = (struct network_port){.host_port = first, .container_port = inside};
    snprintf(p->protocol, sizeof(p->protocol), "%s", protocol);
    snprintf(p->host_ip, sizeof(p->host_ip), "%s", host_ip);
}

void published_choose(struct published *p, bool ipv4, bool ipv6, const char *host_ip, bool loud)
{
    struct published chosen = {0};

    for (size_t i = 0; i < p->count; i++) {
        const struct network_port *port = &p->ports[i];
        const char *at = *port->host_ip ? port->host_ip : str_empty(host_ip) ? "" : host_ip;
        bool any = !*at, six = strchr(at, ':') != NULL;

        if (any ? ipv4 : loud || (six ? ipv6 : ipv4))
            published_add(&chosen, port->protocol, port->container_port, at, port->host_port, p->last[i]);
        if (any && ipv6)
            published_add(&chosen, port->protocol, port->container_port, "::", port->host_port,
                          ipv4 ? 0 : p->last[i]);
        if (any && ipv4 && ipv6)
            chosen.ports[chosen.count - 1].twin = true;
    }
    published_finish(p);
    *p = chosen;
}

int published_parse_host(const char *text, uint16_t *ret_first, uint16_t *ret_last, struct err *err)
{
    const char *dash = strchr(text, '-');
    _cleanup_free_ char *head = xstrndup(text, dash ? (size_t)(dash - text) : strlen(text));
    uint32_t first = 0, last = 0;
    bool good = !*text || (str_to_u32(head, &first) == 0 && first <= PORT_LAST);
    if (good && dash)
        good = str_to_u32(dash + 1, &last) == 0 && last <= PORT_LAST && first > 0 && last >= first;
    if (!good)
        return err_set(err, ERR_INVALID, "invalid port specification: \"%.64s\"", text);
    *ret_first = (uint16_t)first;
    *ret_last = (uint16_t)(last > first ? last : 0);
    return 0;
}

int published_wanted(const struct container *c, struct published *ret, struct err *err)
{
    const json_t *bindings = json_object_get(c->host_config, "PortBindings"), *binding;
    const char *key;
    json_t *value;
    char protocol[8];
    uint16_t inside, first, last;
    size_t i;
    json_object_foreach ((json_t *)bindings, key, value) {
        if (container_parse_port(key, &inside, protocol, err) < 0)
            return -1;
        json_array_foreach (value, i, binding) {
            if (published_parse_host(json_str_or(binding, "HostPort", ""), &first, &last, err) < 0)
                return -1;
            published_add(ret, protocol, inside, json_str_or(binding, "HostIp", ""), first, last);
        }
    }
    if (!json_bool_or(c->host_config, "PublishAllPorts", false))
        return 0;
    json_object_foreach (json_object_get(c->config, "ExposedPorts"), key, value) {
        if (json_array_size(json_object_get(bindings, key)) > 0)
            continue;
        if (container_parse_port(key, &inside, protocol, err) < 0)
            return -1;
        published_add(ret, protocol, inside, "", 0, 0);
    }
    return 0;
}

/* The port that a refusal is about (network/ports.c has the words); 0: none. */
static unsigned refused_port(const char *message)
{
    static const char host[] = "failed to bind host port for ";
    const char *at = strstr(message, "Bind for "), *end = at ? strstr(at, " failed") : NULL;
    unsigned port = 0;

    if (end) { /* another container has it: "Bind for 0.0.0.0:80 failed" */
        while (end > at && end[-1] >= '0' && end[-1] <= '9')
            end--;
        sscanf(end, "%u", &port);
        return port;
    }
    at = strstr(message, host); /* a program of the host: "[::]:80:[fd00::2]:80/tcp" */
    at = at ? at + strlen(host) : NULL;
    if (at && *at == '[')
        at = strchr(at, ']');
    at = at ? strchr(at, ':') : NULL;
    if (at)
        sscanf(at, ":%u", &port);
    return port;
}

bool published_move_on(struct published *p, const struct err *why)
{
    unsigned refused = why->kind == ERR_CONFLICT ? refused_port(why->message) : 0;

    for (size_t i = 0; refused && i < p->count; i++) {
        if (p->ports[i].host_port == refused && p->last[i] > refused) {
            p->ports[i].host_port++;
            if (i + 1 < p->count && p->ports[i + 1].twin)
                p->ports[i + 1].host_port = p->ports[i].host_port;
            return true;
        }
    }
    return false;
}

json_t *published_to_json(const struct network_endpoint *e)
{
    json_t *list = json_array();
    for (size_t i = 0; i < e->port_count; i++) {
        const struct network_port *p = &e->ports[i];
        json_t *row = json_object();
        json_set_str(row, "Protocol", p->protocol);
        json_set_str(row, "HostIP", p->host_ip);
        json_set_int(row, "HostPort", p->host_port);
        json_set_int(row, "ContainerPort", p->container_port);
        json_array_append_new(list, row);
    }
    return list;
}

void published_from_json(const json_t *list, struct published *ret)
{
    const json_t *row;
    size_t i;
    json_array_foreach (list, i, row) {
        published_add(ret, json_str_or(row, "Protocol", "tcp"),
                      (uint16_t)json_int_or(row, "ContainerPort", 0), json_str_or(row, "HostIP", ""),
                      (uint16_t)json_int_or(row, "HostPort", 0), 0);
    }
}
