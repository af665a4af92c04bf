/* GET /containers/json: from snapshots, so that no operation can keep it waiting. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/endpoints.h"
#include "engine/images.h"
#include "engine/links.h"
#include "engine/mounts.h"
#include "engine/validate.h"
#include "storage/storage.h"

/* One container while the list is made. */
struct row {
    struct container *c;
    struct container_snapshot s;
};

/* Neighbours in a list often have the same image: the last look-up of a name. */
struct list_memo {
    const char *ref, *id; /* the containers' own, for as long as the list is made */
    bool is_named;
    struct container *const *link_holders;
};

/* ---- ports ---- */

static json_t *port_rows(const struct row *row)
{
    json_t *rows = json_array();
    const json_t *endpoint, *port;
    const char *key;
    json_t *ignored, *shown = endpoints_ports(row->s.config, row->s.endpoints);
    size_t i, j;
    json_array_foreach (row->s.endpoints, i, endpoint)
        json_array_foreach (json_object_get(endpoint, "Ports"), j, port) {
            const char *ip = json_str_or(port, "HostIP", "");
            json_t *p = json_object();
            json_set_str(p, "IP", *ip ? ip : "0.0.0.0");
            json_set_int(p, "PrivatePort", json_int_or(port, "ContainerPort", 0));
            json_set_int(p, "PublicPort", json_int_or(port, "HostPort", 0));
            json_set_str(p, "Type", json_str_or(port, "Protocol", ""));
            json_array_append_new(rows, p);
        }
    json_object_foreach (shown, key, ignored) {
        uint16_t number;
        char protocol[8];
        if (!json_is_null(ignored) || container_parse_port(key, &number, protocol, NULL) < 0)
            continue;
        json_t *p = json_object();
        json_set_int(p, "PrivatePort", number);
        json_set_str(p, "Type", protocol);
        json_array_append_new(rows, p);
    }
    json_decref(shown);
    return rows;
}

/* ---- filters ---- */

struct list_filters {
    const json_t *filters;
    int64_t before, since; /* creation times, 0: none */
};

static bool match_exited(const struct row *row, const json_t *filters)
{
    char code[16];
    if (!filters_has(filters, "exited"))
        return true;
    snprintf(code, sizeof(code), "%d", row->s.state.exit_code);
    return row->s.state.status == CONTAINER_EXITED && filters_match_exact(filters, "exited", code);
}

/* Names count with and without their slash. */
static bool match_name(const struct row *row, const json_t *filters)
{
    _cleanup_free_ char *slashed = xasprintf("/%s", row->s.name);
    return filters_match_text(filters, "name", row->s.name) || filters_match_text(filters, "name", slashed);
}

static bool match_id(const struct row *row, const json_t *filters)
{
    const char *value;
    if (!filters_has(filters, "id"))
        return true;
    for (size_t i = 0; (value = filters_value(filters, "id", i)); i++)
        if (str_starts(row->c->id, value))
            return true;
    return false;
}

static bool match_network(const struct row *row, const json_t *filters)
{
    const char *name;
    json_t *ignored;
    const json_t *endpoint;
    size_t i;
    if (!filters_has(filters, "network"))
        return true;
    json_object_foreach (row->s.network_config, name, ignored) {
        if (filters_match_exact(filters, "network", name))
            return true;
    }
    json_array_foreach (row->s.endpoints, i, endpoint) {
        if (filters_match_exact(filters, "network", json_str(endpoint, "NetworkID")))
            return true;
    }
    return false;
}

static bool match_volume(const struct row *row, const json_t *filters)
{
    const json_t *m;
    size_t i;
    if (!filters_has(filters, "volume"))
        return true;
    json_array_foreach (row->s.mounts, i, m) {
        if (filters_match_exact(filters, "volume", json_str(m, "Name")) ||
            filters_match_exact(filters, "volume", json_str(m, "Destination")))
            return true;
    }
    return false;
}

/* "busybox", "busybox:latest", an image's id or the start of one. */
static bool match_ancestor(const struct row *row, const json_t *filters)
{
    const char *value;
    if (!filters_has(filters, "ancestor"))
        return true;
    for (size_t i = 0; (value = filters_value(filters, "ancestor", i)); i++) {
        const char *hex = str_after(row->c->image_id, "sha256:"), *tag = str_after(row->c->image_ref, value);
        if (str_starts(row->c->image_id, value) || (hex && strlen(value) >= 4 && str_starts(hex, value)) ||
            (tag && (*tag == '\0' || *tag == ':')))
            return true;
        const char *bare = str_after(value, row->c->image_ref);
        if (str_eq(bare, ":latest"))
            return true;
    }
    return false;
}

/* "80", "80/udp", "80-90/tcp" against a port. */
static bool port_in(const char *range, uint16_t port, const char *protocol)
{
    unsigned first = 0, last = 0;
    char wanted[8] = "tcp";
    int n = sscanf(range, "%5u-%5u/%7s", &first, &last, wanted);
    if (n < 2)
        last = sscanf(range, "%5u/%7s", &first, wanted) > 0 ? first : 0;
    return port >= first && port <= last && str_eq(wanted, protocol);
}

/* Ports that are open inside, and ports of the host; what doesn't run has neither. */
static bool match_ports(const json_t *rows, const json_t *filters, const char *key, const char *member)
{
    const char *value;
    const json_t *row;
    size_t j;
    if (!filters_has(filters, key))
        return true;
    for (size_t i = 0; (value = filters_value(filters, key, i)); i++)
        json_array_foreach (rows, j, row)
            if (port_in(value, (uint16_t)json_int_or(row, member, 0), json_str_or(row, "Type", "")))
                return true;
    return false;
}

static bool match_published(const struct row *row, const json_t *filters)
{
    if (!filters_has(filters, "expose") && !filters_has(filters, "publish"))
        return true;
    _cleanup_json_ json_t *rows = port_rows(row);
    return match_ports(rows, filters, "expose", "PrivatePort") &&
           match_ports(rows, filters, "publish", "PublicPort");
}

static bool row_matches(const struct row *row, const struct list_filters *f, bool all)
{
    const json_t *filters = f->filters;
    const char *status =
        row->s.state.status == CONTAINER_CREATED ? "created" : container_status_name(row->s.state.status);
    if (!all && !container_status_runs(row->s.state.status) && !filters_has(filters, "status"))
        return false;
    if ((f->before && row->c->created >= f->before) || (f->since && row->c->created <= f->since))
        return false;
    return filters_match_exact(filters, "status", status) && match_exited(row, filters) &&
           match_name(row, filters) && match_id(row, filters) && match_network(row, filters) &&
           match_volume(row, filters) && match_ancestor(row, filters) && match_published(row, filters) &&
           filters_match_exact(filters, "health", "none") &&
           filters_match_labels(filters, "label", json_object_get(row->s.config, "Labels"));
}

static int check_filters(struct engine *e, const json_t *filters, struct list_filters *ret, struct err *err)
{
    static const char *const allowed[] = {"ancestor",  "before",  "expose", "exited", "health",  "id",
                                          "isolation", "is-task", "label",  "name",   "network", "publish",
                                          "since",     "status",  "volume", NULL};
    static const char *const statuses[] = {"created",  "running", "paused", "restarting",
                                           "removing", "exited",  "dead"};
    const char *value;
    *ret = (struct list_filters){.filters = filters};
    if (filters_check(filters, allowed, err) < 0)
        return -1;
    for (size_t i = 0; (value = filters_value(filters, "status", i)); i++) {
        bool known = false;
        for (size_t j = 0; j < ARRAY_SIZE(statuses); j++)
            known = known || str_eq(statuses[j], value);
        if (!known)
            return err_set(
                err, ERR_INVALID,
                "invalid filter 'status=%.64s': invalid value for state (%.64s): must be one of created, "
                "running, paused, restarting, removing, exited, dead",
                value, value);
    }
    for (size_t i = 0; (value = filters_value(filters, "exited", i)); i++) {
        char *end;
        strtol(value, &end, 10);
        if (!*value || *end)
            return err_set(err, ERR_INVALID, "invalid filter 'exited=%.64s': not a number", value);
    }
    const struct {
        const char *key;
        int64_t *time;
    } relative[] = {{"before", &ret->before}, {"since", &ret->since}};
    for (size_t i = 0; i < ARRAY_SIZE(relative); i++) {
        const char *ref = filters_value(filters, relative[i].key, 0);
        _cleanup_container_ struct container *c = ref ? containers_find(e, ref, err) : NULL;
        if (ref && !c)
            return -1;
        if (c)
            *relative[i].time = c->created;
    }
    return 0;
}

/* ---- rows ---- */

/* The program and its arguments as one text; words with blanks are quoted. */
static char *command_text(const json_t *config)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(1024 * 1024);
    const char *const members[] = {"Entrypoint", "Cmd"};
    const json_t *word;
    size_t i;
    for (size_t m = 0; m < ARRAY_SIZE(members); m++)
        json_array_foreach (json_object_get(config, members[m]), i, word) {
            const char *s = json_string_value(word);
            bool quoted = text.len > 0 && strchr(s, ' ');
            buf_printf(&text, "%s%s%s%s", text.len ? " " : "", quoted ? "'" : "", s, quoted ? "'" : "");
        }
    return xstrdup(buf_str(&text));
}

/* The image as it was named, or its id once the name means another. */
static const char *image_text(struct list_memo *memo, const struct container *c)
{
    if (!str_eq(memo->ref, c->image_ref) || !str_eq(memo->id, c->image_id))
        *memo = (struct list_memo){
            .link_holders = memo->link_holders,
            .ref = c->image_ref,
            .id = c->image_id,
            .is_named = engine_image_is_named(c->engine, c->image_ref, c->image_id),
        };
    return memo->is_named ? c->image_ref : c->image_id;
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The container's own, and those it has as the end of links. */
static json_t *names_json(const struct row *row, struct container *const *link_holders)
{
    _cleanup_strv_ char **names = NULL;
    strv_push_take(&names, xasprintf("/%s", row->s.name));
    links_collect_names(link_holders, row->c->id, &names);
    qsort(names, strv_len(names), sizeof(*names), name_compare);
    return json_from_strv(names);
}

static json_t *row_json(const struct row *row, int64_t now, struct list_memo *memo)
{
    const struct container *c = row->c;
    _cleanup_free_ char *command = command_text(row->s.config);
    _cleanup_free_ char *status = container_status_text(&row->s.state, now);
    json_t *json = json_object(), *labels = json_object_get(row->s.config, "Labels"),
           *networks = json_object();
    json_t *mode = json_object();
    json_set_str(json, "Id", c->id);
    json_object_set_new(json, "Names", names_json(row, memo->link_holders));
    json_set_str(json, "Image", image_text(memo, c));
    json_set_str(json, "ImageID", c->image_id);
    json_set_str(json, "Command", command);
    json_set_int(json, "Created", c->created / CLOCK_NS_PER_S);
    json_object_set_new(json, "Ports", port_rows(row));
    json_object_set_new(json, "Labels", labels ? json_incref(labels) : json_object());
    json_set_str(json, "State", container_status_name(row->s.state.status));
    json_set_str(json, "Status", status);
    json_set_str(mode, "NetworkMode", json_str_or(row->s.host_config, "NetworkMode", "bridge"));
    json_object_set_new(json, "HostConfig", mode);
    json_object_set_new(networks, "Networks", endpoints_networks(c, &row->s));
    json_object_set_new(json, "NetworkSettings", networks);
    json_object_set_new(json, "Mounts", mounts_shown(row->s.mounts));
    return json;
}

static void add_sizes(struct engine *e, const struct container *c, json_t *json)
{
    int64_t own = 0, total = 0;
    container_sizes(e, c, &own, &total);
    if (own > 0)
        json_set_int(json, "SizeRw", own);
    json_set_int(json, "SizeRootFs", total);
}

int engine_container_list(struct engine *e, const struct engine_list_options *o, json_t **ret,
                          struct err *err)
{
    struct list_filters f;
    if (check_filters(e, o->filters, &f, err) < 0)
        return -1;
    int64_t now = clock_now();
    bool all = o->all || o->limit > 0;
    json_t *list = json_array();
    _cleanup_(containers_list_free_p) struct container **containers = containers_list(e, NULL);
    _cleanup_free_ struct container **link_holders = links_holders(containers);
    struct list_memo memo = {.link_holders = link_holders};
    for (struct container **c = containers; *c; c++) {
        struct row row = {.c = *c};
        container_snapshot(*c, &row.s);
        if (row_matches(&row, &f, all)) {
            json_t *json = row_json(&row, now, &memo);
            if (o->size)
                add_sizes(e, *c, json);
            json_array_append_new(list, json);
        }
        container_snapshot_finish(&row.s);
        if (o->limit > 0 && json_array_size(list) >= (size_t)o->limit)
            break;
    }
    *ret = list;
    return 0;
}
