/* What was asked: parameters, headers and the body of a request. */
#include "api/request.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

#include "api/text.h"
#include "base/json.h"
#include "base/str.h"

enum { AUTH_MAX = 64 * 1024 };

const char *request_query(const struct request *r, const char *key)
{
    return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, key);
}

bool request_query_bool(const struct request *r, const char *key)
{
    return text_is_true(request_query(r, key));
}

int request_query_int(const struct request *r, const char *key, int64_t otherwise, int64_t *ret,
                      struct err *err)
{
    const char *text = request_query(r, key);

    if (str_empty(text)) {
        *ret = otherwise;
        return 0;
    }
    if (str_to_i64(text, ret) < 0)
        return err_set(err, ERR_INVALID, "invalid value for parameter %s: \"%s\" is not a number", key, text);
    return 0;
}

int request_query_size(const struct request *r, unsigned *ret_height, unsigned *ret_width, struct err *err)
{
    int64_t height, width;

    if (request_query_int(r, "h", 0, &height, err) < 0 || request_query_int(r, "w", 0, &width, err) < 0)
        return -1;
    if (height < 0 || height > UINT16_MAX || width < 0 || width > UINT16_MAX)
        return err_set(err, ERR_INVALID, "invalid terminal size %lldx%lld", (long long)height,
                       (long long)width);
    *ret_height = (unsigned)height;
    *ret_width = (unsigned)width;
    return 0;
}

struct collect {
    const char *key;
    char **values;
};

static enum MHD_Result request_collect(void *arg, enum MHD_ValueKind kind _unused_, const char *key,
                                       const char *value)
{
    struct collect *c = arg;

    if (str_eq(c->key, key) && value)
        strv_push(&c->values, value);
    return MHD_YES;
}

char **request_query_all(const struct request *r, const char *key)
{
    struct collect c = {.key = key};

    MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, request_collect, &c);
    return c.values;
}

int request_filters(const struct request *r, json_t **ret, struct err *err)
{
    const char *text = request_query(r, "filters");

    *ret = NULL;
    if (str_empty(text) || str_eq(text, "null"))
        return 0;
    *ret = json_parse(text, strlen(text), "filters", err);
    return *ret ? 0 : err_wrap(err, "invalid filter");
}

const char *request_header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

void request_auth(const struct request *r, const char *header, json_t **ret)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(AUTH_MAX);
    const char *value = request_header(r, header);

    *ret = NULL;
    if (str_empty(value))
        return;
    if (text_base64url_decode(value, &text) < 0 || text.len == 0)
        return;
    *ret = json_parse(buf_str(&text), text.len, header, NULL);
    if (!json_is_object(*ret)) {
        json_decref(*ret);
        *ret = NULL;
    }
}

const json_t *request_body(const struct request *r, struct err *err)
{
    if (!r->body)
        err_set(err, ERR_INVALID, "invalid JSON: got EOF while reading request body");
    return r->body;
}

bool request_wants_upgrade(const struct request *r)
{
    const char *connection = request_header(r, "Connection");

    return connection && strcasestr(connection, "upgrade") && request_header(r, "Upgrade");
}
