/* keg-registry's loop. The main thread only receives; every request runs in a thread that owns its
 * descriptors, so a slow blob holds up nobody. */
#include "image/worker/serve.h"

#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "image/digest.h"
#include "image/registry_protocol.h"
#include "image/worker/client.h"
#include "image/worker/privileges.h"

#define PROGRESS_INTERVAL (100 * 1000000LL)

static struct err unusable; /* why there is no client: the answer to every request */

struct request {
    struct client *client; /* NULL: the repository couldn't be opened */
    json_t *packet;
    int reply, out; /* out: where bytes go, or come from */
    struct client_watch watch;
    int64_t last_progress;
};

static void request_free(struct request *q)
{
    json_decref(q->packet);
    close_fd(&q->reply);
    close_fd(&q->out);
    free(q);
}

static bool request_cancelled(void *arg)
{
    const struct request *q = arg;
    struct pollfd p = {.fd = q->reply, .events = POLLRDHUP};

    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

static void request_progress(void *arg, int64_t bytes)
{
    struct request *q = arg;
    int64_t now = clock_monotonic();
    char text[64];
    int len;

    if (now - q->last_progress < PROGRESS_INTERVAL)
        return;
    q->last_progress = now;
    len = snprintf(text, sizeof(text), "{\"progress\":%lld}", (long long)bytes);
    send(q->reply, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT); /* a missed one doesn't matter */
}

static json_t *op_manifest(struct request *q, struct err *err)
{
    const char *reference = json_str_or(q->packet, "reference", "");

    return client_manifest(q->client, reference, json_str_or(q->packet, "display", reference), q->out,
                           &q->watch, err);
}

static json_t *op_blob(struct request *q, struct err *err)
{
    const char *digest = json_str(q->packet, "digest");

    if (!digest_valid(digest)) {
        err_set(err, ERR_INVALID, "invalid digest");
        return NULL;
    }
    return client_blob(q->client, digest, json_int_or(q->packet, "size", -1), q->out, &q->watch, err);
}

static json_t *op_push_blob(struct request *q, struct err *err)
{
    _cleanup_strv_ char **sources = json_strv(q->packet, "sources");
    const char *digest = json_str(q->packet, "digest");

    if (!digest_valid(digest)) {
        err_set(err, ERR_INVALID, "invalid digest");
        return NULL;
    }
    return client_push_blob(q->client, digest, sources, q->out, &q->watch, err);
}

static json_t *op_push_manifest(struct request *q, struct err *err)
{
    return client_push_manifest(q->client, json_str_or(q->packet, "reference", ""),
                                json_str_or(q->packet, "media_type", ""), q->out, &q->watch, err);
}

static json_t *op_document(struct request *q, struct err *err)
{
    const char *path = json_str_or(q->packet, "path", "");

    if (*path != '/') {
        err_set(err, ERR_INVALID, "keg-registry: a path begins with a slash");
        return NULL;
    }
    return client_document(q->client, path, q->out, &q->watch, err);
}

static json_t *op_url(struct request *q, struct err *err)
{
    const char *url = json_str_or(q->packet, "url", "");

    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        err_set(err, ERR_INVALID, "a URL begins with http:// or https://");
        return NULL;
    }
    return client_url(q->client, url, q->out, &q->watch, err);
}

static json_t *op_login(struct request *q, struct err *err)
{
    return client_login(q->client, err);
}

/* To add a request: a row, and its description in registry_protocol.h. */
static const struct {
    const char *op;
    json_t *(*run)(struct request *q, struct err *err);
    bool needs_file;
} ops[] = {
    {"manifest", op_manifest, true},   {"blob", op_blob, true},
    {"push-blob", op_push_blob, true}, {"push-manifest", op_push_manifest, true},
    {"document", op_document, true},   {"url", op_url, true},
    {"login", op_login, false},
};

static json_t *dispatch(struct request *q, struct err *err)
{
    const char *op = json_str(q->packet, "op");

    if (!q->client) {
        *err = unusable;
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
        if (str_eq(op, ops[i].op) && (q->out >= 0 || !ops[i].needs_file))
            return ops[i].run(q, err);
    err_set(err, ERR_NOT_IMPLEMENTED, "keg-registry doesn't do \"%s\"", op ? op : "");
    return NULL;
}

static void *run_request(void *arg)
{
    struct request *q = arg;
    struct err err = {0};
    json_t *ok = dispatch(q, &err), *packet;
    _cleanup_free_ char *text = NULL;

    close_fd(&q->out); /* the reader's end of file comes before the reply */
    if (ok)
        packet = json_pack("{s:o}", "ok", ok);
    else
        packet = json_from_err(&err);
    text = json_text(packet);
    if (text)
        fd_send_message(q->reply, text, strlen(text), NULL, 0);
    json_decref(packet);
    request_free(q);
    return NULL;
}

/* Takes the packet: threads share no JSON values. */
static void start_request(struct client *client, json_t *packet, int *fds, size_t nfds)
{
    struct request *q = xcalloc(1, sizeof(*q));
    pthread_attr_t attr;
    pthread_t thread;

    q->client = client;
    q->watch = (struct client_watch){request_cancelled, request_progress, q};
    q->packet = packet;
    q->reply = nfds > 0 ? fds[0] : -EBADF;
    q->out = nfds > 1 ? fds[1] : -EBADF;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 512 * 1024);
    if (pthread_create(&thread, &attr, run_request, q) != 0)
        request_free(q); /* the closed reply socket tells */
    pthread_attr_destroy(&attr);
}

/* The next packet, or NULL at the end. */
static json_t *receive_packet(int sock, int fds[2], size_t *ret_nfds)
{
    static char data[REGISTRY_PACKET_MAX];
    ssize_t n = fd_receive_message(sock, data, sizeof(data), fds, 2, ret_nfds);

    return n <= 0 ? NULL : json_parse(data, (size_t)n, "packet", NULL);
}

/* Go's programs, which kegd behaves like, know the upper-case name too; curl does not. */
static void adopt_proxy(void)
{
    const char *proxy = getenv("HTTP_PROXY");

    if (proxy && !getenv("http_proxy"))
        setenv("http_proxy", proxy, 0);
}

int serve_registry(int sock, pid_t parent)
{
    _cleanup_json_ json_t *open = NULL;
    struct client *client; /* lives as long as the process: requests may still run when the loop ends */
    struct err err = {0};
    size_t nfds = 0;
    int fds[2];

    signal(SIGPIPE, SIG_IGN);
    adopt_proxy();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    open = receive_packet(sock, fds, &nfds);
    client = open ? client_new(open, &unusable) : NULL;
    if (!open || privileges_drop(parent, &err) < 0 || privileges_confine_client(&err) < 0) {
        fprintf(stderr, "keg-registry: %s\n", err.message);
        return 1;
    }
    for (;;) {
        json_t *packet = receive_packet(sock, fds, &nfds);

        if (!packet)
            return 0;
        start_request(client, packet, fds, nfds);
    }
}
