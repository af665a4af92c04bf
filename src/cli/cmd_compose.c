/* keg compose: docker's compose, of whichever version is installed, with keg's daemon. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/endpoint.h"

#define PROGRAM "docker-compose"

/* Where docker's client looks for its plugins, below the user's own. */
static const char *const plugin_directories[] = {
    "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins", NULL};

/* Compose takes the files of TLS as one directory. */
static int set_tls(const struct endpoint *e, struct err *err)
{
    const char *slash = e->cert ? strrchr(e->cert, '/') : e->ca ? strrchr(e->ca, '/') : NULL;
    _cleanup_free_ char *directory = NULL;

    if (!slash)
        return err_set(err, ERR_INVALID,
                       "keg compose: TLS without files of its own isn't possible: name them "
                       "with --tlscacert, --tlscert and --tlskey");
    directory = xstrndup(e->cert ? e->cert : e->ca, (size_t)(slash - (e->cert ? e->cert : e->ca)));
    setenv("DOCKER_CERT_PATH", directory, 1);
    setenv("DOCKER_TLS_VERIFY", e->verify ? "1" : "", 1);
    return 0;
}

static int set_environment(struct cli *cli, struct err *err)
{
    const struct endpoint *e = endpoint_get(cli, err);
    int fd;

    if (!e || (e->tls && set_tls(e, err) < 0))
        return -1;
    setenv("DOCKER_HOST", e->host, 1);
    unsetenv("DOCKER_CONTEXT"); /* it would go before DOCKER_HOST */
    fd = client_dial(cli, err); /* which starts kegd where that is ours to do */
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static void execute(const char *directory, char **argv)
{
    _cleanup_free_ char *path = xasprintf("%s/" PROGRAM, directory);

    execv(path, argv);
}

static int compose_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_free_ char *own = xasprintf("%s/cli-plugins", cli->config_dir);
    _cleanup_free_ char **argv = xcalloc(args->rest_count + 2, sizeof(*argv));

    if (set_environment(cli, err) < 0)
        return -1;
    argv[0] = (char *)PROGRAM;
    for (size_t i = 0; i < args->rest_count; i++)
        argv[i + 1] = args->rest[i];
    execute(own, argv);
    for (const char *const *directory = plugin_directories; *directory; directory++)
        execute(*directory, argv);
    execvp(PROGRAM, argv);
    if (errno != ENOENT)
        return err_errno(err, errno, "execute " PROGRAM);
    return err_set(err, ERR_NOT_FOUND,
                   "keg compose: neither docker's compose plugin nor the program " PROGRAM
                   " is installed: on Debian, apt-get install docker-compose");
}

const struct command cmd_compose = {
    .paths = "compose",
    .summary = "Run docker's compose, as installed, with this daemon",
    .arguments = "COMMAND",
    .max_arguments = -1,
    .flags = COMMAND_ALL_ARGUMENTS,
    .run = compose_run,
};
