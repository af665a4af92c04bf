/* Routes: what the API answers to, as a table.
 *
 * To add a route:
 *   1. a row in routes.c, under its part of the API, a literal pattern before one with a wildcard that would
 * match it too;
 *   2. its handler in routes_<part>.c (declared in handlers.h): parse, call the engine, reply;
 *   3. a line in tests/system/api.bats.
 * The dispatcher has dealt with version, body and content type before the handler runs, and turns its error
 * into an answer afterwards. */
#ifndef KEG_API_ROUTE_H
#define KEG_API_ROUTE_H

#include "api/request.h"
#include "engine/fields.h"

enum route_flags {
    ROUTE_JSON = 1 << 0,     /* a JSON body is parsed into request.body; an empty one is allowed here */
    ROUTE_DEFAULTS = 1 << 3, /* with ROUTE_JSON: no body is an empty object */
    ROUTE_UPLOAD = 1 << 1,   /* the body comes through request.body_fd while the handler runs */
    ROUTE_REMOTE = 1 << 2,   /* a registry that can't be reached is the server's error: 500, not 503 */
};

struct route {
    const char *method;  /* "GET"; answers HEAD too only where a row says so */
    const char *pattern; /* "/containers/{id}/json"; see text_match() */
    unsigned flags;      /* enum route_flags */
    int (*handler)(struct request *r, struct err *err);
    const struct field *
        members; /* of a ROUTE_JSON body, which is left with these alone; NULL: the handler looks after them */
};

extern const struct route routes[];
extern const size_t routes_count;

/* Finds the row for the request's method and path and fills route and wildcard. ERR_NOT_FOUND "page not
 * found"; ERR_INVALID for a version that isn't spoken. */
int route_find(struct request *r, struct err *err);
/* Parses the body of a ROUTE_JSON request. ERR_INVALID with Docker's words. */
int route_decode(struct request *r, const char *data, size_t len, struct err *err);
/* Runs the handler; always leaves a reply. */
void route_run(struct request *r);

#endif
