/* Which daemon to talk to, and how: from options, the environment, the context in use, in that order. */
#ifndef KEG_CLI_ENDPOINT_H
#define KEG_CLI_ENDPOINT_H

#include "cli/cli.h"

struct endpoint {
    char *host;            /* "unix:///path", "tcp://host:port", "ssh://user@host" */
    bool is_default;       /* nobody named it: a daemon may be started there */
    bool tls, verify;      /* of tcp:// */
    char *ca, *cert, *key; /* files, or NULL */
};

/* The endpoint; borrowed, decided once. NULL: the options contradict each other, or the context isn't there. */
const struct endpoint *endpoint_get(struct cli *cli, struct err *err);
void endpoint_free(struct endpoint *e);

/* The host as options and environment have it, without any context: what the context "default" stands for. The caller frees. */
char *endpoint_default_host(struct cli *cli);
/* The variable that overrides the context ("DOCKER_HOST"), or NULL. */
const char *endpoint_override(void);
/* KEG_<name>, else DOCKER_<name>, else NULL; what is empty counts as unset. */
const char *endpoint_environment(const char *name);

#endif
