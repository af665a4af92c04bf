/* The three files. They are written in place, not replaced: a running container has the very file mounted. */
#include "engine/netfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/links.h"
#include "engine/zones.h"

enum { FILE_MAX = 1024 * 1024 };

static const char hosts_head[] = "127.0.0.1\tlocalhost\n"
                                 "::1\tlocalhost ip6-localhost ip6-loopback\n"
                                 "fe00::\tip6-localnet\n"
                                 "ff00::\tip6-mcastprefix\n"
                                 "ff02::1\tip6-allnodes\n"
                                 "ff02::2\tip6-allrouters\n";

static int write_file(struct container *c, const char *name, const struct buf *content, int flags,
                      struct err *err)
{
    _cleanup_free_ char *path = container_data_path(c, name);
    if (buf_failed(content))
        return err_set(err, ERR_INVALID, "%s of container %.12s would be too long", name, c->id);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
    int r = fd < 0 ? -errno : fd_write_full(fd, buf_str(content), content->len);
    return r < 0 ? err_errno(err, r, "write %s", path) : 0;
}

/* ---- resolv.conf ---- */

/* The host's resolvers; where the file only names systemd-resolved's stub, the ones behind it. */
static void read_host_resolv(struct buf *text)
{
    static const char behind[] = "/run/systemd/resolve/resolv.conf";
    if (file_read(AT_FDCWD, "/etc/resolv.conf", text) < 0)
        buf_reset(text);
    if (strstr(buf_str(text), "nameserver 127.0.0.53") && access(behind, R_OK) == 0) {
        buf_reset(text);
        if (file_read(AT_FDCWD, behind, text) < 0)
            buf_reset(text);
    }
}

json_t *netfiles_setting(const struct container *c, const char *key)
{
    const struct engine_options *o = &c->engine->options;
    const struct {
        const char *key;
        const char *const *engines;
    } settings[] = {{"Dns", o->dns}, {"DnsSearch", o->dns_search}, {"DnsOptions", o->dns_options}};
    json_t *own = json_object_get(c->host_config, key);
    if (json_array_size(own) > 0)
        return json_incref(own);
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (str_eq(settings[i].key, key) && settings[i].engines)
            return json_from_strv((char *const *)settings[i].engines);
    return NULL;
}

static int compose_resolv(const struct container *c, bool host_network, bool served, struct buf *out)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
    _cleanup_json_ json_t *dns = netfiles_setting(c, "Dns"), *search = netfiles_setting(c, "DnsSearch");
    _cleanup_json_ json_t *options = netfiles_setting(c, "DnsOptions");
    const struct netfiles_resolv r = {.host_network = host_network,
                                      .served = served,
                                      .ipv6 = c->engine->options.ipv6,
                                      .dns = dns,
                                      .search = search,
                                      .options = options};
    read_host_resolv(&text);
    return netfiles_compose_resolv(buf_str(&text), &r, out);
}

static int write_resolv(struct container *c, bool host_network, struct err *err)
{
    _cleanup_(buf_finish) struct buf out = BUF_INIT((size_t)2 * FILE_MAX);
    compose_resolv(c, host_network, !host_network && zones_served(c->network_config), &out);
    return write_file(c, NETFILE_RESOLV, &out, O_TRUNC, err);
}

int netfiles_update_resolv(struct container *c, const json_t *networks_before, struct err *err)
{
    _cleanup_(buf_finish) struct buf now = BUF_INIT((size_t)2 * FILE_MAX),
                                     was = BUF_INIT((size_t)2 * FILE_MAX);
    _cleanup_free_ char *path = container_data_path(c, NETFILE_RESOLV);
    bool served = zones_served(networks_before);
    if (served == zones_served(c->network_config))
        return 0;
    compose_resolv(c, /* host_network= */ false, served, &was);
    if (file_read(AT_FDCWD, path, &now) < 0 || !str_eq(buf_str(&now), buf_str(&was)))
        return 0;
    return write_resolv(c, /* host_network= */ false, err);
}

/* ---- hosts ---- */

const char *netfiles_host_separator(const char *row)
{
    const char *equals = strchr(row, '=');
    return equals ? equals : strchr(row, ':');
}

static int put_extra_hosts(struct container *c, struct buf *out, struct err *err)
{
    const json_t *value;
    size_t i;
    json_array_foreach (json_object_get(c->host_config, "ExtraHosts"), i, value) {
        const char *text = json_string_value(value), *sep = netfiles_host_separator(text);
        if (!sep || sep == text || !sep[1] || strpbrk(text, " \t\n"))
            return err_set(err, ERR_INVALID, "bad format for add-host: \"%.256s\"", text);
        if (!str_eq(sep + 1, "host-gateway")) /* known with the addresses */
            buf_printf(out, "%s\t%.*s\n", sep + 1, (int)(sep - text), text);
    }
    return 0;
}

static int put_hosts(struct container *c, bool host_network, struct buf *out, struct err *err)
{
    if (!host_network || file_read(AT_FDCWD, "/etc/hosts", out) < 0) {
        buf_reset(out);
        buf_puts(out, hosts_head);
    }
    return put_extra_hosts(c, out, err);
}

static int write_hosts(struct container *c, bool host_network, struct err *err)
{
    _cleanup_(buf_finish) struct buf out = BUF_INIT(FILE_MAX);
    if (put_hosts(c, host_network, &out, err) < 0)
        return -1;
    return write_file(c, NETFILE_HOSTS, &out, O_TRUNC, err);
}

static void put_own(const struct container *c, const json_t *endpoint, struct buf *out)
{
    static const char *const members[] = {"IPAddress", "GlobalIPv6Address"};
    const char *hostname = json_str_or(c->config, "Hostname", ""),
               *domain = json_str_or(c->config, "Domainname", "");
    for (size_t i = 0; i < ARRAY_SIZE(members) && *hostname; i++) {
        const char *ip = json_str_or(endpoint, members[i], "");
        if (*ip && *domain)
            buf_printf(out, "%s\t%s.%s %s\n", ip, hostname, domain, hostname);
        else if (*ip && strchr(hostname, '.'))
            buf_printf(out, "%s\t%s %.*s\n", ip, hostname, (int)strcspn(hostname, "."), hostname);
        else if (*ip)
            buf_printf(out, "%s\t%s\n", ip, hostname);
    }
}

/* The lines that are known with the addresses. */
static int put_addresses(struct container *c, const json_t *endpoints, struct buf *out, struct err *err)
{
    _cleanup_(links_free_p) struct links *links = NULL;
    const json_t *endpoint, *value;
    size_t i;
    json_array_foreach (json_object_get(c->host_config, "ExtraHosts"), i, value) {
        const char *text = json_string_value(value), *sep = netfiles_host_separator(text);
        const json_t *first = json_array_get(endpoints, 0);
        const char *gateway = json_str_or(first, "Gateway", "");
        if (!*gateway)
            gateway = json_str_or(first, "IPv6Gateway", "");
        if (sep && str_eq(sep + 1, "host-gateway") && *gateway)
            buf_printf(out, "%s\t%.*s\n", gateway, (int)(sep - text), text);
    }
    if (links_resolve(c, &links, err) < 0)
        return -1;
    links_put_hosts(links, out);
    json_array_foreach (endpoints, i, endpoint)
        put_own(c, endpoint, out);
    return 0;
}

int netfiles_add_addresses(struct container *c, const json_t *endpoints, struct err *err)
{
    _cleanup_(buf_finish) struct buf out = BUF_INIT(FILE_MAX);
    if (put_addresses(c, endpoints, &out, err) < 0)
        return -1;
    return out.len ? write_file(c, NETFILE_HOSTS, &out, O_APPEND, err) : 0;
}

int netfiles_add_address(struct container *c, const json_t *endpoint, struct err *err)
{
    _cleanup_(buf_finish) struct buf out = BUF_INIT(4096);
    put_own(c, endpoint, &out);
    return out.len ? write_file(c, NETFILE_HOSTS, &out, O_APPEND, err) : 0;
}

int netfiles_rewrite_hosts(struct container *c, struct err *err)
{
    _cleanup_(buf_finish) struct buf out = BUF_INIT(FILE_MAX);
    _cleanup_snapshot_ struct container_snapshot s = {0};
    container_snapshot(c, &s);
    if (put_hosts(c, /* host_network= */ false, &out, err) < 0 ||
        put_addresses(c, s.endpoints, &out, err) < 0)
        return -1;
    return write_file(c, NETFILE_HOSTS, &out, O_TRUNC, err);
}

int netfiles_remove_address(struct container *c, const char *address, struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(FILE_MAX), out = BUF_INIT(FILE_MAX);
    _cleanup_free_ char *path = container_data_path(c, NETFILE_HOSTS);
    size_t len = strlen(address);
    if (file_read(AT_FDCWD, path, &text) < 0) /* the container's affair by now */
        return 0;
    for (const char *line = buf_str(&text); *line;) {
        size_t n = strcspn(line, "\n");
        n += line[n] == '\n';
        if (strncmp(line, address, len) != 0 || line[len] != '\t')
            buf_append(&out, line, n);
        line += n;
    }
    return write_file(c, NETFILE_HOSTS, &out, O_TRUNC, err);
}

int netfiles_write(struct container *c, bool host_network, struct err *err)
{
    _cleanup_(buf_finish) struct buf hostname = BUF_INIT(4096);
    buf_printf(&hostname, "%s\n", json_str_or(c->config, "Hostname", ""));
    if (write_file(c, NETFILE_HOSTNAME, &hostname, O_TRUNC, err) < 0 || write_hosts(c, host_network, err) < 0)
        return -1;
    return write_resolv(c, host_network, err);
}
