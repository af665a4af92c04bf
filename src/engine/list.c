/* GET /containers/json: from snapshots, so that no operation can keep it waiting. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/links.h"
#include "engine/list_rows.h"
#include "engine/validate.h"
#include "storage/storage.h"

/* Bytes. */
enum { LIST_MAX = 1 << 30 };

/* ---- filters ---- */

struct list_filters {
    const json_t *filters;
    int64_t before, since; /* creation times, 0: none */
};

static bool match_exited(const struct list_row *row, const json_t *filters)
{
    char code[16];
    if (!filters_has(filters, "exited"))
        return true;
    snprintf(code, sizeof(code), "%d", row->s.state.exit_code);
    return row->s.state.status == CONTAINER_EXITED && filters_match_exact(filters, "exited", code);
}

/* Names count with and without their slash. */
static bool match_name(const struct list_row *row, const json_t *filters)
{
    _cleanup_free_ char *slashed = xasprintf("/%s", row->s.name);
    return filters_match_text(filters, "name", row->s.name) || filters_match_text(filters, "name", slashed);
}

static bool match_id(const struct list_row *row, const json_t *filters)
{
    const char *value;
    if (!filters_has(filters, "id"))
        return true;
    for (size_t i = 0; (value = filters_value(filters, "id", i)); i++)
        if (*value && str_starts(row->c->id, value))
            return true;
    return false;
}

static bool match_network(const struct list_row *row, const json_t *filters)
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

static bool match_volume(const struct list_row *row, const json_t *filters)
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
static bool match_ancestor(const struct list_row *row, const json_t *filters)
{
    const char *value;
    if (!filters_has(filters, "ancestor"))
        return true;
    for (size_t i = 0; (value = filters_value(filters, "ancestor", i)); i++) {
        const char *hex = str_after(row->c->image_id, "sha256:"), *tag = str_after(row->c->image_ref, value);
        if (!*value)
            continue;
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

static bool match_published(const struct list_row *row, const json_t *filters)
{
    if (!filters_has(filters, "expose") && !filters_has(filters, "publish"))
        return true;
    _cleanup_json_ json_t *rows = list_ports(row);
    return match_ports(rows, filters, "expose", "PrivatePort") &&
           match_ports(rows, filters, "publish", "PublicPort");
}

static bool row_matches(const struct list_row *row, const struct list_filters *f, bool all)
{
    const json_t *filters = f->filters;
    const char *status =
        row->s.state.status == CONTAINER_CREATED ? "created" : container_status_name(row->s.state.status);
    if (!all && !container_status_runs(row->s.state.status) && !filters_has(filters, "status"))
        return false;
    if ((f->before && row->c->created >= f->before) || (f->since && row->c->created <= f->since))
        return false;
    if (json_object_size(f->filters) == 0)
        return true;
    return filters_match_exact(filters, "status", status) && match_exited(row, filters) &&
           match_name(row, filters) && match_id(row, filters) && match_network(row, filters) &&
           match_volume(row, filters) && match_ancestor(row, filters) && match_published(row, filters) &&
           filters_match_exact(filters, "health", container_health_name(row->s.state.health)) &&
           filters_match_labels(filters, "label", json_object_get(row->s.config, "Labels"));
}

/* "80", "80/udp", "80-90/tcp"; the first two parts are ports. */
static int check_port_filter(const json_t *filters, const char *key, struct err *err)
{
    const char *value;
    for (size_t i = 0; (value = filters_value(filters, key, i)); i++) {
        char *end;
        long first = strtol(value, &end, 10), last = first;
        bool good = strspn(value, "0123456789") > 0;
        if (good && *end == '-') {
            good = strspn(end + 1, "0123456789") > 0;
            last = strtol(end + 1, &end, 10);
        }
        if (!good || (*end && *end != '/') || first > UINT16_MAX || last > UINT16_MAX || last < first)
            return err_set(err, ERR_INVALID, "error while looking up for %s %.64s: no port or range of ports",
                           key, value);
    }
    return 0;
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
    for (size_t i = 0; (value = filters_value(filters, "health", i)); i++)
        if (container_health_from_name(value) == HEALTH_NONE && !str_eq(value, "none"))
            return err_set(err, ERR_INVALID,
                           "invalid filter 'health=%.64s': invalid value for health (%.64s): must be one of "
                           "none, starting, healthy, unhealthy",
                           value, value);
    for (size_t i = 0; (value = filters_value(filters, "exited", i)); i++) {
        char *end;
        strtol(value, &end, 10);
        if (!*value || *end || !strchr("+-0123456789", *value))
            return err_set(err, ERR_INVALID, "invalid filter 'exited=%.64s': not a number", value);
    }
    const struct {
        const char *key;
        int64_t *time;
    } relative[] = {{"before", &ret->before}, {"since", &ret->since}};
    for (size_t i = 0; i < ARRAY_SIZE(relative); i++) {
        for (size_t j = 0; (value = filters_value(filters, relative[i].key, j)); j++) {
            if (!*value)
                return err_set(err, ERR_NOT_FOUND, "No such container: ");
            _cleanup_container_ struct container *c = containers_find(e, value, err);
            if (!c)
                return -1;
            if (j == 0)
                *relative[i].time = c->created;
        }
    }
    return check_port_filter(filters, "expose", err) < 0 || check_port_filter(filters, "publish", err) < 0
               ? -1
               : 0;
}

static void add_sizes(struct engine *e, const struct container *c, json_t *json)
{
    int64_t own = 0, total = 0;
    container_sizes(e, c, &own, &total);
    if (own > 0)
        json_set_int(json, "SizeRw", own);
    json_set_int(json, "SizeRootFs", total);
}

/* One of the two: the rows as documents, or as text. */
struct list {
    json_t *json;
    struct buf *text;
};

static void list_add(const struct list_row *row, int64_t now, struct list_memo *memo,
                     const struct engine_list_options *o, struct list *list)
{
    if (list->text) {
        buf_append(list->text, ",", list->text->len > 1 ? 1 : 0);
        list_row_text(row, now, memo, o->brief, list->text);
        return;
    }
    json_t *json = list_row_json(row, now, memo);
    if (o->size)
        add_sizes(row->c->engine, row->c, json);
    json_array_append_new(list->json, json);
}

static int list_make(struct engine *e, const struct engine_list_options *o, struct list *list,
                     struct err *err)
{
    struct list_filters f;
    int count = 0;
    if (check_filters(e, o->filters, &f, err) < 0)
        return -1;
    int64_t now = clock_now();
    bool all = o->all || o->limit > 0;
    _cleanup_(containers_list_free_p) struct container **containers = containers_list(e, NULL);
    _cleanup_free_ struct container **link_holders = links_holders(containers);
    struct list_memo memo = {.link_holders = link_holders};
    for (struct container **c = containers; *c && (o->limit <= 0 || count < o->limit); c++) {
        struct list_row row = {.c = *c};
        container_snapshot(*c, &row.s);
        if (row_matches(&row, &f, all)) {
            list_add(&row, now, &memo, o, list);
            count++;
        }
        container_snapshot_finish(&row.s);
    }
    return 0;
}

int engine_container_list(struct engine *e, const struct engine_list_options *o, json_t **ret,
                          struct err *err)
{
    json_t *json = json_array();
    if (list_make(e, o, &(struct list){.json = json}, err) < 0) {
        json_decref(json);
        return -1;
    }
    *ret = json;
    return 0;
}

char *engine_container_list_text(struct engine *e, const struct engine_list_options *o, struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(LIST_MAX);
    buf_append(&text, "[", 1);
    if (list_make(e, o, &(struct list){.text = &text}, err) < 0)
        return NULL;
    buf_append(&text, "]", 1);
    if (buf_failed(&text))
        err_set(err, ERR_SYSTEM, "the list of containers takes more than %d MiB: use filters or a limit",
                LIST_MAX >> 20);
    return buf_take(&text);
}
