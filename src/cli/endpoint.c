/* Where the daemon is. */
#include "cli/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/context.h"

const char *endpoint_environment(const char *name)
{
    static const char *const prefixes[] = {"KEG_", "DOCKER_"};

    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        _cleanup_free_ char *variable = xasprintf("%s%s", prefixes[i], name);
        const char *value = getenv(variable);

        if (!str_empty(value))
            return value;
    }
    return NULL;
}

const char *endpoint_override(void)
{
    return !str_empty(getenv("KEG_HOST"))      ? "KEG_HOST"
           : !str_empty(getenv("DOCKER_HOST")) ? "DOCKER_HOST"
                                               : NULL;
}

/* The host that options or environment name, or NULL. */
static const char *named_host(const struct cli *cli)
{
    const char *host = args_str(cli->global, "host");

    return *host ? host : endpoint_environment("HOST");
}

char *endpoint_default_host(struct cli *cli)
{
    const char *host = named_host(cli);

    if (!host)
        return xstrdup(CLIENT_DEFAULT_HOST);
    return host[0] == '/' ? xasprintf("unix://%s", host) : xstrdup(host);
}

/* A file that was named, or the one of that name in the certificates' directory if it is there. The caller frees. */
static char *certificate(struct cli *cli, const char *option, const char *name)
{
    const char *directory = endpoint_environment("CERT_PATH");
    char *path;

    if (args_given(cli->global, option))
        return xstrdup(args_str(cli->global, option));
    path = path_join(directory ? directory : config_directory(cli), name);
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}

/* --tls and its like, or their variables. */
static void read_tls_options(struct cli *cli, struct endpoint *e)
{
    const struct args *g = cli->global;

    e->verify =
        args_given(g, "tlsverify") ? args_bool(g, "tlsverify") : endpoint_environment("TLS_VERIFY") != NULL;
    e->tls =
        args_bool(g, "tls") || args_given(g, "tlsverify") || e->verify || endpoint_environment("TLS") != NULL;
    if (!e->tls)
        return;
    e->ca = certificate(cli, "tlscacert", "ca.pem");
    e->cert = certificate(cli, "tlscert", "cert.pem");
    e->key = certificate(cli, "tlskey", "key.pem");
}

static int read_context(struct cli *cli, const char *name, struct endpoint *e, struct err *err)
{
    _cleanup_json_ json_t *meta = context_load(cli, name, err);
    const json_t *docker = context_docker(meta);
    const char *host = json_str_or(docker, "Host", "");
    bool skip = json_bool_or(docker, "SkipTLSVerify", false);

    if (!meta)
        return err_wrap(err, "Failed to initialize: unable to resolve docker endpoint");
    e->host = xstrdup(*host ? host : CLIENT_DEFAULT_HOST);
    e->ca = context_tls_file(cli, name, "ca.pem");
    e->cert = context_tls_file(cli, name, "cert.pem");
    e->key = context_tls_file(cli, name, "key.pem");
    e->tls = skip || e->ca || e->cert || e->key;
    e->verify = !skip;
    return 0;
}

void endpoint_free(struct endpoint *e)
{
    if (!e)
        return;
    free(e->host);
    free(e->ca);
    free(e->cert);
    free(e->key);
    free(e);
}

const struct endpoint *endpoint_get(struct cli *cli, struct err *err)
{
    struct endpoint *e;
    const char *name;

    if (cli->endpoint)
        return cli->endpoint;
    name = context_current(cli, err);
    if (!name)
        return NULL;
    e = xcalloc(1, sizeof(*e));
    if (str_eq(name, CONTEXT_DEFAULT)) {
        e->is_default = !named_host(cli);
        e->host = endpoint_default_host(cli);
        read_tls_options(cli, e);
    } else if (read_context(cli, name, e, err) < 0) {
        endpoint_free(e);
        return NULL;
    }
    return cli->endpoint = e;
}
