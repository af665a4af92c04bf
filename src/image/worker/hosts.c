/* hosts.toml, certificates, mirrors → endpoints. */
#include "image/worker/hosts.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "image/registry_protocol.h"
#include "image/worker/hosts_file.h"

enum { CERTIFICATE_MAX = 1024 * 1024, HOSTS_TOML_MAX = 1024 * 1024 };

#define DOCKER_HUB_HOST "registry-1.docker.io"

struct hosts {
    struct client *client;
    char *const *insecure;
    const char *scope, *domain;
    const json_t *others;     /* what credentials the user has, by host */
    const char *certificates; /* the directory of directories; NULL: none */
    char *path;               /* the one of this registry; NULL: it has none */
    int dir;
    bool has_file; /* hosts.toml */
    struct hosts_file file;
    struct err *err;
};

/* ---- certificates as docker has them ---- */

static void free_names(struct dirent **list, int n)
{
    while (n > 0)
        free(list[--n]);
    free(list);
}

static int append_file(struct hosts *h, const char *path, int dir, const char *name, struct buf *into)
{
    int r = file_read(dir, name, into);

    if (r == 0)
        r = buf_putc(into, '\n'); /* two of them on end stay apart */
    return r < 0 ? err_errno(h->err, r, "read %s/%s", path, name) : 0;
}

/* "client.cert", "client.key" → "client.key", "client.cert". The caller frees. */
static char *other_half(const char *name, const char *own, const char *other)
{
    return xasprintf("%.*s%s", (int)(strlen(name) - strlen(own)), name, other);
}

/* A certificate of ours, or a key: one of the two without the other is a mistake, unless hosts.toml says what is
 * to be used. Of several pairs the first is. */
static int take_half(struct hosts *h, const char *path, int dir, const char *name,
                     struct http_certificates *own)
{
    bool is_key = str_ends(name, ".key");
    _cleanup_free_ char *other =
        is_key ? other_half(name, ".key", ".cert") : other_half(name, ".cert", ".key");

    if (faccessat(dir, other, F_OK, 0) < 0) {
        if (h->has_file)
            return 0;
        if (is_key)
            return err_set(h->err, ERR_INVALID, "%s: missing client certificate %s for key %s", path, other,
                           name);
        return err_set(h->err, ERR_INVALID,
                       "%s: missing key %s for client certificate %s. CA certificates must use the extension "
                       ".crt",
                       path, other, name);
    }
    if (is_key || own->certificate.len)
        return 0;
    return append_file(h, path, dir, name, &own->certificate) < 0
               ? -1
               : append_file(h, path, dir, other, &own->key);
}

static int load_directory(struct hosts *h, const char *path, int dir, struct http_certificates *own)
{
    struct dirent **list;
    int n = scandirat(dir, ".", &list, NULL, alphasort), r = 0;

    if (n < 0)
        return err_errno(h->err, errno, "read %s", path);
    for (int i = 0; r == 0 && i < n; i++) {
        const char *name = list[i]->d_name;

        if (str_ends(name, ".crt"))
            r = append_file(h, path, dir, name, &own->ca);
        else if (str_ends(name, ".cert") || str_ends(name, ".key"))
            r = take_half(h, path, dir, name, own);
    }
    free_names(list, n);
    return r;
}

/* Opens the directory of that name below the certificates'. -EBADF: there is none; -1: an error. */
static int open_directory(struct hosts *h, const char *name, char **ret_path)
{
    _cleanup_free_ char *path = path_join(h->certificates, name);
    int dir;

    if (strchr(name, '/') || str_eq(name, "..") || str_empty(name))
        return -EBADF;
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT || errno == ENOTDIR ? -EBADF : err_errno(h->err, errno, "read %s", path);
    *ret_path = take_ptr(&path);
    return dir;
}

/* "host:5000" → "host_5000_", as containerd also calls it. The caller frees. */
static char *portable_name(const char *host)
{
    const char *colon = strrchr(host, ':');

    return colon && colon > host ? xasprintf("%.*s_%s_", (int)(colon - host), host, colon + 1)
                                 : xstrdup(host);
}

/* ---- endpoints ---- */

/* The host and port of a URL; the caller frees. */
static char *host_of(const char *url)
{
    const char *host = strstr(url, "://");

    host = host ? host + strlen("://") : url;
    return xstrndup(host, strcspn(host, "/"));
}

/* One more, with room for its certificates. url NULL: at the host of that name. */
static struct endpoint *add_endpoint(struct hosts *h, const char *url, const char *host)
{
    struct client *c = h->client;
    struct endpoint *e = &c->endpoints[c->n_endpoints];
    struct http_certificates *own = &c->certificates[c->n_endpoints++];

    *own = (struct http_certificates){.ca = BUF_INIT(CERTIFICATE_MAX),
                                      .certificate = BUF_INIT(CERTIFICATE_MAX),
                                      .key = BUF_INIT(CERTIFICATE_MAX)};
    if (url)
        endpoint_init_mirror(e, url, h->scope);
    else
        endpoint_init(e, host, h->scope, h->insecure);
    e->certificates = own;
    return e;
}

/* What the user has for a host goes to that host alone. False: there is nothing. */
static bool give_credentials(struct hosts *h, struct endpoint *e, const char *host)
{
    const json_t *entry = json_object_get(h->others, host);
    struct credentials *own = &h->client->others[h->client->n_endpoints - 1];

    if (!json_object_size(entry))
        return false;
    credentials_read(own, entry);
    e->credentials = own;
    return true;
}

static int load_named(struct hosts *h, const char *name, struct buf *into)
{
    int r = file_read(h->dir, name, into);

    if (r == 0)
        r = buf_putc(into, '\n');
    return r < 0 ? err_errno(h->err, r, "%s/hosts.toml: read %s", h->path, name) : 0;
}

/* What hosts.toml says of the endpoint added last. */
static int configure(struct hosts *h, const struct hosts_entry *entry)
{
    struct endpoint *e = client_origin(h->client);
    struct http_certificates *own = &h->client->certificates[h->client->n_endpoints - 1];
    const char *upstream = str_eq(h->domain, "docker.io") ? DOCKER_HUB_HOST : h->domain;
    _cleanup_free_ char *host = entry->url ? host_of(entry->url) : NULL;

    e->can = entry->can;
    e->own_path = entry->own_path;
    e->insecure = e->insecure || entry->skip_verify;
    e->connect_ms = entry->dial_ms;
    if (host && !str_eq(host, upstream))
        e->namespace = xstrdup(h->domain);
    for (char **line = entry->headers; line && *line; line++)
        strv_push(&e->headers, *line);
    for (char **name = entry->authorities; name && *name; name++)
        if (load_named(h, *name, &own->ca) < 0)
            return -1;
    if (!entry->certificate)
        return 0;
    buf_reset(&own->certificate);
    buf_reset(&own->key);
    return load_named(h, entry->certificate, &own->certificate) < 0 ? -1
                                                                    : load_named(h, entry->key, &own->key);
}

static int add_hosts(struct hosts *h)
{
    for (size_t i = 0; i < h->file.n_hosts; i++) {
        const struct hosts_entry *entry = &h->file.hosts[i];
        _cleanup_free_ char *host = host_of(entry->url);

        if (h->client->n_endpoints == ENDPOINTS_MAX - 1)
            return err_set(h->err, ERR_INVALID, "%s/hosts.toml:%d: more than %d hosts", h->path, entry->line,
                           ENDPOINTS_MAX - 1);
        give_credentials(h, add_endpoint(h, entry->url, NULL), host);
        if (configure(h, entry) < 0)
            return -1;
    }
    return 0;
}

/* The registry itself: what the file calls server, or the name's own host. */
static int add_server(struct hosts *h)
{
    const char *host = str_eq(h->domain, "docker.io") ? DOCKER_HUB_HOST : h->domain;
    struct endpoint *e = add_endpoint(h, h->file.server.url, host);
    struct http_certificates *own = &h->client->certificates[h->client->n_endpoints - 1];

    if (credentials_given(&h->client->credentials) || !give_credentials(h, e, h->domain))
        e->credentials = &h->client->credentials;
    if (h->dir >= 0 && load_directory(h, h->path, h->dir, own) < 0)
        return -1;
    return h->has_file ? configure(h, &h->file.server) : 0;
}

/* The host's own directory, or the one for all others, and its hosts.toml. */
static int load_file(struct hosts *h)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(HOSTS_TOML_MAX);
    _cleanup_free_ char *portable = portable_name(h->domain), *file = NULL;
    const char *const names[] = {portable, h->domain, "_default"};
    int r;

    for (size_t i = 0; h->dir < 0 && h->certificates && i < ARRAY_SIZE(names); i++) {
        h->dir = open_directory(h, names[i], &h->path);
        if (h->dir == -1)
            return -1;
    }
    if (h->dir < 0)
        return 0;
    file = path_join(h->path, "hosts.toml");
    r = file_read(h->dir, "hosts.toml", &text);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return err_errno(h->err, r, "read %s", file);
    h->has_file = true;
    return hosts_file_parse(buf_str(&text), text.len, file, &h->file, h->err);
}

/* Mirrors of the engine's configuration are for Docker Hub alone, and for pulls. What is said of their hosts, that
 * they are insecure or what certificates they have, holds as for registries. */
static int add_mirrors(struct hosts *h, const json_t *open)
{
    _cleanup_strv_ char **mirrors = json_strv(open, "mirrors");
    struct client *c = h->client;
    int r = 0;

    for (char **mirror = mirrors; r == 0 && mirror && *mirror && c->n_endpoints < ENDPOINTS_MAX / 2;
         mirror++) {
        struct endpoint *e = add_endpoint(h, *mirror, NULL);
        struct http_certificates *own = &c->certificates[c->n_endpoints - 1];
        _cleanup_free_ char *host = host_of(*mirror), *path = NULL;
        _cleanup_close_ int dir = h->certificates ? open_directory(h, host, &path) : -EBADF;

        e->can = ENDPOINT_RESOLVE | ENDPOINT_PULL;
        give_credentials(h, e, host);
        e->insecure = e->insecure || endpoint_host_insecure(host, h->insecure);
        if (dir == -1)
            r = -1;
        else if (dir >= 0)
            r = load_directory(h, path, dir, own);
    }
    return r;
}

/* What tokens are to allow. NULL for a login: the registry says. The caller frees. */
static char *scope_of(const struct client *c, const json_t *open)
{
    _cleanup_strv_ char **sources = json_strv(open, "sources");
    _cleanup_(buf_finish) struct buf b = BUF_INIT(REGISTRY_PACKET_MAX);

    if (!c->path)
        return NULL;
    buf_printf(&b, "repository:%s:%s", c->path,
               json_is_true(json_object_get(open, "push")) ? "pull,push" : "pull");
    for (char **source = sources; source && *source; source++)
        buf_printf(&b, " repository:%s:pull", *source);
    return xstrdup(buf_str(&b));
}

int hosts_add(struct client *c, const json_t *open, const char *domain, struct err *err)
{
    _cleanup_strv_ char **insecure = json_strv(open, "insecure");
    _cleanup_free_ char *scope = scope_of(c, open);
    struct hosts h = {.client = c,
                      .insecure = insecure,
                      .scope = scope,
                      .domain = domain,
                      .certificates = json_str(open, "certificates"),
                      .others = json_object_get(open, "others"),
                      .dir = -EBADF,
                      .err = err};
    int r = load_file(&h);

    if (r == 0 && str_eq(domain, "docker.io") && c->path)
        r = add_mirrors(&h, open);
    if (r == 0 && c->path)
        r = add_hosts(&h);
    if (r == 0)
        r = add_server(&h);
    for (size_t i = 0; i < c->n_endpoints; i++)
        c->endpoints[i].stall_seconds = (unsigned)json_int_or(open, "stall_seconds", 30);
    close_fd(&h.dir);
    free(h.path);
    hosts_file_finish(&h.file);
    return r;
}
