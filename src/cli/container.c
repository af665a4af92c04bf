/* Calls on one container. */
#include "cli/container.h"

#include "cli/client.h"

json_t *container_inspect(struct cli *cli, const char *name, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;

    url_path(&url, "/containers/", name, "/json", NULL);
    return client_get(cli, &url, err);
}

struct http *container_attach(const struct session *s, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {
        .method = "POST", .url = &url, .content_type = "text/plain", .upgrade = true};

    url_path(&url, "/containers/", s->id, "/attach?stream=1", NULL);
    url_add_bool(&url, "stdin", s->input);
    url_add_bool(&url, "stdout", s->output);
    url_add_bool(&url, "stderr", s->errors);
    url_add(&url, "detachKeys", s->detach_keys);
    return client_open(s->cli, &request, err);
}

struct http *container_wait(struct cli *cli, const char *id, const char *condition, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {.method = "POST", .url = &url};

    url_path(&url, "/containers/", id, "/wait", NULL);
    url_add(&url, "condition", condition);
    return client_open(cli, &request, err);
}

int container_start(struct cli *cli, const char *name, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;

    url_path(&url, "/containers/", name, "/start", NULL);
    return client_call(cli, "POST", &url, NULL, NULL, err);
}
