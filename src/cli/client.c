/* Calls of the REST API. */
#include "cli/client.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "cli/config.h"
#include "cli/dial.h"

enum { ANSWER_MAX = 512 * 1024 * 1024 };
#define CLIENT_FILE_PROTOCOL "keg-file"

struct client {
    struct http *idle; /* a connection between two requests, or NULL */
    char version[16];
    char *headers; /* the user's own */
};

void client_free(struct client *client)
{
    if (!client)
        return;
    http_free(client->idle);
    free(client->headers);
    free(client);
}

static struct client *get_client(struct cli *cli)
{
    const char *version;

    if (cli->client)
        return cli->client;
    cli->client = xcalloc(1, sizeof(*cli->client));
    cli->client->headers = config_headers(cli);
    version = getenv("KEG_API_VERSION");
    if (!version)
        version = getenv("DOCKER_API_VERSION");
    snprintf(cli->client->version, sizeof(cli->client->version), "%s",
             version ? version : CLIENT_API_VERSION);
    return cli->client;
}

/* ---- URLs ---- */

static void append_escaped(struct buf *url, const char *s, const char *also_plain)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

    for (; *s; s++)
        if (strchr(plain, *s) || strchr(also_plain, *s))
            buf_putc(url, *s);
        else
            buf_printf(url, "%%%02X", (unsigned char)*s);
}

void url_path(struct buf *url, ...)
{
    va_list ap;
    bool escape = false;

    va_start(ap, url);
    for (const char *piece = va_arg(ap, const char *); piece;
         piece = va_arg(ap, const char *), escape = !escape)
        append_escaped(url, piece, escape ? "/:@+" : "/:@+?=&%"); /* ours: escaped where it has to be */
    va_end(ap);
}

void url_add(struct buf *url, const char *key, const char *value)
{
    if (str_empty(value))
        return;
    buf_putc(url, strchr(buf_str(url), '?') ? '&' : '?');
    buf_printf(url, "%s=", key);
    append_escaped(url, value, "");
}

void url_add_bool(struct buf *url, const char *key, bool value)
{
    url_add(url, key, value ? "1" : NULL);
}

int url_add_platform(struct buf *url, const char *key, const char *platform, struct err *err)
{
    _cleanup_strv_ char **parts = str_empty(platform) ? NULL : strv_split(platform, '/');
    size_t n = strv_len(parts);
    _cleanup_json_ json_t *json = NULL;
    _cleanup_free_ char *text = NULL;

    if (n == 0)
        return 0;
    if (n > 3 || !*parts[0] || !*parts[n - 1])
        return err_set(err, ERR_INVALID, "invalid platform: \"%s\": it should look like linux/arm64/v8",
                       platform);
    json = json_pack("{s:s, s:s, s:s*}", "architecture", parts[n > 1], "os", n > 1 ? parts[0] : "linux",
                     "variant", n > 2 ? parts[2] : NULL);
    text = json ? json_text(json) : NULL;
    url_add(url, key, text);
    return text ? 0 : err_set(err, ERR_INVALID, "invalid platform: it is no valid UTF-8");
}

void url_add_filters(struct buf *url, char *const *filters)
{
    _cleanup_json_ json_t *all = json_object();
    _cleanup_free_ char *text = NULL;

    for (; filters && *filters; filters++) {
        const char *equals = strchr(*filters, '=');
        _cleanup_free_ char *name = NULL;
        json_t *values;

        if (!equals)
            continue;
        name = xstrndup(*filters, (size_t)(equals - *filters));
        while (*name && name[strlen(name) - 1] == ' ')
            name[strlen(name) - 1] = '\0';
        for (char *c = name; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        values = json_object_get(all, name);
        if (!values) {
            values = json_object();
            json_object_set_new(all, name, values);
        }
        json_object_set_new(values, equals + 1 + strspn(equals + 1, " "), json_true());
    }
    if (!json_object_size(all))
        return;
    text = json_text(all);
    url_add(url, "filters", text);
}

/* ---- requests ---- */

static bool may_start(const struct endpoint *e)
{
    const char *wish = getenv("KEG_START");
    bool start = e->is_default;

    if (wish)
        str_to_bool(wish, &start);
    return start && str_starts(e->host, "unix://");
}

int client_dial(struct cli *cli, struct err *err)
{
    const struct endpoint *e = endpoint_get(cli, err);
    struct err why = {0};
    int fd;

    if (!e)
        return -1;
    fd = dial(e, &why);
    if (fd < 0 && (why.errnum == ENOENT || why.errnum == ECONNREFUSED) && may_start(e)) {
        if (daemon_start(e->host, e->is_default, err) < 0)
            return -1;
        fd = dial(e, &why);
    }
    if (fd >= 0)
        return fd;
    if (why.errnum == EACCES)
        return err_set(err, ERR_FORBIDDEN,
                       "permission denied while trying to connect to the keg daemon at %s: run keg as root,"
                       " or as a member of the socket's group",
                       e->host);
    if (why.kind == ERR_UNAVAILABLE && why.errnum)
        return err_set(err, ERR_UNAVAILABLE, "Cannot connect to the keg daemon at %s. Is kegd running? (%s)",
                       e->host, strerror(why.errnum));
    return err_pass(err, &why);
}

static struct http *connect_daemon(struct cli *cli, struct err *err)
{
    int fd = client_dial(cli, err);

    return fd < 0 ? NULL : http_new(fd);
}

/* The error that an answer of 400 or more carries. Always -1. */
static int read_failure(struct http *http, int status, struct err *err)
{
    static const struct {
        int status;
        enum err_kind kind;
    } kinds[] = {{400, ERR_INVALID},  {401, ERR_UNAUTHORIZED},    {403, ERR_FORBIDDEN},  {404, ERR_NOT_FOUND},
                 {409, ERR_CONFLICT}, {501, ERR_NOT_IMPLEMENTED}, {503, ERR_UNAVAILABLE}};
    _cleanup_(buf_finish) struct buf body = BUF_INIT(1024 * 1024);
    _cleanup_json_ json_t *json = NULL;
    enum err_kind kind = ERR_SYSTEM;
    const char *message;

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].status == status)
            kind = kinds[i].kind;
    http_read_all(http, &body, NULL);
    json = json_parse(buf_str(&body), body.len, "answer", NULL);
    message = json_str(json, "message");
    if (message)
        return err_set(err, kind, CLIENT_ERROR_PREFIX "%s", message);
    return err_set(err, kind, CLIENT_ERROR_PREFIX "%.*s (status %d)", (int)strcspn(buf_str(&body), "\n"),
                   buf_str(&body), status);
}

/* Whether the daemon knows only an older version of the API, which then is the one to use. */
static bool learn_version(struct client *client, const struct err *err)
{
    const char *at = strstr(err->message, "aximum supported API version is ");
    char version[sizeof(client->version)];

    if (err->kind != ERR_INVALID || !at || sscanf(at, "%*s %*s %*s %*s %*s %15[0-9.]", version) != 1)
        return false;
    while (*version && version[strlen(version) - 1] == '.')
        version[strlen(version) - 1] = '\0';
    if (str_eq(version, client->version))
        return false;
    memcpy(client->version, version, sizeof(version));
    return true;
}

static struct http *send_request(struct cli *cli, const struct client_request *request, const char *body,
                                 struct err *err)
{
    struct client *client = get_client(cli);
    struct http *http = client->idle ? client->idle : connect_daemon(cli, err);
    _cleanup_free_ char *target = xasprintf("/v%s%s", client->version, buf_str(request->url));
    _cleanup_free_ char *headers =
        xasprintf("%s%s", client->headers, request->headers ? request->headers : "");
    struct http_request r = {.method = request->method,
                             .target = target,
                             .content_type = body ? "application/json" : request->content_type,
                             .headers = headers,
                             .body = body,
                             .body_len = body ? strlen(body) : 0,
                             .stream = request->stream,
                             .upgrade = request->upgrade};

    client->idle = NULL;
    if (http && http_send(http, &r, err) < 0) {
        http_free(http);
        http = NULL;
    }
    return http;
}

/* A connection that stood and broke off before anything was answered. */
static void explain_loss(const struct endpoint *e, struct err *err)
{
    if (str_starts(e->host, "ssh://"))
        dial_explain(err);
    else if (e->tls && !e->cert)
        err_set(err, ERR_UNAVAILABLE,
                "error during connect: %s: the daemon has closed the connection: does it want a certificate "
                "(--tlscert, "
                "--tlskey)?",
                e->host);
    else if (e->tls)
        err_wrap(err, "error during connect: %s: is it a certificate that the daemon trusts?", e->host);
}

/* A URL in which a name is missing: "/containers//json", "/networks/". */
static int check_names(const char *url, struct err *err)
{
    static const char *const kinds[] = {"container", "network", "volume"};

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const char *rest = *url == '/' ? str_after(url + 1, kinds[i]) : NULL;

        rest = rest ? str_after(rest, "s/") : NULL;
        if (rest && strchr("/?", *rest)) /* the terminator as well */
            return err_set(err, ERR_INVALID, "invalid %s name or ID: value is empty", kinds[i]);
    }
    return 0;
}

struct http *client_open(struct cli *cli, const struct client_request *request, struct err *err)
{
    _cleanup_free_ char *body = request->body ? json_text(request->body) : NULL;
    struct client *client = get_client(cli);

    json_decref(request->body);
    if (check_names(buf_str(request->url), err) < 0)
        return NULL;
    for (int attempt = 0; attempt < 3; attempt++) {
        bool reused = client->idle != NULL;
        struct err why = {0};
        struct http *http = send_request(cli, request, body, &why);
        int status;

        if (http && request->stream)
            return http;
        status = http ? http_read_head(http, &why) : -1;
        if (status >= 0 && status < 400)
            return http;
        if (status >= 400)
            read_failure(http, status, &why);
        http_free(http);
        if (!reused && status < 0 && (http || why.errnum == EPIPE || why.errnum == ECONNRESET))
            explain_loss(cli->endpoint, &why);
        if (status >= 400 ? !learn_version(client, &why) : !reused) {
            if (err)
                *err = why;
            return NULL;
        }
    }
    err_set(err, ERR_UNAVAILABLE, "the daemon at %s doesn't answer as one", cli->endpoint->host);
    return NULL;
}

/* ---- bodies that are handed over ---- */

static bool may_hand_over(struct cli *cli, int file)
{
    const struct endpoint *e = endpoint_get(cli, NULL);
    struct stat st;
    int flags = fcntl(file, F_GETFL);

    return e && str_starts(e->host, "unix://") && flags >= 0 && (flags & O_ACCMODE) == O_RDONLY &&
           fstat(file, &st) == 0 && S_ISREG(st.st_mode);
}

/* Others would take a request without a body for one with an empty file. */
static bool is_keg(struct cli *cli)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct http *http;
    const char *server;
    bool is;

    url_path(&url, "/_ping", NULL);
    http = client_open(cli, &(struct client_request){.method = "HEAD", .url = &url}, NULL);
    server = http ? http_header(http, "Server") : NULL;
    is = server && str_starts(server, "keg/");
    client_end(cli, http);
    return is;
}

struct http *client_hand_over(struct cli *cli, const struct buf *url, int file)
{
    const struct client_request request = {.method = "POST",
                                           .url = url,
                                           .headers = "Connection: Upgrade\r\nUpgrade: " CLIENT_FILE_PROTOCOL
                                                      "\r\n"};
    struct http *http;

    if (!may_hand_over(cli, file) || !is_keg(cli))
        return NULL;
    http = client_open(cli, &request, NULL);
    if (http && str_eq(http_header(http, "Upgrade"), CLIENT_FILE_PROTOCOL) && http_send_file(http, file) == 0)
        return http;
    http_free(http);
    return NULL;
}

int client_begin_reply(struct http *http, struct err *err)
{
    int status = http_read_head(http, err);

    return status >= 400 ? read_failure(http, status, err) : MIN_OF(status, 0);
}

void client_end(struct cli *cli, struct http *http)
{
    struct client *client = get_client(cli);

    if (http && http_is_reusable(http) && !client->idle)
        client->idle = http;
    else
        http_free(http);
}

int client_call(struct cli *cli, const char *method, const struct buf *url, json_t *body, json_t **ret,
                struct err *err)
{
    struct client_request request = {.method = method, .url = url, .body = body};
    _cleanup_(buf_finish) struct buf answer = BUF_INIT(ANSWER_MAX);
    struct http *http = client_open(cli, &request, err);
    int r;

    if (ret)
        *ret = NULL;
    if (!http)
        return -1;
    r = http_read_all(http, &answer, err);
    client_end(cli, http);
    if (r < 0)
        return -1;
    if (ret && answer.len && !str_starts(answer.data, "null")) {
        *ret = json_parse(answer.data, answer.len, "the daemon's answer", err);
        return *ret ? 0 : -1;
    }
    return 0;
}

json_t *client_get(struct cli *cli, const struct buf *url, struct err *err)
{
    json_t *answer;

    if (client_call(cli, "GET", url, NULL, &answer, err) < 0)
        return NULL;
    if (!answer)
        err_set(err, ERR_SYSTEM, "the daemon's answer to %s is empty", buf_str(url));
    return answer;
}

/* ---- streams of JSON ---- */

/* Finds the end of the value that starts in text: the length up to it, 0 when it isn't all there yet. */
static size_t value_length(const char *text, size_t len)
{
    bool quoted = false;
    int depth = 0;

    for (size_t i = 0; i < len; i++) {
        if (quoted) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                quoted = false;
        } else if (text[i] == '"') {
            quoted = true;
        } else if (text[i] == '{' || text[i] == '[') {
            depth++;
        } else if ((text[i] == '}' || text[i] == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

int client_each_json(struct http *http, int (*each)(const json_t *value, void *arg, struct err *err),
                     void *arg, struct err *err)
{
    _cleanup_(buf_finish) struct buf input = BUF_INIT(ANSWER_MAX);
    char *room;

    while ((room = buf_reserve(&input, 16 * 1024))) {
        ssize_t n = http_read(http, room, 16 * 1024, err);
        size_t used;

        if (n <= 0)
            return (int)n;
        input.len += (size_t)n;
        while ((used = value_length(input.data, input.len))) {
            _cleanup_json_ json_t *value = json_parse(input.data, used, "the daemon's answer", err);
            int r = value ? each(value, arg, err) : -1;

            if (r)
                return r;
            buf_consume(&input, used);
        }
    }
    return err_set(err, ERR_SYSTEM, "the daemon's answer is too large");
}
