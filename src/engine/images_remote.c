/* What registries have: search, distribution inspect. */
#include "base/json.h"
#include "base/str.h"
#include "engine/images_internal.h"
#include "engine/transfer.h"
#include "image/remote.h"

enum { SEARCH_DEFAULT = 25, SEARCH_MAX = 100 };

static bool sink_gone(void *arg)
{
    return transfer_is_abandoned(arg);
}

int engine_distribution_inspect(struct engine *e, const char *name, const json_t *auth, int client_fd,
                                json_t **ret, struct err *err)
{
    const struct engine_sink sink = {.client_fd = client_fd};
    const struct image_listener listener = {.gone = sink_gone, .arg = (void *)&sink};
    const struct registry_auth credentials = transfer_auth(auth);
    const struct image_remote remote = {
        .store = e->image_store, .auth = auth ? &credentials : NULL, .listener = &listener};
    _cleanup_reference_ struct reference ref = {0};

    if (reference_parse(name, &ref, err) < 0)
        return -1;
    if (!ref.tag && !ref.digest)
        ref.tag = xstrdup(REFERENCE_DEFAULT_TAG);
    return image_remote_inspect(&remote, &ref, ret, err);
}

/* ---- search ---- */

static const char *const search_filters[] = {"is-automated", "is-official", "stars", NULL};

static int filter_stars(const json_t *filters, uint32_t *ret, struct err *err)
{
    const char *value;

    *ret = 0;
    for (size_t i = 0; (value = filters_value(filters, "stars", i)); i++) {
        uint32_t stars;

        if (str_to_u32(value, &stars) < 0)
            return err_set(err, ERR_INVALID, "invalid filter 'stars=[%s]'", value);
        *ret = stars > *ret ? stars : *ret;
    }
    return 0;
}

static json_t *search_row(const json_t *found)
{
    return json_pack("{s:I, s:b, s:s, s:b, s:s}", "star_count",
                     (json_int_t)json_int_or(found, "star_count", 0), "is_official",
                     json_is_true(json_object_get(found, "is_official")), "name",
                     json_str_or(found, "name", ""), "is_automated", 0, "description",
                     json_str_or(found, "description", ""));
}

int engine_image_search(struct engine *e, const struct engine_search_options *o, json_t **ret,
                        struct err *err)
{
    const struct engine_sink sink = {.client_fd = o->client_fd};
    const struct image_listener listener = {.gone = sink_gone, .arg = (void *)&sink};
    const struct registry_auth credentials = transfer_auth(o->auth);
    const struct image_remote remote = {
        .store = e->image_store, .auth = o->auth ? &credentials : NULL, .listener = &listener};
    _cleanup_json_ json_t *found = NULL;
    bool official, automated;
    const json_t *row;
    uint32_t stars;
    size_t i;

    if (str_empty(o->term))
        return err_set(err, ERR_INVALID,
                       "no search term given: say what to look for in the parameter \"term\"");
    if (o->limit < 0 || o->limit > SEARCH_MAX)
        return err_set(err, ERR_INVALID, "limit %lld is outside the range of [1, %d]", (long long)o->limit,
                       SEARCH_MAX);
    if (filters_check(o->filters, search_filters, err) < 0 || filter_stars(o->filters, &stars, err) < 0 ||
        filters_bool(o->filters, "is-official", false, &official, err) < 0 ||
        filters_bool(o->filters, "is-automated", false, &automated, err) < 0)
        return -1;
    *ret = json_array();
    if (automated) /* registries know no such thing any more */
        return 0;
    if (image_remote_search(&remote, o->term, o->limit ? (int)o->limit : SEARCH_DEFAULT, &found, err) < 0)
        return -1;
    json_array_foreach (found, i, row) {
        json_t *shown = search_row(row);

        if (shown &&
            (!filters_has(o->filters, "is-official") ||
             json_is_true(json_object_get(shown, "is_official")) == official) &&
            json_int_or(shown, "star_count", 0) >= (int64_t)stars)
            json_array_append(*ret, shown);
        json_decref(shown);
    }
    return 0;
}
