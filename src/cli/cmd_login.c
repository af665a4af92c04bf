/* keg login, logout. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/credentials.h"
#include "cli/terminal.h"

static const struct option_row login_options[] = {
    {"password", 'p', OPTION_STRING, "Password or token"},
    {"password-stdin", 0, OPTION_BOOL, "Read the password from STDIN"},
    {"username", 'u', OPTION_STRING, "User name"},
    {NULL},
};

/* "registry:5000", "https://registry/v2/" → "registry"; none is the hub. The caller frees. */
static char *server_of(const struct args *args)
{
    const char *name = args->rest_count ? args->rest[0] : "", *rest = str_after(name, "https://");

    if (!rest)
        rest = str_after(name, "http://");
    name = rest ? rest : name;
    if (!*name || str_starts(name, "docker.io") || str_starts(name, "index.docker.io"))
        return xstrdup(CREDENTIALS_HUB);
    return xstrndup(name, strcspn(name, "/"));
}

static char *read_stdin(struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(64 * 1024);

    if (fd_read_all(STDIN_FILENO, &text) < 0 || !text.len) {
        err_set(err, ERR_INVALID, "%s",
                text.len ? "the password on STDIN is too long"
                         : "Error: Cannot perform an interactive login from a non TTY device");
        return NULL;
    }
    text.data[strcspn(text.data, "\r\n")] = '\0';
    return xstrdup(text.data);
}

/* Both from options, STDIN or the terminal. 0 or -1. */
static int ask_credentials(const struct args *args, struct credentials *ret, struct err *err)
{
    const char *user = args_str(args, "username"), *password = args_str(args, "password");
    char line[1024];

    *ret = (struct credentials){0};
    if (args_bool(args, "password-stdin")) {
        if (*password)
            return err_set(err, ERR_INVALID,
                           "conflicting options: cannot specify both --password and --password-stdin");
        if (!*user)
            return err_set(err, ERR_INVALID, "the --password-stdin option requires --username to be set");
        ret->username = xstrdup(user);
        ret->password = read_stdin(err);
        return ret->password ? 0 : -1;
    }
    if (*password)
        fputs("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n", stderr);
    if ((!*user || !*password) && !terminal_is(STDIN_FILENO))
        return err_set(err, ERR_INVALID, "Error: Cannot perform an interactive login from a non TTY device");
    if (!*user) {
        fputs("Username: ", stdout);
        fflush(stdout);
        if (!fgets(line, sizeof(line), stdin))
            return err_set(err, ERR_INVALID, "Error: username is required");
        line[strcspn(line, "\r\n")] = '\0';
        user = line;
    }
    ret->username = xstrdup(user);
    ret->password = *password ? xstrdup(password) : terminal_read_secret("Password: ");
    if (str_empty(ret->password))
        return err_set(err, ERR_INVALID, "Error: password is required");
    return 0;
}

/* Asks the registry whether they are right, and keeps them. */
static int log_in(struct cli *cli, const char *server, struct credentials *c, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *answer = NULL;
    bool plain;

    url_path(&url, "/auth", NULL);
    if (client_call(cli, "POST", &url, credentials_json(c, server), &answer, err) < 0)
        return -1;
    if (!str_empty(json_str(answer, "IdentityToken"))) {
        free(c->identity_token);
        c->identity_token = xstrdup(json_str(answer, "IdentityToken"));
    }
    if (credentials_store(cli, server, c, &plain, err) < 0)
        return -1;
    if (plain) {
        _cleanup_free_ char *path = config_path(cli);

        fprintf(stderr,
                "\nWARNING! Your credentials are stored unencrypted in '%s'.\n"
                "A credential helper, named there as \"credsStore\", keeps them better.\n\n",
                path);
    }
    puts(json_str_or(answer, "Status", "Login Succeeded"));
    return 0;
}

/* With what is kept already. 1: nothing is, or it isn't right any more. */
static int log_in_again(struct cli *cli, const char *server, struct err *err)
{
    _cleanup_(credentials_finish) struct credentials c;
    struct err own = {0};

    if (credentials_get(cli, server, &c, err) < 0)
        return -1;
    if (str_empty(c.username) || (str_empty(c.password) && str_empty(c.identity_token)))
        return 1;
    printf("Authenticating with existing credentials... [Username: %s]\n\n"
           " Info -> To log in as somebody else, use 'keg logout' first\n\n",
           c.username);
    fflush(stdout);
    if (log_in(cli, server, &c, &own) == 0)
        return 0;
    fprintf(stderr, "Login did not succeed, error: %s\n", own.message);
    return 1;
}

static int login_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_free_ char *server = server_of(args);
    _cleanup_(credentials_finish) struct credentials c = {0};

    if (!*args_str(args, "username") && !*args_str(args, "password") && !args_bool(args, "password-stdin")) {
        int r = log_in_again(cli, server, err);

        if (r <= 0)
            return r;
    }
    return ask_credentials(args, &c, err) < 0 ? -1 : log_in(cli, server, &c, err);
}

const struct command cmd_login = {
    .paths = "login",
    .summary = "Log in to a registry",
    .arguments = "[OPTIONS] [SERVER]",
    .max_arguments = 1,
    .flags = COMMAND_COMMON,
    .options = {login_options},
    .run = login_run,
};

static int logout_run(struct cli *cli, const struct args *args, struct err *err _unused_)
{
    _cleanup_free_ char *server = server_of(args);
    struct err own = {0};

    printf("Removing login credentials for %s\n", server);
    fflush(stdout);
    if (credentials_erase(cli, server, &own) < 0)
        fprintf(stderr, "WARNING: could not erase credentials:\n%s: %s\n", server, own.message);
    return 0;
}

const struct command cmd_logout = {
    .paths = "logout",
    .summary = "Log out of a registry",
    .arguments = "[SERVER]",
    .max_arguments = 1,
    .flags = COMMAND_COMMON,
    .run = logout_run,
};
