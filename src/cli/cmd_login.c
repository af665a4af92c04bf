/* keg login, logout. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/config.h"
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
        return xstrdup(CONFIG_HUB);
    return xstrndup(name, strcspn(name, "/"));
}

static char *read_stdin(struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(64 * 1024);

    if (fd_read_all(STDIN_FILENO, &text) < 0 || !text.len) {
        err_set(err, ERR_INVALID, "the password on STDIN is empty or too long");
        return NULL;
    }
    text.data[strcspn(text.data, "\r\n")] = '\0';
    return xstrdup(text.data);
}

/* Both from options, STDIN or the terminal. 0 or -1. */
static int ask_credentials(const struct args *args, char **ret_user, char **ret_password, struct err *err)
{
    const char *user = args_str(args, "username"), *password = args_str(args, "password");
    char line[1024];

    if (args_bool(args, "password-stdin")) {
        if (*password)
            return err_set(err, ERR_INVALID,
                           "conflicting options: cannot specify both --password and --password-stdin");
        if (!*user)
            return err_set(err, ERR_INVALID, "the --password-stdin option requires --username to be set");
        *ret_user = xstrdup(user);
        *ret_password = read_stdin(err);
        return *ret_password ? 0 : -1;
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
    *ret_user = xstrdup(user);
    *ret_password = *password ? xstrdup(password) : terminal_read_secret("Password: ");
    if (!*ret_password || !**ret_password)
        return err_set(err, ERR_INVALID, "Error: password is required");
    return 0;
}

static int login_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_free_ char *server = server_of(args), *user = NULL, *password = NULL, *path = config_path(cli);
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *answer = NULL;
    const char *token;

    if (ask_credentials(args, &user, &password, err) < 0)
        return -1;
    url_path(&url, "/auth", NULL);
    if (client_call(
            cli, "POST", &url,
            json_pack("{s:s, s:s, s:s}", "username", user, "password", password, "serveraddress", server),
            &answer, err) < 0)
        return -1;
    token = json_str(answer, "IdentityToken");
    if (config_store_login(cli, server, user, str_empty(token) ? password : token, err) < 0)
        return -1;
    if (!config_str(cli, "credsStore"))
        fprintf(stderr, "\nWARNING! Your credentials are stored unencrypted in '%s'.\n\n", path);
    puts(json_str_or(answer, "Status", "Login Succeeded"));
    return 0;
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

static int logout_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_free_ char *server = server_of(args);

    if (!config_has_login(cli, server)) {
        printf("Not logged in to %s\n", server);
        return 0;
    }
    printf("Removing login credentials for %s\n", server);
    return config_store_login(cli, server, NULL, NULL, err);
}

const struct command cmd_logout = {
    .paths = "logout",
    .summary = "Log out of a registry",
    .arguments = "[SERVER]",
    .max_arguments = 1,
    .flags = COMMAND_COMMON,
    .run = logout_run,
};
