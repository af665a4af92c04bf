/* The table of routes: every row can be reached, by its own path and version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/route.h"
#include "base/str.h"

/* The row that answers, NULL for none. */
static const struct route *find(const char *method, const char *url, char **ret_wildcard, struct err *err)
{
    struct request r = {.method = method, .url = url};
    int found = route_find(&r, err);

    if (ret_wildcard)
        *ret_wildcard = r.wildcard;
    else
        free(r.wildcard);
    free(r.clean_url);
    return found == 0 ? r.route : NULL;
}

/* "/containers/{id}/json" → "/containers/WITH/json" */
static char *fill(const char *pattern, const char *with)
{
    const char *open = strchr(pattern, '{');

    if (!open)
        return xstrdup(pattern);
    return xasprintf("%.*s%s%s", (int)(open - pattern), pattern, with, strchr(pattern, '}') + 1);
}

static void test_every_row_is_reached(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_count; i++) {
        _cleanup_free_ char *url = fill(routes[i].pattern, "some.thing");
        _cleanup_free_ char *prefixed = xasprintf("/v1.51%s", url);

        assert_non_null(routes[i].handler);
        assert_ptr_equal(find(routes[i].method, url, NULL, NULL), &routes[i]);
        assert_ptr_equal(find(routes[i].method, prefixed, NULL, NULL), &routes[i]);
    }
}

static void test_wildcards(void **state)
{
    static const struct {
        const char *method, *url, *pattern, *wildcard;
    } rows[] = {
        {"GET", "/images/a/b:c/json", "/images/{name*}/json", "a/b:c"},
        {"GET", "/images/get", "/images/get", NULL},
        {"GET", "/images/get/get", "/images/{name*}/get", "get"},
        {"DELETE", "/v1.30/images/localhost:5000/x@sha256:0", "/images/{name*}", "localhost:5000/x@sha256:0"},
        {"GET", "/containers/json", "/containers/json", NULL},
        {"GET", "/containers/json/json", "/containers/{id*}/json", "json"},
        {"GET", "/containers//web/json", "/containers/{id*}/json", "web"},
        {"GET", "/containers/a/b/json", "/containers/{id*}/json", "a/b"},
        {"OPTIONS", "/no/such", "/{anything*}", "no/such"},
        {"GET", "/plugins/a/b/json", "/plugins/{name*}/json", "a/b"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *wildcard = NULL;
        const struct route *route = find(rows[i].method, rows[i].url, &wildcard, NULL);

        assert_non_null(route);
        assert_string_equal(route->pattern, rows[i].pattern);
        assert_true(str_eq(wildcard, rows[i].wildcard));
    }
}

static void test_versions(void **state)
{
    static const struct {
        const char *url;
        enum err_kind kind;
        const char *text;
    } rows[] = {
        {"/v1.23/info", ERR_INVALID,
         "client version 1.23 is too old. Minimum supported API version is 1.24, "},
        {"/v1/info", ERR_INVALID, "client version 1 is too old"},
        {"/v1.52/info", ERR_INVALID, "client version 1.52 is too new. Maximum supported API version is 1.51"},
        {"/v2.0/info", ERR_INVALID, "client version 2.0 is too new"},
        {"/v1.51/nothing", ERR_NOT_FOUND, "page not found"},
        {"/v1.x/info", ERR_NOT_FOUND, "page not found"},
        {"info", ERR_NOT_FOUND, "page not found"},
        {"", ERR_NOT_FOUND, "page not found"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};

        assert_null(find("GET", rows[i].url, NULL, &err));
        assert_int_equal(err.kind, rows[i].kind);
        if (!strstr(err.message, rows[i].text))
            fail_msg("\"%s\" isn't in \"%s\"", rows[i].text, err.message);
    }
    assert_non_null(find("GET", "/v1.24/info", NULL, NULL));
    assert_non_null(find("GET", "/v1.24/system/df", NULL, NULL));
    assert_null(find("PUT", "/info", NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_reached),
        cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
