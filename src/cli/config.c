/* config.json. */
#include "cli/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

enum { CONFIG_MAX = 4 * 1024 * 1024 };

const char *config_directory(struct cli *cli)
{
    const char *home;

    if (cli->config_dir)
        return cli->config_dir;
    cli->config_dir = getenv("KEG_CONFIG");
    if (!cli->config_dir)
        cli->config_dir = getenv("DOCKER_CONFIG");
    if (!cli->config_dir) {
        static char path[4096];

        home = getenv("HOME");
        snprintf(path, sizeof(path), "%s/.docker", home ? home : "");
        cli->config_dir = path;
    }
    return cli->config_dir;
}

char *config_path(struct cli *cli)
{
    return path_join(config_directory(cli), "config.json");
}

const json_t *config_get(struct cli *cli)
{
    struct err err = {0};

    if (!cli->config) {
        _cleanup_free_ char *path = config_path(cli);

        cli->config = json_load(AT_FDCWD, path, CONFIG_MAX, &err);
        if (!cli->config && err.errnum != ENOENT)
            fprintf(stderr, "WARNING: Error loading config file: %s\n", err.message);
        if (!cli->config)
            cli->config = json_object();
    }
    return cli->config;
}

const char *config_str(struct cli *cli, const char *key)
{
    return json_str(config_get(cli), key);
}

const char *config_format(struct cli *cli, const char *key, const char *given, bool quiet)
{
    const char *configured = *given || quiet ? NULL : config_str(cli, key);

    return configured ? configured : given;
}

char *config_headers(struct cli *cli)
{
    struct buf lines = BUF_INIT(64 * 1024);
    const char *name;
    json_t *value;

    json_object_foreach (json_object_get(config_get(cli), "HttpHeaders"), name, value) {
        const char *text = json_string_value(value);

        /* one header each, and none of those that say how a request is framed */
        if (text && *name && !strpbrk(name, "\r\n: ") && !strpbrk(text, "\r\n") && strcasecmp(name, "Host") &&
            strcasecmp(name, "Content-Length") && strcasecmp(name, "Transfer-Encoding") &&
            strcasecmp(name, "Connection"))
            buf_printf(&lines, "%s: %s\r\n", name, text);
    }
    return buf_take(&lines);
}

int config_save(struct cli *cli, struct err *err)
{
    _cleanup_free_ char *path = config_path(cli), *text = json_dumps(config_get(cli), JSON_INDENT(4));
    _cleanup_free_ char *target =
        realpath(path, NULL); /* what a symbolic link leads to is replaced, not the link */
    int r = path_mkdir_all(config_directory(cli), 0700);

    if (r >= 0)
        r = file_replace(AT_FDCWD, target ? target : path, text, strlen(text), 0600, /* sync= */ false);
    return r < 0 ? err_errno(err, r, "cannot write %s", path) : 0;
}
