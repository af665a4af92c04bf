/* Who the user is at registries: from config.json, or from the helper programs it names. */
#include "cli/credentials.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/config.h"

enum { SECRET_MAX = 64 * 1024 };

#define TOKEN_USER "<token>" /* whose secret is an identity token, in the helpers' protocol */

extern char **environ;

/* ---- credential helpers ---- */

/* The helper for a server ("pass" of docker-credential-pass), or NULL. */
static const char *helper_for(struct cli *cli, const char *server)
{
    const char *helper = json_str(json_object_get(config_get(cli), "credHelpers"), server);

    helper = helper ? helper : config_str(cli, "credsStore");
    return str_empty(helper) ? NULL : helper;
}

/* The program with these ends of pipes as its input and output. 0 or an error number. */
static int spawn_helper(char *program, const char *verb, int in, int out, pid_t *ret)
{
    char *argv[] = {program, (char *)verb, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int r;

    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    r = posix_spawnp(ret, program, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return r;
}

/* Docker's words for a helper that failed: what was being done, how it ended, what it said. */
static int helper_failed(const char *doing, const char *program, int status, struct buf *output,
                         struct err *err)
{
    _cleanup_free_ char *said = xstrndup(buf_str(output), strcspn(buf_str(output), "\r\n"));

    if (status == -1)
        return err_set(
            err, ERR_SYSTEM,
            "error %s credentials - err: exec: \"%s\": executable file not found in $PATH, out: ``", doing,
            program);
    if (WIFSIGNALED(status))
        return err_set(err, ERR_SYSTEM, "error %s credentials - err: %s ended by signal %d, out: `%s`", doing,
                       program, WTERMSIG(status), said);
    return err_set(err, ERR_SYSTEM, "error %s credentials - err: exit status %d, out: `%s`", doing,
                   WEXITSTATUS(status), said);
}

/* Runs docker-credential-<helper> <verb> with `input`. 1: it says that there are no such credentials. */
static int run_helper(const char *helper, const char *verb, const char *doing, const char *input,
                      struct buf *output, struct err *err)
{
    _cleanup_free_ char *program = xasprintf("docker-credential-%s", helper);
    _cleanup_close_ int their_in = -EBADF, our_in = -EBADF, their_out = -EBADF, our_out = -EBADF;
    int in[2], out[2], status, r;
    pid_t pid;

    if (pipe2(in, O_CLOEXEC) < 0)
        return err_errno(err, errno, "cannot make a pipe");
    their_in = in[0];
    our_in = in[1];
    if (pipe2(out, O_CLOEXEC) < 0)
        return err_errno(err, errno, "cannot make a pipe");
    our_out = out[0];
    their_out = out[1];
    r = spawn_helper(program, verb, their_in, their_out, &pid);
    if (r == ENOENT)
        return helper_failed(doing, program, -1, output, err);
    if (r)
        return err_errno(err, r, "error %s credentials: cannot run %s", doing, program);
    close_fd(&their_in);
    close_fd(&their_out);
    fd_write_full(our_in, input, strlen(input)); /* one that doesn't read it says why in its status */
    close_fd(&our_in);
    fd_read_all(our_out, output);
    close_fd(&our_out);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && !WEXITSTATUS(status))
        return 0;
    if (str_starts(buf_str(output), "credentials not found in native keychain"))
        return 1;
    return helper_failed(doing, program, status, output, err);
}

static int ask_helper(const char *helper, const char *server, struct credentials *ret, struct err *err)
{
    _cleanup_(buf_finish) struct buf output = BUF_INIT(SECRET_MAX);
    _cleanup_json_ json_t *answer = NULL;
    const char *user, *secret;
    int r = run_helper(helper, "get", "getting", server, &output, err);

    if (r != 0)
        return r < 0 ? -1 : 0;
    answer = json_parse(buf_str(&output), output.len, helper, NULL);
    user = json_str_or(answer, "Username", "");
    secret = json_str(answer, "Secret");
    if (!secret)
        return err_set(err, ERR_SYSTEM,
                       "error getting credentials - err: docker-credential-%s answered no JSON", helper);
    if (str_eq(user, TOKEN_USER)) {
        ret->identity_token = xstrdup(secret);
    } else {
        ret->username = xstrdup(user);
        ret->password = xstrdup(secret);
    }
    return 0;
}

static int store_with_helper(const char *helper, const char *server, const struct credentials *c,
                             struct err *err)
{
    _cleanup_(buf_finish) struct buf output = BUF_INIT(SECRET_MAX);
    _cleanup_json_ json_t *entry = json_object();
    _cleanup_free_ char *text = NULL;

    json_set_str(entry, "ServerURL", server);
    json_set_str(entry, "Username", c->identity_token ? TOKEN_USER : c->username);
    json_set_str(entry, "Secret", c->identity_token ? c->identity_token : c->password);
    text = json_text(entry);
    if (run_helper(helper, "store", "storing", text, &output, err) == 0)
        return 0;
    return err_wrap(err, "Error saving credentials");
}

/* ---- the file ---- */

/* "https://registry:5000/v1/" → "registry:5000". The caller frees. */
static char *bare_server(const char *address)
{
    const char *rest = strstr(address, "://");

    rest = rest ? rest + strlen("://") : address;
    return xstrndup(rest, strcspn(rest, "/"));
}

/* The entry for a server: of its very name, or of an address there. */
static const json_t *find_entry(const json_t *auths, const char *server)
{
    const json_t *entry = json_object_get(auths, server);
    const char *address;
    json_t *value;

    if (entry)
        return entry;
    json_object_foreach ((json_t *)auths, address, value) {
        _cleanup_free_ char *bare = bare_server(address);

        if (str_eq(bare, server))
            return value;
    }
    return NULL;
}

static void take_entry(const json_t *entry, struct credentials *ret)
{
    _cleanup_free_ char *plain = json_str(entry, "auth") ? base64_decode(json_str(entry, "auth")) : NULL;
    char *colon = plain ? strchr(plain, ':') : NULL;

    if (colon) {
        *colon = '\0';
        ret->username = xstrdup(plain);
        ret->password = xstrdup(colon + 1);
    } else if (json_str(entry, "username")) {
        ret->username = xstrdup(json_str(entry, "username"));
        ret->password = xstrdup(json_str(entry, "password"));
    }
    if (!str_empty(json_str(entry, "identitytoken")))
        ret->identity_token = xstrdup(json_str(entry, "identitytoken"));
    if (!str_empty(json_str(entry, "registrytoken")))
        ret->registry_token = xstrdup(json_str(entry, "registrytoken"));
}

/* The environment's own file, which goes before everything: DOCKER_AUTH_CONFIG='{"auths":{…}}'. */
static bool take_environment(const char *server, struct credentials *ret)
{
    const char *text = getenv("DOCKER_AUTH_CONFIG");
    _cleanup_json_ json_t *json =
        str_empty(text) ? NULL : json_parse(text, strlen(text), "DOCKER_AUTH_CONFIG", NULL);
    const json_t *entry = find_entry(json_object_get(json, "auths"), server);

    if (entry)
        take_entry(entry, ret);
    return entry != NULL;
}

/* {"auth": …}; with a helper only that there is something. */
static json_t *entry_of(const struct credentials *c)
{
    json_t *entry = json_object();
    _cleanup_free_ char *plain = NULL, *encoded = NULL;

    if (!c)
        return entry;
    plain = xasprintf("%s:%s", c->username, c->identity_token ? "" : c->password);
    encoded = base64_encode(plain, strlen(plain), /* url= */ false);
    json_set_str(entry, "auth", encoded);
    if (c->identity_token)
        json_set_str(entry, "identitytoken", c->identity_token);
    return entry;
}

/* ---- what others call ---- */

void credentials_finish(struct credentials *c)
{
    free(c->username);
    free(c->password);
    free(c->identity_token);
    free(c->registry_token);
    *c = (struct credentials){0};
}

int credentials_get(struct cli *cli, const char *server, struct credentials *ret, struct err *err)
{
    const char *helper = helper_for(cli, server);
    const json_t *entry;

    *ret = (struct credentials){0};
    if (take_environment(server, ret))
        return 0;
    if (helper)
        return ask_helper(helper, server, ret, err);
    entry = find_entry(json_object_get(config_get(cli), "auths"), server);
    if (entry)
        take_entry(entry, ret);
    return 0;
}

json_t *credentials_json(const struct credentials *c, const char *server)
{
    json_t *auth = json_object();
    const struct {
        const char *key, *value;
    } members[] = {{"username", c->username},
                   {"password", c->password},
                   {"identitytoken", c->identity_token},
                   {"registrytoken", c->registry_token}};

    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (members[i].value)
            json_set_str(auth, members[i].key, members[i].value);
    if (json_object_size(auth))
        json_set_str(auth, "serveraddress", server);
    return auth;
}

char *credentials_header(struct cli *cli, const char *domain)
{
    const char *server = str_eq(domain, "docker.io") ? CREDENTIALS_HUB : domain;
    _cleanup_(credentials_finish) struct credentials c;
    _cleanup_json_ json_t *auth = NULL;
    _cleanup_free_ char *text = NULL, *encoded = NULL;
    struct err err = {0};

    if (credentials_get(cli, server, &c, &err) < 0)
        fprintf(stderr, "WARNING: %s: asking %s without credentials\n", err.message, domain);
    auth = credentials_json(&c, server);
    text = json_text(auth);
    encoded = base64_encode(text, strlen(text), /* url= */ true);
    return xasprintf("X-Registry-Auth: %s\r\n", encoded);
}

/* Servers of the file, those with a helper of their own, and those that the helper for all others lists. */
static char **all_servers(struct cli *cli)
{
    static const char *const keys[] = {"auths", "credHelpers"};
    const json_t *config = config_get(cli);
    const char *store = json_str(config, "credsStore"), *server;
    char **servers = NULL;
    json_t *value;

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        json_object_foreach (json_object_get(config, keys[i]), server, value)
            if (!strv_contains(servers, server))
                strv_push(&servers, server);
    if (!str_empty(store)) {
        _cleanup_(buf_finish) struct buf output = BUF_INIT(SECRET_MAX);
        struct err err = {0};
        _cleanup_json_ json_t *listed = NULL;

        if (run_helper(store, "list", "listing", "", &output, &err) < 0)
            fprintf(stderr, "WARNING: %s\n", err.message);
        listed = json_parse(buf_str(&output), output.len, store, NULL);
        json_object_foreach (listed, server, value)
            if (!strv_contains(servers, server))
                strv_push(&servers, server);
    }
    return servers;
}

char *credentials_all_header(struct cli *cli)
{
    _cleanup_strv_ char **servers = all_servers(cli);
    _cleanup_free_ char *text = NULL, *encoded = NULL;
    _cleanup_json_ json_t *all = json_object();

    for (char **server = servers; server && *server; server++) {
        _cleanup_(credentials_finish) struct credentials c;
        struct err err = {0};
        json_t *auth;

        if (credentials_get(cli, *server, &c, &err) < 0)
            fprintf(stderr, "WARNING: %s: asking %s without credentials\n", err.message, *server);
        auth = credentials_json(&c, *server);
        if (json_object_size(auth))
            json_object_set(all, *server, auth);
        json_decref(auth);
    }
    if (!json_object_size(all))
        return NULL;
    text = json_text(all);
    encoded = base64_encode(text, strlen(text), /* url= */ true);
    return xasprintf("X-Registry-Config: %s\r\n", encoded);
}

json_t *credentials_entries(struct cli *cli, struct err *err)
{
    _cleanup_strv_ char **servers = all_servers(cli);
    json_t *all = json_object();

    for (char **server = servers; server && *server; server++) {
        _cleanup_(credentials_finish) struct credentials c;

        if (credentials_get(cli, *server, &c, err) < 0) {
            json_decref(all);
            return NULL;
        }
        if (c.username)
            json_object_set_new(all, *server, entry_of(&c));
    }
    return all;
}

int credentials_store(struct cli *cli, const char *server, const struct credentials *c, bool *ret_plain,
                      struct err *err)
{
    const char *helper = helper_for(cli, server);
    json_t *auths = json_object_get(config_get(cli), "auths");
    _cleanup_json_ json_t *entry = entry_of(helper ? NULL : c);

    *ret_plain = !helper && !c->identity_token && !json_equal(json_object_get(auths, server), entry);
    if (helper && store_with_helper(helper, server, c, err) < 0)
        return -1;
    if (!json_is_object(auths)) {
        auths = json_object();
        json_object_set_new(cli->config, "auths", auths);
    }
    json_object_set(auths, server, entry);
    return config_save(cli, err);
}

int credentials_erase(struct cli *cli, const char *server, struct err *err)
{
    _cleanup_free_ char *bare = bare_server(server), *http = xasprintf("http://%s", bare),
                        *https = xasprintf("https://%s", bare);
    const char *const addresses[] = {server, http, https}; /* as older clients may have kept it */
    size_t n = str_eq(server, CREDENTIALS_HUB) ? 1 : ARRAY_SIZE(addresses), erased = 0;
    json_t *auths = json_object_get(config_get(cli), "auths");
    bool changed = false;

    for (size_t i = 0; i < n; i++) {
        _cleanup_(buf_finish) struct buf output = BUF_INIT(SECRET_MAX);
        const char *helper = helper_for(cli, addresses[i]);

        changed = json_object_del(auths, addresses[i]) == 0 || changed;
        erased += !helper || run_helper(helper, "erase", "erasing", addresses[i], &output, err) >= 0;
    }
    if (changed && config_save(cli, err) < 0)
        return -1;
    return erased ? 0 : -1;
}
