/* config.json, and credentials from it or from the helpers it names. */
#include "cli/config.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

enum { CONFIG_MAX = 4 * 1024 * 1024, SECRET_MAX = 64 * 1024 };

extern char **environ;

static const char *config_directory(struct cli *cli)
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

/* ---- base64 ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *base64_encode(const void *data, size_t len, bool url)
{
    const char *letters = url ? url_alphabet : alphabet;
    const unsigned char *p = data;
    char *out = xmalloc(len / 3 * 4 + 5), *at = out;

    for (size_t i = 0; i < len; i += 3) {
        unsigned bits =
            (unsigned)p[i] << 16 | (i + 1 < len ? p[i + 1] << 8 : 0) | (i + 2 < len ? p[i + 2] : 0);

        *at++ = letters[bits >> 18];
        *at++ = letters[bits >> 12 & 63];
        *at++ = i + 1 < len ? letters[bits >> 6 & 63] : '=';
        *at++ = i + 2 < len ? letters[bits & 63] : '=';
    }
    *at = '\0';
    return out;
}

/* NULL when the text is no base64. */
static char *base64_decode(const char *text)
{
    char *out = xmalloc(strlen(text) + 1), *at = out;
    unsigned bits = 0;
    int have = 0;

    for (; *text && *text != '='; text++) {
        const char *letter = strchr(alphabet, *text);

        if (!letter) {
            free(out);
            return NULL;
        }
        bits = bits << 6 | (unsigned)(letter - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            *at++ = (char)(bits >> have & 255);
        }
    }
    *at = '\0';
    return out;
}

/* ---- credential helpers ---- */

/* The helper for a server ("pass" of docker-credential-pass), or NULL. */
static const char *helper_for(struct cli *cli, const char *server)
{
    const char *helper = json_str(json_object_get(config_get(cli), "credHelpers"), server);

    return helper ? helper : config_str(cli, "credsStore");
}

/* Runs docker-credential-<helper> <verb> with `input`; its output is JSON for "get". */
static int run_helper(const char *helper, const char *verb, const char *input, struct buf *output,
                      struct err *err)
{
    _cleanup_free_ char *program = xasprintf("docker-credential-%s", helper);
    char *argv[] = {program, (char *)verb, NULL};
    posix_spawn_file_actions_t actions;
    int in[2], out[2], status, r;
    pid_t pid;

    if (pipe2(in, O_CLOEXEC) < 0)
        return err_errno(err, errno, "cannot make a pipe");
    if (pipe2(out, O_CLOEXEC) < 0) {
        r = errno;
        close(in[0]);
        close(in[1]);
        return err_errno(err, r, "cannot make a pipe");
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    r = posix_spawnp(&pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    if (r == 0) {
        fd_write_full(in[1], input, strlen(input));
        close_fd(&in[1]);
        fd_read_all(out[0], output);
        waitpid(pid, &status, 0);
    }
    close_p(&in[1]);
    close(out[0]);
    if (r)
        return err_errno(err, r, "error getting credentials: cannot run %s", program);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return err_set(err, ERR_UNAUTHORIZED, "error getting credentials: %s: %s", program, buf_str(output));
    return 0;
}

static json_t *ask_helper(const char *helper, const char *server)
{
    _cleanup_(buf_finish) struct buf output = BUF_INIT(SECRET_MAX);
    _cleanup_json_ json_t *answer = NULL;
    json_t *auth;
    bool token;

    if (run_helper(helper, "get", server, &output, NULL) < 0)
        return NULL;
    answer = json_parse(buf_str(&output), output.len, helper, NULL);
    if (!json_str(answer, "Secret"))
        return NULL;
    token = str_eq(json_str(answer, "Username"), "<token>");
    auth = json_object();
    if (!token)
        json_set_str(auth, "username", json_str_or(answer, "Username", ""));
    json_set_str(auth, token ? "identitytoken" : "password", json_str(answer, "Secret"));
    json_set_str(auth, "serveraddress", server);
    return auth;
}

/* ---- credentials ---- */

static json_t *auth_of_file(struct cli *cli, const char *server)
{
    const json_t *auths = json_object_get(config_get(cli), "auths");
    const json_t *entry = json_object_get(auths, server);
    _cleanup_free_ char *with_scheme = xasprintf("https://%s", server), *plain = NULL;
    char *colon;
    json_t *auth;

    if (!entry)
        entry = json_object_get(auths, with_scheme);
    if (!entry)
        return NULL;
    auth = json_object();
    plain = json_str(entry, "auth") ? base64_decode(json_str(entry, "auth")) : NULL;
    colon = plain ? strchr(plain, ':') : NULL;
    if (colon) {
        *colon = '\0';
        json_set_str(auth, "username", plain);
        json_set_str(auth, "password", colon + 1);
    }
    if (json_str(entry, "identitytoken"))
        json_set_str(auth, "identitytoken", json_str(entry, "identitytoken"));
    if (json_str(entry, "registrytoken"))
        json_set_str(auth, "registrytoken", json_str(entry, "registrytoken"));
    json_set_str(auth, "serveraddress", server);
    return auth;
}

char *config_registry_header(struct cli *cli, const char *domain)
{
    const char *server = str_eq(domain, "docker.io") ? CONFIG_HUB : domain;
    const char *helper = helper_for(cli, server);
    _cleanup_json_ json_t *auth = helper ? ask_helper(helper, server) : NULL;
    _cleanup_free_ char *text = NULL, *encoded = NULL;

    if (!auth)
        auth = auth_of_file(cli, server);
    text = auth ? json_text(auth) : xstrdup("{}");
    encoded = base64_encode(text, strlen(text), /* url= */ true);
    return xasprintf("X-Registry-Auth: %s\r\n", encoded);
}

bool config_has_login(struct cli *cli, const char *server)
{
    return helper_for(cli, server) || json_object_get(json_object_get(config_get(cli), "auths"), server);
}

static int store_with_helper(const char *helper, const char *server, const char *username, const char *secret,
                             struct err *err)
{
    _cleanup_(buf_finish) struct buf output = BUF_INIT(SECRET_MAX);
    _cleanup_json_ json_t *entry = json_object();
    _cleanup_free_ char *text = NULL;

    if (!username)
        return run_helper(helper, "erase", server, &output, err);
    json_set_str(entry, "ServerURL", server);
    json_set_str(entry, "Username", username);
    json_set_str(entry, "Secret", secret);
    text = json_text(entry);
    return run_helper(helper, "store", text, &output, err);
}

int config_store_login(struct cli *cli, const char *server, const char *username, const char *secret,
                       struct err *err)
{
    const char *helper = helper_for(cli, server);
    _cleanup_free_ char *path = config_path(cli), *text = NULL;
    json_t *auths;
    int r;

    if (helper)
        return store_with_helper(helper, server, username, secret, err);
    auths = json_object_get(config_get(cli), "auths");
    if (!auths) {
        auths = json_object();
        json_object_set_new(cli->config, "auths", auths);
    }
    if (username) {
        _cleanup_free_ char *plain = xasprintf("%s:%s", username, secret);
        _cleanup_free_ char *encoded = base64_encode(plain, strlen(plain), /* url= */ false);

        json_object_set_new(auths, server, json_pack("{s:s}", "auth", encoded));
    } else {
        json_object_del(auths, server);
    }
    text = json_dumps(cli->config, JSON_INDENT(4));
    path_mkdir_all(config_directory(cli), 0700);
    r = file_replace(AT_FDCWD, path, text, strlen(text), 0600, /* sync= */ false);
    return r < 0 ? err_errno(err, r, "Error saving credentials: %s", path) : 0;
}
