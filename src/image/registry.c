/* kegd's side of keg-registry: every request has a reply socket of its own, so there is nothing to tell
 * apart. */
#include "image/registry.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "image/registry_protocol.h"
#include "image/store_internal.h"
#include "image/worker_process.h"

enum { POLL_MS = 200 };

struct registry {
    pid_t worker;
    int sock;
};

static int send_json(int sock, const json_t *json, const int *fds, size_t nfds, struct err *err)
{
    _cleanup_free_ char *text = json_text(json);
    size_t len = text ? strlen(text) : 0;
    int r;

    if (len == 0 || len > REGISTRY_PACKET_MAX)
        return err_set(err, ERR_INVALID, "the request to the registry is too large");
    r = fd_send_message(sock, text, len, fds, nfds);
    if (r < 0)
        return err_errno(err, r, "speak to keg-registry");
    return 0;
}

/* By host alone, in the protocol's words: "https://index.docker.io/v1/" is Docker Hub's address. */
static json_t *others_json(const json_t *config)
{
    static const char *const members[][2] = {{"username", "username"},
                                             {"password", "password"},
                                             {"identitytoken", "identity_token"},
                                             {"registrytoken", "registry_token"}};
    json_t *others = json_object(), *value;
    const char *server;

    json_object_foreach ((json_t *)config, server, value) {
        const char *start = strstr(server, "://");
        _cleanup_free_ char *host = NULL;
        json_t *entry = json_object();

        start = start ? start + strlen("://") : server;
        host = xstrndup(start, strcspn(start, "/"));
        for (size_t i = 0; i < ARRAY_SIZE(members); i++)
            if (!str_empty(json_str(value, members[i][0])))
                json_set_str(entry, members[i][1], json_str(value, members[i][0]));
        json_object_set_new(others, str_eq(host, "index.docker.io") ? REFERENCE_DEFAULT_DOMAIN : host, entry);
    }
    return others;
}

static json_t *open_packet(struct image_store *store, const struct registry_options *o)
{
    const struct registry_auth *auth = o->auth;
    json_t *packet = json_object(), *credentials = json_object();

    json_set_str(packet, "op", "open");
    json_set_str(packet, "domain", o->domain);
    if (o->path)
        json_set_str(packet, "path", o->path);
    json_set_str(packet, "name", o->name);
    json_object_set_new(packet, "push", json_boolean(o->push));
    json_object_set_new(packet, "sources", json_from_strv(o->sources));
    pthread_mutex_lock(&store->lock);
    json_object_set_new(packet, "insecure", json_from_strv(store->insecure_registries));
    json_object_set_new(packet, "mirrors", json_from_strv(store->mirrors));
    pthread_mutex_unlock(&store->lock);
    json_set_str(packet, "certificates", store->certificates_dir);
    json_set_int(packet, "stall_seconds", store->stall_seconds);
    if (auth) {
        json_set_str(credentials, "username", auth->username);
        json_set_str(credentials, "password", auth->password);
        json_set_str(credentials, "identity_token", auth->identity_token);
        json_set_str(credentials, "registry_token", auth->registry_token);
    }
    json_object_set_new(packet, "auth", credentials);
    json_object_set_new(packet, "others", others_json(o->others));
    return packet;
}

struct registry *registry_open(struct image_store *store, const struct registry_options *options,
                               struct err *err)
{
    _cleanup_json_ json_t *packet = open_packet(store, options);
    _cleanup_(registry_close_p) struct registry *r = xcalloc(1, sizeof(*r));

    r->sock = -EBADF;
    r->worker = worker_process_spawn(store->worker_dir, "keg-registry", -EBADF, &r->sock, err);
    if (r->worker < 0 || send_json(r->sock, packet, NULL, 0, err) < 0)
        return NULL;
    return take_ptr(&r);
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    close_fd(&r->sock);
    worker_process_end(r->worker);
    free(r);
}

void registry_manifest_finish(struct registry_manifest *m)
{
    buf_finish(&m->body);
    free(m->media_type);
    m->media_type = NULL;
}

/* Waits for a packet on the reply socket, telling `watch` meanwhile. NULL on error. */
static json_t *next_reply(int reply, const struct registry_watch *watch, int64_t bytes, struct err *err)
{
    char data[4096];

    for (;;) {
        struct pollfd p = {.fd = reply, .events = POLLIN};
        int n = poll(&p, 1, POLL_MS);
        ssize_t len;

        if (n < 0 && errno != EINTR) {
            err_errno(err, errno, "wait for keg-registry");
            return NULL;
        }
        if (n <= 0) {
            if (watch && watch->progress(watch->arg, bytes) < 0) {
                err_set(err, ERR_CANCELLED, "cancelled");
                return NULL;
            }
            continue;
        }
        len = fd_receive_message(reply, data, sizeof(data), NULL, 0, NULL);
        if (len <= 0) {
            err_set(err, ERR_SYSTEM, "keg-registry ended unexpectedly");
            return NULL;
        }
        return json_parse(data, (size_t)len, "keg-registry's reply", err);
    }
}

/* Sends a request and waits for its end. The result is the "ok" object. file: where bytes go or come from;
 * closed here as soon as the worker has it. */
static json_t *request(struct registry *r, const json_t *packet, int *file,
                       const struct registry_watch *watch, struct err *err)
{
    _cleanup_close_ int reply = -EBADF, theirs = -EBADF;
    int pair[2], fds[2];
    int64_t bytes = 0;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        err_errno(err, errno, "speak to keg-registry");
        return NULL;
    }
    reply = pair[0];
    theirs = pair[1];
    fds[0] = theirs;
    fds[1] = file ? *file : -EBADF;
    if (send_json(r->sock, packet, fds, file ? 2 : 1, err) < 0)
        return NULL;
    close_fd(&theirs);
    if (file)
        close_fd(file);
    for (;;) {
        _cleanup_json_ json_t *json = next_reply(reply, watch, bytes, err);

        if (!json || json_take_err(json, err) < 0)
            return NULL;
        if (json_object_get(json, "ok"))
            return json_incref(json_object_get(json, "ok"));
        bytes = json_int_or(json, "progress", bytes);
        if (watch && watch->progress(watch->arg, bytes) < 0) {
            err_set(err, ERR_CANCELLED, "cancelled");
            return NULL;
        }
    }
}

/* A request whose bytes are small enough for memory. NULL on failure. */
static json_t *request_bytes(struct registry *r, const json_t *packet, const struct registry_watch *watch,
                             struct buf *ret, struct err *err)
{
    _cleanup_close_ int memory = memfd_create("document", MFD_CLOEXEC);
    int out = memory < 0 ? -EBADF : dup(memory), n;
    _cleanup_json_ json_t *ok = NULL;

    if (out < 0) {
        err_errno(err, errno, "make room for a document");
        return NULL;
    }
    ok = request(r, packet, &out, watch, err);
    close_fd(&out);
    if (!ok)
        return NULL;
    lseek(memory, 0, SEEK_SET);
    n = fd_read_all(memory, ret);
    if (n < 0) {
        err_errno(err, n, "read a document of the registry");
        return NULL;
    }
    return take_ptr(&ok);
}

int registry_get_manifest(struct registry *r, const char *reference, const char *display,
                          const struct registry_watch *watch, struct registry_manifest *ret, struct err *err)
{
    _cleanup_json_ json_t *packet =
        json_pack("{s:s, s:s, s:s}", "op", "manifest", "reference", reference, "display", display);
    _cleanup_json_ json_t *ok = NULL;

    *ret = (struct registry_manifest){.body = BUF_INIT(MANIFEST_SIZE_MAX)};
    ok = request_bytes(r, packet, watch, &ret->body, err);
    if (!ok)
        return -1;
    digest_of(buf_str(&ret->body), ret->body.len, ret->digest);
    if (digest_valid(reference) && !str_eq(reference, ret->digest))
        return err_set(err, ERR_INVALID, "manifest verification failed for digest %s", reference);
    ret->media_type = xstrdup(json_str_or(ok, "media_type", ""));
    return 0;
}

int registry_get_document(struct registry *r, const char *path, const struct registry_watch *watch,
                          struct buf *ret, char **ret_next, struct err *err)
{
    _cleanup_json_ json_t *packet = json_pack("{s:s, s:s}", "op", "document", "path", path);
    _cleanup_json_ json_t *ok = request_bytes(r, packet, watch, ret, err);

    *ret_next = xstrdup(json_str(ok, "next"));
    return ok ? 0 : -1;
}

int registry_get_blob(struct registry *r, const char *digest, int64_t size, int *out,
                      const struct registry_watch *watch, struct err *err)
{
    _cleanup_json_ json_t *packet =
        json_pack("{s:s, s:s, s:I}", "op", "blob", "digest", digest, "size", (json_int_t)size);
    _cleanup_json_ json_t *ok = request(r, packet, out, watch, err);

    close_fd(out);
    return ok ? 0 : -1;
}

int registry_get_url(struct registry *r, const char *url, int *out, const struct registry_watch *watch,
                     struct err *err)
{
    _cleanup_json_ json_t *packet = json_pack("{s:s, s:s}", "op", "url", "url", url);
    _cleanup_json_ json_t *ok = packet ? request(r, packet, out, watch, err) : NULL;

    close_fd(out);
    if (!packet)
        return err_set(err, ERR_INVALID, "the URL is no valid UTF-8");
    return ok ? 0 : -1;
}

int registry_push_blob(struct registry *r, const char *digest, int *fd, char *const *sources,
                       const struct registry_watch *watch, struct registry_pushed *ret, struct err *err)
{
    _cleanup_json_ json_t *packet =
        json_pack("{s:s, s:s, s:o}", "op", "push-blob", "digest", digest, "sources", json_from_strv(sources));
    _cleanup_json_ json_t *ok = request(r, packet, fd, watch, err);

    close_fd(fd);
    *ret = (struct registry_pushed){.existed = str_eq(json_str(ok, "how"), "exists"),
                                    .from = xstrdup(json_str(ok, "from"))};
    return ok ? 0 : -1;
}

int registry_push_manifest(struct registry *r, const char *reference, const char *digest,
                           const char *media_type, int *fd, const struct registry_watch *watch,
                           bool *ret_noticed, struct err *err)
{
    _cleanup_json_ json_t *packet =
        json_pack("{s:s, s:s, s:s}", "op", "push-manifest", "reference", reference, "media_type", media_type);
    _cleanup_json_ json_t *ok = request(r, packet, fd, watch, err);
    const char *stored = json_str_or(ok, "digest", "");

    close_fd(fd);
    if (!ok)
        return -1;
    if (digest_valid(stored) && !str_eq(stored, digest))
        return err_set(err, ERR_INVALID, "the registry stored the manifest %s as %s", digest, stored);
    if (ret_noticed)
        *ret_noticed = json_bool_or(ok, "subject", false);
    return 0;
}

int registry_login(struct registry *r, char **ret_token, struct err *err)
{
    _cleanup_json_ json_t *packet = json_pack("{s:s}", "op", "login");
    _cleanup_json_ json_t *ok = request(r, packet, NULL, NULL, err);

    if (!ok)
        return -1;
    *ret_token = xstrdup(json_str(ok, "token"));
    return 0;
}
