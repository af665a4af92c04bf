/* The daemon's REST API: connecting (starting the daemon when that is ours to do), versions, errors, and calls.
 *
 * No request is spent on agreeing on a version: calls go out with the newest version known here, and should the daemon
 * answer that it knows only an older one, that one is used from then on. */
#ifndef KEG_CLI_CLIENT_H
#define KEG_CLI_CLIENT_H

#include <jansson.h>

#include "cli/cli.h"
#include "cli/http.h"

#define CLIENT_DEFAULT_HOST "unix:///run/keg/keg.sock"
#define CLIENT_API_VERSION  "1.51"
#define CLIENT_ERROR_PREFIX "Error response from daemon: "

void client_free(struct client *client);
/* A new connection to the daemon, which is started where that is ours to do. */
int client_dial(struct cli *cli, struct err *err);

/* A URL below the version: pieces up to NULL, every second one escaped: url_path(&u, "/containers/", name, "/json", NULL). */
enum { URL_MAX = 512 * 1024 };
#define URL_INIT BUF_INIT(URL_MAX)
void url_path(struct buf *url, ...) __attribute__((sentinel));
/* Adds a parameter; NULL or "" values are left out. */
void url_add(struct buf *url, const char *key, const char *value);
void url_add_bool(struct buf *url, const char *key, bool value); /* "1", or nothing */
/* A platform ("linux/arm64/v8") in the form that the API takes it, JSON. "": left out. ERR_INVALID. */
int url_add_platform(struct buf *url, const char *key, const char *platform, struct err *err);
/* filters={"name":{"value":true}} of --filter values ("name=value"). */
void url_add_filters(struct buf *url, char *const *filters);

/* One call with JSON both ways. `body` is consumed and may be NULL; ret may be NULL. The answer is NULL when there is
 * none (204). A daemon's error has CLIENT_ERROR_PREFIX and the kind of its status. */
int client_call(struct cli *cli, const char *method, const struct buf *url, json_t *body, json_t **ret,
                struct err *err);
/* GET of "/pieces…" (as url_path takes them). NULL on failure. */
json_t *client_get(struct cli *cli, const struct buf *url, struct err *err);

struct client_request {
    const char *method;
    const struct buf *url;
    json_t *body;             /* consumed; or NULL */
    const char *content_type; /* of a streamed body */
    const char *headers;
    bool stream; /* the caller sends the body by http_send_chunk() and then calls client_begin_reply() */
    bool upgrade;
};

/* Sends the request and reads the head of the answer; a status of 400 or more is an error. The connection is the
 * caller's: client_end() gives it back. NULL on failure. */
struct http *client_open(struct cli *cli, const struct client_request *request, struct err *err);
/* POSTs what is in the file from its position on by handing its descriptor over, which spares both sides copying it: the
 * connection, for client_begin_reply(). NULL: that can't be (no regular file, the daemon isn't on this host, or not keg's);
 * nothing has happened yet. */
struct http *client_hand_over(struct cli *cli, const struct buf *url, int file);
/* For a streamed request: reads the head of the answer. 0 or -1 (then the connection still must be ended). */
int client_begin_reply(struct http *http, struct err *err);
/* Keeps the connection for the next call, if it can be, else closes it. */
void client_end(struct cli *cli, struct http *http);

/* Calls `each` for every JSON value of a stream until its end or until `each` returns non-zero (which is returned). */
int client_each_json(struct http *http, int (*each)(const json_t *value, void *arg, struct err *err),
                     void *arg, struct err *err);

/* Starts kegd for the socket of `host` in the background and waits until it answers. */
int daemon_start(const char *host, bool host_is_default, struct err *err);

#endif
