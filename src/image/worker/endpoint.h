/* A registry's address and the right to use it: https or (where allowed) http, and the Authorization header
 * that answers its challenges (Distribution specification; token authentication as Docker's registries do
 * it). */
#ifndef KEG_IMAGE_WORKER_ENDPOINT_H
#define KEG_IMAGE_WORKER_ENDPOINT_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "image/worker/http.h"

struct credentials {
    char *username, *password, *identity_token, *registry_token; /* NULL when absent */
};
/* From an "open" packet's object with such members. */
void credentials_read(struct credentials *c, const json_t *object);
bool credentials_given(const struct credentials *c);
void credentials_finish(struct credentials *c);

/* What it is asked for. */
enum endpoint_ability {
    ENDPOINT_RESOLVE = 1 << 0, /* what a tag is */
    ENDPOINT_PULL = 1 << 1,    /* anything by digest */
    ENDPOINT_PUSH = 1 << 2,
    ENDPOINT_ALL = ENDPOINT_RESOLVE | ENDPOINT_PULL | ENDPOINT_PUSH,
};

struct endpoint {
    unsigned can;    /* enum endpoint_ability */
    char **headers;  /* further ones, "Name: value" */
    bool own_path;   /* base holds what stands for "/v2" as well */
    char *namespace; /* of a mirror of many: the registry it stands for, told with every request. NULL: not */
    unsigned connect_ms; /* how long a connection may take; 0: the usual time */
    char *base;          /* "https://registry-1.docker.io", no slash at the end */
    char *scope;         /* "repository:library/busybox:pull", several divided by spaces */
    bool insecure;       /* certificates aren't verified, http will do */
    bool loopback;
    atomic_bool answered;                  /* it has, at least once */
    bool probed;                           /* https or http is settled */
    const struct credentials *credentials; /* NULL: none */
    const struct http_certificates *certificates;
    unsigned stall_seconds;
    pthread_mutex_t lock;
    char *authorization; /* what answered the last challenge; NULL: none yet */
};

/* `host` is "name[:port]". scope NULL: what the registry asks for. */
void endpoint_init(struct endpoint *e, const char *host, const char *scope, char *const *insecure_list);
/* From a base URL. */
void endpoint_init_mirror(struct endpoint *e, const char *url, const char *scope);
void endpoint_finish(struct endpoint *e);
/* True when host is loopback or is named by the list ("host", "host:port", CIDR). */
bool endpoint_host_insecure(const char *host, char *const *insecure_list);
/* True for localhost, 127.0.0.0/8, ::1. */
bool endpoint_host_loopback(const char *host);

/* The URL of a path of the registry's interface ("/v2/…"); the caller frees. Only once the scheme is settled. */
char *endpoint_url(const struct endpoint *e, const char *path);
/* One exchange at the endpoint: `path` behind its base ("/v2/…"), the rest as in request (url, authorization,
 * insecure, certificates… are filled in here). Answers a 401 once. Result as http_perform(). */
int endpoint_perform(struct endpoint *e, const char *path, struct http_request *request,
                     struct http_response *ret, struct err *err);
/* Likewise of a URL that the registry gave out. Another origin than the endpoint's gets no credentials. */
int endpoint_perform_url(struct endpoint *e, const char *url, struct http_request *request,
                         struct http_response *ret, struct err *err);
/* Checks the credentials, as docker login does. *ret_token: a refresh token to keep instead of the password,
 * or NULL. */
int endpoint_login(struct endpoint *e, char **ret_token, struct err *err);

#endif
