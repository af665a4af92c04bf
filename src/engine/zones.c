/* Names of containers, as files. */
#include "engine/zones.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "engine/netfiles.h"
#include "engine/networks.h"
#include "monitor/protocol.h"

#define ZONES "zones"

enum { SHORT_ID = 12, ZONE_MAX = 64 << 20, NAMES_MAX = 1 << 20 };

/* ---- names ---- */

static void add_name(json_t *names, json_t *name)
{
    const json_t *other;
    size_t i;
    json_array_foreach (names, i, other) {
        if (json_equal(other, name)) {
            json_decref(name);
            return;
        }
    }
    json_array_append_new(names, name);
}

json_t *zone_names(const char *id, const char *name, const json_t *config, const json_t *asked)
{
    json_t *names = json_array(), *alias;
    const char *hostname = json_str_or(config, "Hostname", "");
    size_t i;
    add_name(names, json_string(name));
    json_array_foreach (json_object_get(asked, "Aliases"), i, alias)
        add_name(names, json_incref(alias));
    add_name(names, json_stringn(id, SHORT_ID));
    if (*hostname)
        add_name(names, json_string(hostname));
    return names;
}

/* A word of a file: in lower case, without what separates words. False: it can't be one. */
static bool put_word(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return false;
    buf_putc(out, ' ');
    for (const char *p = text; *p; p++)
        buf_putc(out, (char)tolower((unsigned char)*p));
    return *text;
}

char *zone_line(const struct container *c, const char *name, const json_t *asked, const char *ip,
                const char *ip6)
{
    const char *const addresses[] = {ip, ip6};
    _cleanup_json_ json_t *names = zone_names(c->id, name, c->config, asked);
    _cleanup_(buf_finish) struct buf out = BUF_INIT(NAMES_MAX);
    const json_t *word;
    size_t i;
    for (size_t a = 0; a < ARRAY_SIZE(addresses); a++) {
        if (!*addresses[a])
            continue;
        buf_puts(&out, addresses[a]);
        json_array_foreach (names, i, word)
            put_word(&out, json_string_value(word));
        buf_putc(&out, '\n');
    }
    return out.len ? buf_take(&out) : NULL;
}

/* ---- zones ---- */

static char *zone_path(const struct engine *e, const char *network_id)
{
    return network_id ? xasprintf("%s/" ZONES "/%s", e->options.exec_root, network_id)
                      : xasprintf("%s/" ZONES, e->options.exec_root);
}

static void write_zone(struct engine *e, const struct network_entry *n)
{
    _cleanup_free_ char *path = zone_path(e, n->id);
    _cleanup_(buf_finish) struct buf text = BUF_INIT(ZONE_MAX);
    const char *id;
    json_t *line;
    json_object_foreach (n->names, id, line)
        buf_puts(&text, json_string_value(line));
    int r = buf_failed(&text)
                ? text.error
                : file_replace(AT_FDCWD, path, buf_str(&text), text.len, 0600, /* sync= */ false);
    if (r < 0)
        log_warn("network %s: its names can't be written: %s", n->name, strerror(-r));
}

void zones_set(struct engine *e, struct network_entry *n, const char *container_id, const char *line)
{
    if (line)
        json_object_set_new(n->names, container_id, json_string(line));
    else if (json_object_del(n->names, container_id) < 0)
        return;
    if (e->networks->settled)
        write_zone(e, n);
}

void zones_drop(struct engine *e, const char *network_id)
{
    _cleanup_free_ char *path = zone_path(e, network_id);
    unlink(path);
}

static bool is_network(const struct engine *e, const char *id)
{
    for (const struct network_entry *n = e->networks->first; n; n = n->next)
        if (str_eq(n->id, id))
            return true;
    return false;
}

void zones_settle(struct engine *e)
{
    _cleanup_free_ char *path = zone_path(e, NULL);
    struct dirent *entry;
    DIR *dir;
    mkdir(path, 0700);
    pthread_mutex_lock(&e->networks->lock);
    e->networks->settled = true;
    for (const struct network_entry *n = e->networks->first; n; n = n->next)
        if (!networks_is_predefined(n->name))
            write_zone(e, n);
    dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        if (*entry->d_name != '.' && !is_network(e, entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    pthread_mutex_unlock(&e->networks->lock);
}

/* ---- the container's file ---- */

bool zones_served(const json_t *network_config)
{
    const char *name;
    json_t *asked;
    json_object_foreach ((json_t *)network_config, name, asked)
        if (!networks_is_predefined(name) && !str_eq(name, "default"))
            return true;
    return false;
}

/* "container:alias" of the settings, as lines. */
static void put_links(struct buf *out, const json_t *asked)
{
    const json_t *link;
    size_t i;
    json_array_foreach (json_object_get(asked, "Links"), i, link) {
        const char *text = json_string_value(link), *colon = strchr(text, ':');
        _cleanup_free_ char *target = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
        const char *name = *target == '/' ? target + 1 : target;
        _cleanup_(buf_finish) struct buf line = BUF_INIT(4096);
        buf_puts(&line, "link");
        if (put_word(&line, colon ? colon + 1 : name) && put_word(&line, name))
            buf_printf(out, "%s\n", buf_str(&line));
    }
}

static void put_zone(struct container *c, struct buf *out, const json_t *row, bool *ret_outside)
{
    _cleanup_engine_network_ struct engine_network n = {0};
    _cleanup_free_ char *path = NULL;
    size_t before = out->len;
    if (engine_network_find(c->engine, json_str_or(row, "NetworkID", ""), &n, NULL) < 0)
        return;
    *ret_outside = *ret_outside || !n.internal;
    if (networks_is_predefined(n.name))
        return;
    path = zone_path(c->engine, n.id);
    buf_puts(out, "zone");
    if (!put_word(out, n.name)) {
        out->len = before;
        buf_puts(out, "zone -");
    }
    buf_printf(out, " %s\n", path);
    put_links(out, json_object_get(c->network_config, json_str_or(row, "Network", "")));
}

static void put_servers(struct container *c, struct buf *out, bool outside)
{
    _cleanup_json_ json_t *dns = netfiles_setting(c, "Dns"), *options = netfiles_setting(c, "DnsOptions");
    const json_t *value;
    size_t i;
    json_array_foreach (dns, i, value)
        buf_printf(out, "server %s\n", json_string_value(value));
    if (json_array_size(dns) == 0 && outside)
        buf_puts(out, "server host\n");
    json_array_foreach (options, i, value)
        if (str_starts(json_string_value(value), "ndots:") && !str_eq(json_string_value(value), "ndots:0"))
            buf_puts(out, "short-names-end-here\n");
}

int zones_write_container(struct container *c, struct err *err)
{
    _cleanup_free_ char *path = container_run_path(c, MONITOR_NAMES);
    _cleanup_(buf_finish) struct buf out = BUF_INIT(NAMES_MAX);
    const json_t *row, *first = endpoints_gateway(c->endpoints);
    bool outside = false;
    size_t i;
    if (first)
        put_zone(c, &out, first, &outside);
    json_array_foreach (c->endpoints, i, row)
        if (row != first)
            put_zone(c, &out, row, &outside);
    put_servers(c, &out, outside);
    int r = buf_failed(&out) ? out.error
                             : file_replace(AT_FDCWD, path, buf_str(&out), out.len, 0600, /* sync= */ false);
    return r < 0 ? err_errno(err, r, "write %s", path) : 0;
}
