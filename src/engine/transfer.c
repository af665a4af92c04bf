/* Progress of images on the move, as a stream of JSON lines. */
#include "engine/transfer.h"

#include <poll.h>

#include "base/buf.h"
#include "base/json.h"
#include "engine/system.h"

int transfer_write(struct transfer *t, const json_t *line)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(1024 * 1024);

    json_append(&b, line);
    buf_puts(&b, "\r\n");
    t->begun = true;
    return t->sink->write(t->sink->arg, buf_str(&b), b.len);
}

int transfer_report(void *arg, const struct image_progress *progress)
{
    _cleanup_json_ json_t *line = image_progress_json(progress);

    return transfer_write(arg, line);
}

int transfer_say(struct transfer *t, const char *key, const char *text)
{
    _cleanup_json_ json_t *line = json_object();

    json_set_str(line, key, text);
    return transfer_write(t, line);
}

int transfer_fail(struct engine *e, struct transfer *t, struct err *err)
{
    _cleanup_json_ json_t *line = json_object(), *detail = json_object();

    if (t->begun && err && err->kind != ERR_CANCELLED) {
        engine_advise(e, err);
        json_set_str(detail, "message", err->message);
        json_object_set(line, "errorDetail", detail);
        json_set_str(line, "error", err->message);
        transfer_write(t, line);
    }
    return -1;
}

bool transfer_is_abandoned(const struct engine_sink *sink)
{
    struct pollfd p = {.fd = sink->client_fd, .events = POLLRDHUP};

    return sink->client_fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

bool transfer_gone(void *arg)
{
    const struct transfer *t = arg;

    return transfer_is_abandoned(t->sink);
}

struct registry_auth transfer_auth(const json_t *auth)
{
    return (struct registry_auth){
        .username = json_str(auth, "username"),
        .password = json_str(auth, "password"),
        .identity_token = json_str(auth, "identitytoken"),
        .registry_token = json_str(auth, "registrytoken"),
        .server_address = json_str(auth, "serveraddress"),
    };
}
