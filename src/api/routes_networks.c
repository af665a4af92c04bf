/* Routes of networks and volumes. */
#include "api/handlers.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/networks.h"
#include "engine/volumes.h"

/* ---- networks ---- */

int route_networks_list(struct request *r, struct err *err)
{
    _cleanup_json_ json_t *filters = NULL;
    json_t *ret = NULL;

    if (request_filters(r, &filters, err) < 0 ||
        engine_network_list(r->engine, filters, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_networks_inspect(struct request *r, struct err *err)
{
    const char *scope = request_query(r, "scope");
    json_t *ret = NULL;

    if (!str_empty(scope) && !str_eq(scope, "local"))
        return err_set(err, ERR_NOT_FOUND, "network %s not found", r->wildcard);
    if (engine_network_inspect(r->engine, r->wildcard, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_networks_create(struct request *r, struct err *err)
{
    const json_t *body = request_body(r, err);
    _cleanup_json_ json_t *asked = body ? json_copy((json_t *)body) : NULL;
    json_t *ret = NULL;

    if (r->version < 1048)
        json_object_del(asked, "EnableIPv4"); /* meant nothing yet */
    if (!asked || engine_network_create(r->engine, asked, &ret, err) < 0)
        return -1;
    return reply_json(r, 201, ret);
}

int route_networks_connect(struct request *r, struct err *err)
{
    const json_t *body = request_body(r, err);

    return !body || engine_network_connect(r->engine, r->wildcard, body, err) < 0 ? -1 : reply_status(r, 200);
}

int route_networks_disconnect(struct request *r, struct err *err)
{
    const json_t *body = request_body(r, err);

    return !body || engine_network_disconnect(r->engine, r->wildcard, body, err) < 0 ? -1
                                                                                     : reply_status(r, 200);
}

int route_networks_remove(struct request *r, struct err *err)
{
    return engine_network_remove(r->engine, r->wildcard, err) < 0 ? -1 : reply_status(r, 204);
}

int route_networks_prune(struct request *r, struct err *err)
{
    _cleanup_json_ json_t *filters = NULL;
    json_t *ret = NULL;

    if (request_filters(r, &filters, err) < 0 ||
        engine_network_prune(r->engine, filters, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

/* ---- volumes ---- */

int route_volumes_list(struct request *r, struct err *err)
{
    _cleanup_json_ json_t *filters = NULL;
    json_t *ret = NULL;

    if (request_filters(r, &filters, err) < 0 ||
        engine_volume_list(r->engine, filters, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_volumes_inspect(struct request *r, struct err *err)
{
    json_t *ret = NULL;

    if (engine_volume_inspect(r->engine, r->wildcard, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_volumes_create(struct request *r, struct err *err)
{
    const json_t *body = request_body(r, err);
    json_t *ret = NULL;

    if (!body || engine_volume_create(r->engine, body, &ret, err) < 0)
        return -1;
    return reply_json(r, 201, ret);
}

int route_volumes_remove(struct request *r, struct err *err)
{
    if (engine_volume_remove(r->engine, r->wildcard, request_query_bool(r, "force"), err) < 0)
        return -1;
    return reply_status(r, 204);
}

int route_volumes_prune(struct request *r, struct err *err)
{
    _cleanup_json_ json_t *filters = NULL;
    json_t *ret = NULL;

    if (request_filters(r, &filters, err) < 0)
        return -1;
    if (r->version < 1042) { /* named ones were not spared then */
        if (!filters)
            filters = json_object();
        json_object_set_new(filters, "all", json_pack("[s]", "true"));
    }
    if (engine_volume_prune(r->engine, filters, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}
