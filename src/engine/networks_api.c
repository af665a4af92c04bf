/* Networks as the API sees them: create, remove, list, inspect, prune. */
#include <arpa/inet.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/networks_internal.h"
#include "engine/zones.h"

static void networks_event(struct engine *e, const struct network_entry *n, const char *action)
{
    _cleanup_json_ json_t *attributes = json_pack("{s:s, s:s}", "name", n->name, "type", n->driver);

    events_add(e->events, "network", action, n->id, attributes);
}

/* ---- create ---- */

static json_t *networks_copy_object(const json_t *body, const char *key)
{
    const json_t *object = json_object_get(body, key);

    return json_is_object(object) ? json_deep_copy(object) : NULL;
}

/* The members of IPAM.Config that say something, as a new array; NULL when nothing was asked for. */
static json_t *networks_asked_config(const json_t *body)
{
    static const char *const members[] = {"Subnet", "IPRange", "Gateway"};
    json_t *rows = json_array(), *asked;
    size_t i;

    json_array_foreach (json_at(body, "IPAM.Config"), i, asked) {
        json_t *config = json_object();

        for (size_t j = 0; j < ARRAY_SIZE(members); j++)
            if (!str_empty(json_str(asked, members[j])))
                json_set_str(config, members[j], json_str(asked, members[j]));
        if (json_object_size(json_object_get(asked, "AuxiliaryAddresses")))
            json_object_set_new(config, "AuxiliaryAddresses",
                                networks_copy_object(asked, "AuxiliaryAddresses"));
        if (json_object_size(config))
            json_array_append(rows, config);
        json_decref(config);
    }
    if (json_array_size(rows))
        return rows;
    json_decref(rows);
    return NULL;
}

bool networks_wants(const json_t *body, const char *member, const char *option, bool otherwise)
{
    const char *text = json_str(json_object_get(body, "Options"), option);
    bool by_option = otherwise;

    if (text)
        str_to_bool(text, &by_option);
    return json_bool_or(body, member, by_option);
}

/* With the lock held: an entry of the table whose bridge is up and whose row is kept, or NULL. */
static struct network_entry *networks_make(struct engine *e, const json_t *body, const char *driver,
                                           struct err *err)
{
    json_t *config = networks_asked_config(body), *row;
    struct network_entry *n;
    char id[65];

    random_hex(id, 32);
    row = networks_document(id, json_str(body, "Name"), driver, config, networks_copy_object(body, "Options"),
                            networks_copy_object(body, "Labels"));
    json_object_set_new((json_t *)json_at(row, "IPAM"), "Options",
                        json_is_object(json_at(body, "IPAM.Options")) ? json_object() : json_null());
    json_set_bool(row, "EnableIPv4", networks_wants(body, "EnableIPv4", NETWORKS_OPTION_IPV4, true));
    json_set_bool(row, "EnableIPv6", networks_wants(body, "EnableIPv6", NETWORKS_OPTION_IPV6, false));
    json_set_bool(row, "Internal", json_bool_or(body, "Internal", false));
    json_set_bool(row, "Attachable", json_bool_or(body, "Attachable", false));
    n = networks_add(e, id, row);
    json_decref(row);
    n->network = networks_bring_up(e, n, json_at(n->row, "IPAM.Config"), err);
    if (n->network) {
        networks_note_choice(n);
        networks_show_choice(n);
        if (db_insert(e->db, DB_NETWORKS, id, n->name, n->row, DB_SYNCED, err) == 0)
            return n;
        network_remove(n->network, NULL);
    }
    networks_drop(e, n);
    return NULL;
}

int engine_network_create(struct engine *e, const json_t *body, json_t **ret, struct err *err)
{
    const char *driver = json_str_or(body, "Driver", "");
    struct network_entry *n = NULL;

    if (!*driver)
        driver = "bridge";
    pthread_mutex_lock(&e->networks->lock);
    if (networks_check(e, body, driver, err) == 0)
        n = networks_make(e, body, driver, err);
    if (n) {
        networks_event(e, n, "create");
        *ret = json_pack("{s:s, s:s}", "Id", n->id, "Warning", "");
    }
    pthread_mutex_unlock(&e->networks->lock);
    return n ? 0 : -1;
}

/* ---- remove ---- */

static int networks_check_unused(const struct network_entry *n, struct err *err)
{
    _cleanup_(buf_finish) struct buf users = BUF_INIT(1 << 20);
    const char *container;
    json_t *endpoint;

    json_object_foreach (n->containers, container, endpoint)
        buf_printf(&users, "%sname:\"%s\" id:\"%.12s\"", users.len ? ", " : "",
                   json_str_or(endpoint, "Name", ""), json_str_or(endpoint, "EndpointID", ""));
    if (users.len)
        return err_set(err, ERR_FORBIDDEN,
                       "error while removing network: network %s has active endpoints (%s)", n->name,
                       buf_str(&users));
    if (n->references)
        return err_set(err, ERR_CONFLICT,
                       "error while removing network: a container is being connected to network %s", n->name);
    return 0;
}

/* With the lock held. The row goes last: a bridge that couldn't be removed is still known. */
static int networks_remove(struct engine *e, struct network_entry *n, struct err *err)
{
    if (networks_check_unused(n, err) < 0)
        return -1;
    if (n->network && network_remove(n->network, err) < 0)
        return -1;
    n->network = NULL;
    if (db_delete(e->db, DB_NETWORKS, n->id, DB_SYNCED, err) < 0)
        return -1;
    networks_event(e, n, "destroy");
    zones_drop(e, n->id);
    networks_drop(e, n);
    return 0;
}

int engine_network_remove(struct engine *e, const char *ref, struct err *err)
{
    struct network_entry *n;
    int r = -1;

    pthread_mutex_lock(&e->networks->lock);
    n = networks_lookup(e, ref, err);
    if (n && networks_is_predefined(n->name))
        err_set(err, ERR_FORBIDDEN, "%s is a pre-defined network and cannot be removed", n->name);
    else if (n)
        r = networks_remove(e, n, err);
    pthread_mutex_unlock(&e->networks->lock);
    return r;
}

/* ---- list, inspect ---- */

static json_t *networks_json(const struct network_entry *n, bool with_containers)
{
    json_t *json = json_copy(n->row);

    json_object_del(json, "Chosen");
    json_object_del(json, "Own");
    if (with_containers)
        json_object_set(json, "Containers", n->containers);
    return json;
}

struct networks_use {
    const char *id, *name;
};

static int networks_find_use(void *arg, const struct container_brief *c)
{
    const struct networks_use *use = arg;
    const char *name;
    json_t *settings;

    json_object_foreach ((json_t *)c->networks, name, settings)
        if (str_eq(name, use->name) || str_eq(name, use->id) ||
            str_eq(json_str(settings, "NetworkID"), use->id))
            return 1;
    return 0;
}

/* No container, running or not, wants it. */
static bool networks_is_dangling(struct engine *e, const struct network_entry *n)
{
    struct networks_use use = {.id = n->id, .name = n->name};

    return !networks_is_predefined(n->name) && engine_containers_each(e, networks_find_use, &use) == 0;
}

static bool networks_match(struct engine *e, const struct network_entry *n, const json_t *filters,
                           const bool *dangling)
{
    return filters_match_exact(filters, "driver", n->driver) && filters_match_text(filters, "id", n->id) &&
           filters_match_text(filters, "name", n->name) && filters_match_exact(filters, "scope", "local") &&
           filters_match_exact(filters, "type", networks_is_predefined(n->name) ? "builtin" : "custom") &&
           filters_match_labels(filters, "label", json_object_get(n->row, "Labels")) &&
           (!dangling || networks_is_dangling(e, n) == *dangling);
}

static int networks_check_type(const json_t *filters, struct err *err)
{
    const char *type;

    for (size_t i = 0; (type = filters_value(filters, "type", i)); i++)
        if (!str_eq(type, "builtin") && !str_eq(type, "custom"))
            return err_set(err, ERR_INVALID, "invalid filter: 'type'='%s'", type);
    return 0;
}

int engine_network_list(struct engine *e, const json_t *filters, json_t **ret, struct err *err)
{
    static const char *const allowed[] = {"dangling", "driver", "id", "label", "name", "scope", "type", NULL};
    json_t *list;
    bool dangling;

    if (filters_check(filters, allowed, err) < 0 ||
        filters_bool(filters, "dangling", false, &dangling, err) < 0 || networks_check_type(filters, err) < 0)
        return -1;
    list = json_array();
    pthread_mutex_lock(&e->networks->lock);
    for (const struct network_entry *n = e->networks->first; n; n = n->next)
        if (networks_match(e, n, filters, filters_has(filters, "dangling") ? &dangling : NULL))
            json_array_append_new(list, networks_json(n, /* with_containers= */ false));
    pthread_mutex_unlock(&e->networks->lock);
    *ret = list;
    return 0;
}

int engine_network_inspect(struct engine *e, const char *ref, json_t **ret, struct err *err)
{
    const struct network_entry *n;

    pthread_mutex_lock(&e->networks->lock);
    n = networks_lookup(e, ref, err);
    if (n)
        *ret = networks_json(n, /* with_containers= */ true);
    pthread_mutex_unlock(&e->networks->lock);
    return n ? 0 : -1;
}

/* ---- prune ---- */

static bool networks_prunes(struct engine *e, const struct network_entry *n, const json_t *filters,
                            int64_t until)
{
    const json_t *labels = json_object_get(n->row, "Labels");
    int64_t created = 0;

    clock_parse(json_str_or(n->row, "Created", ""), &created);
    return networks_is_dangling(e, n) && !n->references && json_object_size(n->containers) == 0 &&
           !(until && created >= until) && filters_match_labels(filters, "label", labels) &&
           !(filters_has(filters, "label!") && filters_match_labels(filters, "label!", labels));
}

int engine_network_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err)
{
    static const char *const allowed[] = {"label", "label!", "until", NULL};
    struct network_entry *next;
    json_t *deleted;
    int64_t limit;
    bool until;

    if (filters_check(filters, allowed, err) < 0 || filters_time(filters, "until", &until, &limit, err) < 0)
        return -1;
    deleted = json_array();
    pthread_mutex_lock(&e->networks->lock);
    for (struct network_entry *n = e->networks->first; n; n = next) {
        _cleanup_free_ char *name = xstrdup(n->name);

        next = n->next;
        if (networks_prunes(e, n, filters, limit) && networks_remove(e, n, NULL) == 0)
            json_array_append_new(deleted, json_string_lossy(name, strlen(name)));
    }
    pthread_mutex_unlock(&e->networks->lock);
    *ret =
        json_pack("{s:o}", "NetworksDeleted", json_array_size(deleted) ? json_incref(deleted) : json_null());
    json_decref(deleted);
    events_add_prune(e->events, "network", 0);
    return 0;
}
