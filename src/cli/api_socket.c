/* --use-api-socket, as docker's client carries it out: one mount more, and a config.json that is copied before the start. */
#include "cli/api_socket.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/credentials.h"
#include "cli/endpoint.h"
#include "tar/writer.h"

#define SOCKET     "/var/run/docker.sock" /* where programs in the container look for it */
#define CONFIG_DIR "/run/secrets/docker"

enum { ARCHIVE_MAX = 1024 * 1024 };

/* The socket of the daemon that is spoken to; of one on another host, or behind TCP, Docker's own place. */
static const char *own_socket(struct cli *cli, struct err *err)
{
    const struct endpoint *endpoint = endpoint_get(cli, err);
    const char *path = endpoint ? str_after(endpoint->host, "unix://") : NULL;

    return path || !endpoint ? path : SOCKET;
}

/* The array of that name, made if it isn't there or null. */
static json_t *array_in(json_t *object, const char *key)
{
    if (!json_is_array(json_object_get(object, key)))
        json_object_set_new(object, key, json_array());
    return json_object_get(object, key);
}

static bool has_variable(const json_t *list, const char *start)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        if (str_starts(json_string_value(item), start))
            return true;
    return false;
}

int api_socket_add(struct cli *cli, json_t *body, json_t **ret_auths, struct err *err)
{
    const char *path = own_socket(cli, err);
    json_t *mounts, *variables = array_in(body, "Env");

    *ret_auths = NULL;
    if (!path)
        return -1;
    mounts = array_in(json_object_get(body, "HostConfig"), "Mounts");
    json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:{}}", "Type", "bind", "Source", path, "Target",
                                            SOCKET, "BindOptions"));
    if (has_variable(variables, "DOCKER_CONFIG="))
        return 0;
    *ret_auths = credentials_entries(cli, err);
    if (!*ret_auths)
        return err_wrap(err, "resolving credentials failed");
    if (json_object_size(*ret_auths)) {
        json_array_append_new(variables, json_string("DOCKER_CONFIG=" CONFIG_DIR));
    } else {
        json_decref(*ret_auths);
        *ret_auths = NULL;
    }
    return 0;
}

static int take(void *arg, const void *data, size_t len, struct err *err)
{
    return buf_append(arg, data, len) < 0 ? err_set(err, ERR_INVALID, "too many credentials") : 0;
}

/* An archive with that one file. */
static int pack(const char *text, struct buf *out, struct err *err)
{
    char path[] = "run/secrets/docker/config.json", nothing[] = "";
    const struct tar_entry entry = {
        .type = TAR_FILE, .path = path, .link = nothing, .mode = 0600, .size = (int64_t)strlen(text)};
    struct sink sink;
    int r;

    sink_init_taker(&sink, take, out);
    r = tar_write_header(&sink, &entry, err) < 0 || sink_write(&sink, text, strlen(text), err) < 0 ||
                tar_write_padding(&sink, entry.size, err) < 0 || tar_write_end(&sink, err) < 0 ||
                sink_flush(&sink, err) < 0
            ? -1
            : 0;
    sink_finish(&sink);
    return r;
}

int api_socket_copy(struct cli *cli, const char *id, const json_t *auths, struct err *err)
{
    _cleanup_json_ json_t *config = json_pack("{s:O}", "auths", auths);
    _cleanup_free_ char *text = json_dumps(config, JSON_INDENT(4));
    _cleanup_(buf_finish) struct buf url = URL_INIT, archive = BUF_INIT(ARCHIVE_MAX);
    const struct client_request request = {
        .method = "PUT", .url = &url, .content_type = "application/x-tar", .stream = true};
    struct http *http;
    int r;

    url_path(&url, "/containers/", id, "/archive", NULL);
    url_add(&url, "path", "/");
    if (pack(text, &archive, err) < 0)
        return -1;
    http = client_open(cli, &request, err);
    r = http && http_send_chunk(http, archive.data, archive.len, err) == 0 &&
                http_send_chunk(http, NULL, 0, err) == 0
            ? client_begin_reply(http, err)
            : -1;
    http_free(http);
    return r < 0
               ? err_wrap(err, "injecting docker config.json into container failed: copying config.json into "
                               "container failed")
               : 0;
}
