/* Links on the default bridge. */
#include "engine/links.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/netfiles.h"

enum { PORTS_MAX = 4096 };

struct linked {
    char *alias, *name;
    struct container_snapshot other;
    const char *ip; /* other's */
};

struct links {
    struct linked *rows;
    size_t count;
};

/* ---- the text ---- */

void link_finish(struct link *l)
{
    free(l->target);
    free(l->alias);
}

int link_parse(const char *text, struct link *ret, struct err *err)
{
    if (!*text)
        return err_set(err, ERR_INVALID, "empty string specified for links");
    _cleanup_strv_ char **parts = strv_split(text, ':');
    if (strv_len(parts) > 2)
        return err_set(err, ERR_INVALID, "bad format for links: %.256s", text);
    const char *target = parts[0], *alias = parts[1] ? parts[1] : target;
    if (*target == '/') {
        const char *slash = strrchr(alias, '/');
        target++;
        alias = slash ? slash + 1 : alias;
    }
    if (!*target || !*alias || strpbrk(alias, " \t\r\n"))
        return err_set(err, ERR_INVALID, "bad format for links: %.256s", text);
    *ret = (struct link){.target = xstrdup(target), .alias = xstrdup(alias)};
    return 0;
}

/* Whether the links are ours to carry out. */
static bool is_on_default(const json_t *host_config)
{
    const char *mode = json_str_or(host_config, "NetworkMode", "bridge");
    return str_eq(mode, "bridge") || str_eq(mode, "default") || str_eq(mode, "none");
}

static const json_t *own_links(const json_t *host_config)
{
    return is_on_default(host_config) ? json_object_get(host_config, "Links") : NULL;
}

/* ---- create ---- */

/* Whom the text means; one that lives in another's network namespace stands for that one. */
static struct container *find_target(struct engine *e, const char *target, struct err *err)
{
    struct err why = {0};
    struct container *c = containers_find(e, target, &why);
    for (int depth = 0; c && depth < 8; depth++) {
        _cleanup_json_ json_t *host = container_host_config(c);
        const char *mode = json_str_or(host, "NetworkMode", ""), *other = str_after(mode, "container:");
        if (str_eq(mode, "host")) {
            container_unref(c);
            err_set(err, ERR_INVALID,
                    "conflicting options: host type networking can't be used with links. This would result "
                    "in undefined behavior");
            return NULL;
        }
        if (!other)
            return c;
        struct container *next = containers_find(e, other, &why);
        container_unref(c);
        c = next;
    }
    container_unref(c);
    err_set(err, ERR_INVALID, "could not get container for %.128s: %s", target, why.message);
    return NULL;
}

int links_settle(struct engine *e, json_t *host_config, struct err *err)
{
    const json_t *given = own_links(host_config), *row;
    size_t i;
    if (json_array_size(given) == 0)
        return 0;
    _cleanup_json_ json_t *by_alias = json_object(), *kept = json_array();
    json_array_foreach (given, i, row) {
        _cleanup_link_ struct link link = {0};
        if (link_parse(json_string_value(row), &link, err) < 0)
            return -1;
        _cleanup_container_ struct container *target = find_target(e, link.target, err);
        if (!target)
            return -1;
        json_set_str(by_alias, link.alias, target->id);
    }
    const char *alias;
    json_t *id;
    json_object_foreach (by_alias, alias, id) {
        _cleanup_free_ char *text = xasprintf("%s:%s", json_string_value(id), alias);
        json_array_append_new(kept, json_string(text));
    }
    json_object_set(host_config, "Links", kept);
    return 0;
}

json_t *links_shown(struct engine *e, const char *name, const json_t *host_config)
{
    const json_t *links = own_links(host_config), *row;
    size_t i;
    if (json_array_size(links) == 0)
        return NULL;
    json_t *shown = json_array();
    json_array_foreach (links, i, row) {
        _cleanup_link_ struct link link = {0};
        if (link_parse(json_string_value(row), &link, NULL) < 0)
            continue;
        _cleanup_container_ struct container *other = containers_find(e, link.target, NULL);
        if (!other)
            continue; /* it was removed, and the link with it */
        _cleanup_snapshot_ struct container_snapshot s = {0};
        container_snapshot(other, &s);
        _cleanup_free_ char *text = xasprintf("/%s:/%s/%s", s.name, name, link.alias);
        json_array_append_new(shown, json_string(text));
    }
    if (json_array_size(shown) > 0)
        return shown;
    json_decref(shown);
    return json_null();
}

/* ---- start ---- */

static const char *bridge_address(const struct container_snapshot *s)
{
    const json_t *endpoint;
    size_t i;
    json_array_foreach (s->endpoints, i, endpoint)
        if (str_eq(json_str(endpoint, "Network"), "bridge"))
            return json_str_or(endpoint, "IPAddress", "");
    return "";
}

static int resolve_one(struct container *c, const char *text, struct links *l, struct err *err)
{
    _cleanup_link_ struct link link = {0};
    if (link_parse(text, &link, err) < 0)
        return -1;
    _cleanup_container_ struct container *other = containers_find(c->engine, link.target, NULL);
    if (!other)
        return 0;
    struct linked *row = &l->rows[l->count++];
    container_snapshot(other, &row->other);
    row->alias = take_ptr(&link.alias);
    row->ip = bridge_address(&row->other);
    if (!container_status_runs(row->other.state.status))
        return err_set(err, ERR_CONFLICT, "Cannot link to a non running container: /%s AS /%s/%s",
                       row->other.name, c->name, row->alias);
    if (!*row->ip)
        return err_set(err, ERR_CONFLICT, "container %s not attached to default bridge network",
                       row->other.name);
    return 0;
}

int links_resolve(struct container *c, struct links **ret, struct err *err)
{
    *ret = NULL;
    _cleanup_json_ json_t *host_config = container_host_config(c);
    const json_t *given = own_links(host_config), *row;
    size_t i;
    if (json_array_size(given) == 0 || str_eq(json_str(host_config, "NetworkMode"), "none"))
        return 0;
    _cleanup_(links_free_p) struct links *l = xcalloc(1, sizeof(*l));
    l->rows = xcalloc(json_array_size(given), sizeof(*l->rows));
    json_array_foreach (given, i, row) {
        if (resolve_one(c, json_string_value(row), l, err) < 0)
            return -1;
    }
    *ret = take_ptr(&l);
    return 0;
}

struct links *links_free(struct links *l)
{
    if (!l)
        return NULL;
    for (size_t i = 0; i < l->count; i++) {
        container_snapshot_finish(&l->rows[i].other);
        free(l->rows[i].alias);
    }
    free(l->rows);
    free(l);
    return NULL;
}

void links_put_hosts(const struct links *l, struct buf *out)
{
    for (size_t i = 0; l && i < l->count; i++) {
        const struct linked *row = &l->rows[i];
        const char *name = str_eq(row->alias, row->other.name) ? "" : row->other.name;
        buf_printf(out, "%s\t%s %s%s%s\n", row->ip, row->alias,
                   json_str_or(row->other.config, "Hostname", ""), *name ? " " : "", name);
    }
}

/* ---- variables ---- */

struct port {
    unsigned number;
    char protocol[8];
};

/* TCP first, then by number. */
static int port_compare(const void *a, const void *b)
{
    const struct port *x = a, *y = b;
    bool x_tcp = str_eq(x->protocol, "tcp"), y_tcp = str_eq(y->protocol, "tcp");
    if (x_tcp != y_tcp)
        return x_tcp ? -1 : 1;
    int r = strcmp(x->protocol, y->protocol);
    return r ? r : (int)x->number - (int)y->number;
}

static size_t exposed_ports(const json_t *config, struct port **ret)
{
    const json_t *exposed = json_object_get(config, "ExposedPorts");
    struct port *ports = xcalloc(json_object_size(exposed) + 1, sizeof(*ports));
    const char *key;
    json_t *ignored;
    size_t n = 0;
    json_object_foreach ((json_t *)exposed, key, ignored) {
        struct port *p = &ports[n];
        if (n < PORTS_MAX && sscanf(key, "%5u/%7s", &p->number, p->protocol) == 2)
            n++;
    }
    qsort(ports, n, sizeof(*ports), port_compare);
    *ret = ports;
    return n;
}

static void put(json_t *env, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(json_t *env, const char *format, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, format);
    if (vasprintf(&text, format, ap) >= 0)
        json_array_append_new(env, json_string_lossy(text, strlen(text)));
    va_end(ap);
    free(text);
}

static void put_port(json_t *env, const char *prefix, const char *ip, const struct port *p)
{
    char key[32];
    snprintf(key, sizeof(key), "%u_%s", p->number, p->protocol);
    for (char *c = key; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    put(env, "%s_PORT_%s=%s://%s:%u", prefix, key, p->protocol, ip, p->number);
    put(env, "%s_PORT_%s_ADDR=%s", prefix, key, ip);
    put(env, "%s_PORT_%s_PORT=%u", prefix, key, p->number);
    put(env, "%s_PORT_%s_PROTO=%s", prefix, key, p->protocol);
}

/* What belongs to a range of ports hangs on the first of it. */
static void put_range(json_t *env, const char *prefix, const char *ip, const struct port *first,
                      const struct port *last)
{
    char key[32];
    snprintf(key, sizeof(key), "%u_%s", first->number, first->protocol);
    for (char *c = key; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    put(env, "%s_PORT_%s_START=%s://%s:%u", prefix, key, first->protocol, ip, first->number);
    put(env, "%s_PORT_%s_PORT_START=%u", prefix, key, first->number);
    put(env, "%s_PORT_%s_END=%s://%s:%u", prefix, key, first->protocol, ip, last->number);
    put(env, "%s_PORT_%s_PORT_END=%u", prefix, key, last->number);
}

static void put_ports(json_t *env, const char *prefix, const struct linked *row)
{
    _cleanup_free_ struct port *ports = NULL;
    size_t n = exposed_ports(row->other.config, &ports);
    if (n > 0)
        put(env, "%s_PORT=%s://%s:%u", prefix, ports[0].protocol, row->ip, ports[0].number);
    for (size_t i = 0, last; i < n; i = last + 1) {
        for (last = i; last + 1 < n && ports[last + 1].number == ports[last].number + 1 &&
                       str_eq(ports[last + 1].protocol, ports[i].protocol);)
            last++;
        if (last > i)
            put_range(env, prefix, row->ip, &ports[i], &ports[last]);
        for (size_t j = i; j <= last; j++)
            put_port(env, prefix, row->ip, &ports[j]);
    }
}

static void put_linked(json_t *env, const char *name, const struct linked *row)
{
    _cleanup_free_ char *prefix = xstrdup(row->alias);
    const json_t *variable;
    size_t i;
    for (char *c = prefix; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    put_ports(env, prefix, row);
    put(env, "%s_NAME=/%s/%s", prefix, name, row->alias);
    json_array_foreach (json_object_get(row->other.config, "Env"), i, variable) {
        const char *text = json_string_value(variable);
        if (strchr(text, '=') && !str_starts(text, "HOME=") && !str_starts(text, "PATH="))
            put(env, "%s_ENV_%s", prefix, text);
    }
}

json_t *links_environment(const struct links *l, const char *name)
{
    json_t *env = json_array();
    for (size_t i = 0; l && i < l->count; i++)
        put_linked(env, name, &l->rows[i]);
    return env;
}

/* ---- names, news, removal ---- */

/* Calls fn for each link to `id`. */
static void each_link_to(struct container *const *all, const char *id,
                         void (*fn)(void *arg, struct container *from, const char *alias), void *arg)
{
    for (; *all; all++) {
        _cleanup_json_ json_t *host_config = container_host_config(*all);
        const json_t *row;
        size_t i;
        json_array_foreach (own_links(host_config), i, row) {
            const char *alias = str_after(json_string_value(row), id);
            if (alias && *alias == ':')
                fn(arg, *all, alias + 1);
        }
    }
}

struct container **links_holders(struct container *const *all)
{
    size_t n = 0, count = 0;
    while (all[count])
        count++;
    struct container **holders = xcalloc(count + 1, sizeof(struct container *));
    for (; *all; all++) {
        _cleanup_json_ json_t *host_config = container_host_config(*all);
        if (json_array_size(own_links(host_config)) > 0)
            holders[n++] = *all;
    }
    return holders;
}

static void append_name(void *arg, struct container *from, const char *alias)
{
    _cleanup_snapshot_ struct container_snapshot s = {0};
    container_snapshot(from, &s);
    strv_push_take(arg, xasprintf("/%s/%s", s.name, alias));
}

void links_collect_names(struct container *const *holders, const char *id, char ***names)
{
    each_link_to(holders, id, append_name, names);
}

static void rewrite_hosts(void *arg _unused_, struct container *from, const char *alias _unused_)
{
    struct err why = {0};
    pthread_mutex_lock(&from->lock);
    bool runs = container_status_runs(from->state.status);
    pthread_mutex_unlock(&from->lock);
    if (runs && netfiles_rewrite_hosts(from, &why) < 0)
        log_warn("container %.12s: %s", from->id, why.message);
}

void links_announce(struct container *c)
{
    _cleanup_(containers_list_free_p) struct container **all = containers_list(c->engine, NULL);
    each_link_to(all, c->id, rewrite_hosts, NULL);
}

/* Takes the link out and keeps the record. */
static int remove_locked(struct container *c, const char *alias, struct err *err)
{
    _cleanup_json_ json_t *now = container_host_config(c), *changed = json_copy(now), *kept = json_array();
    json_t *row;
    size_t i;
    json_array_foreach (own_links(now), i, row) {
        const char *colon = strchr(json_string_value(row), ':');
        if (!colon || !str_eq(colon + 1, alias))
            json_array_append(kept, row);
    }
    if (json_array_size(kept) == json_array_size(own_links(now)))
        return err_set(err, ERR_NOT_FOUND, "No such container: %s/%s", c->name, alias);
    json_object_set(changed, "Links", kept);
    pthread_mutex_lock(&c->lock);
    json_t *old = c->host_config;
    c->host_config = json_incref(changed);
    pthread_mutex_unlock(&c->lock);
    json_decref(old);
    return container_keep(c, err);
}

int links_remove(struct engine *e, const char *path, struct err *err)
{
    path += *path == '/';
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path || !slash[1])
        return err_set(err, ERR_CONFLICT, "Conflict, cannot remove the default link name of the container");
    _cleanup_free_ char *parent = xstrndup(path, (size_t)(slash - path));
    _cleanup_container_ struct container *c = containers_find(e, parent, err);
    if (!c)
        return err_wrap(err, "Cannot get parent %s for link name %s", parent, path);
    pthread_mutex_lock(&c->operation);
    int r = remove_locked(c, slash + 1, err);
    pthread_mutex_unlock(&c->operation);
    return r;
}
