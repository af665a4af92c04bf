/* What client.c and upload.c share. */
#ifndef KEG_IMAGE_WORKER_CLIENT_INTERNAL_H
#define KEG_IMAGE_WORKER_CLIENT_INTERNAL_H

#include "image/worker/client.h"
#include "image/worker/endpoint.h"

enum { ENDPOINTS_MAX = 16 };

struct client {
    char *path, *name;
    struct credentials credentials; /* for the registry itself */
    struct credentials
        others[ENDPOINTS_MAX]; /* for the endpoint of the same number, where the user has some for its host */
    struct http_certificates certificates[ENDPOINTS_MAX]; /* of the endpoint of the same number */
    struct endpoint endpoints[ENDPOINTS_MAX];             /* mirrors, then the registry itself */
    size_t n_endpoints;
};

static inline struct endpoint *client_origin(struct client *c)
{
    return &c->endpoints[c->n_endpoints - 1];
}

#endif
