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
#include "image/worker/toml.h"

enum { CERTIFICATE_MAX = 1024 * 1024, HOSTS_TOML_MAX = 1024 * 1024 };

#define DOCKER_HUB_HOST "registry-1.docker.io"

struct hosts {
    struct client *client;
    char *const *insecure;
    const char *scope;
    char *file; /* hosts.toml, for messages */
    int dir;    /* where it and the certificates are; -EBADF: nowhere */
    struct err *err;
};

/* ---- certificates ---- */

/* Appends the first file in the directory whose name ends so. */
static void load_pem(int dir, const char *suffix, struct buf *into)
{
    _cleanup_close_ int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    if (!list)
        return;
    copy = -EBADF;
    while ((entry = readdir(list)))
        if (str_ends(entry->d_name, suffix) && into->len == 0 && file_read(dir, entry->d_name, into) < 0)
            buf_reset(into);
    closedir(list);
}

/* Room for the certificates of the endpoint about to be added. */
static struct http_certificates *certificates_of(struct client *c)
{
    struct http_certificates *own = &c->certificates[c->n_endpoints];

    *own = (struct http_certificates){.ca = BUF_INIT(CERTIFICATE_MAX),
                                      .certificate = BUF_INIT(CERTIFICATE_MAX),
                                      .key = BUF_INIT(CERTIFICATE_MAX)};
    return own;
}

/* A file that hosts.toml names: absolute, or beside it. Appends. */
static int load_named(struct hosts *h, const json_t *name, struct buf *into)
{
    int r;

    if (!json_is_string(name))
        return err_set(h->err, ERR_INVALID, "%s: certificates are names of files", h->file);
    r = file_read(h->dir, json_string_value(name), into);
    return r < 0 ? err_errno(h->err, r, "%s: read %s", h->file, json_string_value(name)) : 0;
}

/* ca = "file" or ["file", …] */
static int load_authorities(struct hosts *h, const json_t *ca, struct buf *into)
{
    const json_t *file;
    size_t i;

    if (!ca || json_is_string(ca))
        return ca ? load_named(h, ca, into) : 0;
    json_array_foreach (ca, i, file)
        if (load_named(h, file, into) < 0)
            return -1;
    return 0;
}

/* client = "file with both", or ["cert", "key"], or [["cert", "key"], …], of which the first is taken */
static int load_client(struct hosts *h, const json_t *client, struct http_certificates *into)
{
    if (!client)
        return 0;
    if (json_is_array(json_array_get(client, 0)))
        client = json_array_get(client, 0);
    if (json_is_string(client))
        return load_named(h, client, &into->certificate) < 0 ? -1 : load_named(h, client, &into->key);
    if (load_named(h, json_array_get(client, 0), &into->certificate) < 0)
        return -1;
    return load_named(h, json_array_get(client, json_array_size(client) > 1 ? 1 : 0), &into->key);
}

/* ---- hosts.toml ---- */

static const struct {
    const char *name;
    enum endpoint_ability ability;
} abilities[] = {{"resolve", ENDPOINT_RESOLVE}, {"pull", ENDPOINT_PULL}, {"push", ENDPOINT_PUSH}};

/* What a host is to be asked for: all of it where nothing is said. */
static int parse_abilities(struct hosts *h, const json_t *list, unsigned *ret)
{
    const json_t *word;
    size_t i;

    *ret = list ? 0 : ENDPOINT_ALL;
    json_array_foreach (list, i, word) {
        unsigned before = *ret;

        for (size_t j = 0; j < ARRAY_SIZE(abilities); j++)
            if (str_eq(json_string_value(word), abilities[j].name))
                *ret |= abilities[j].ability;
        if (*ret == before)
            return err_set(h->err, ERR_INVALID,
                           "%s: unknown or repeated capability \"%s\": there are pull, resolve and push",
                           h->file, json_is_string(word) ? json_string_value(word) : "");
    }
    return 0;
}

static void add_header(struct endpoint *e, const char *name, const char *value)
{
    if (value && !strpbrk(name, "\r\n:") && !strpbrk(value, "\r\n"))
        strv_push_take(&e->headers, xasprintf("%s: %s", name, value));
}

static void add_headers(struct endpoint *e, const json_t *headers)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)headers, name, value) {
        const json_t *one;
        size_t i;

        add_header(e, name, json_string_value(value));
        json_array_foreach (value, i, one)
            add_header(e, name, json_string_value(one));
    }
}

/* The keys that a host's table and the file's top have in common, for the endpoint added last. */
static int configure(struct hosts *h, const json_t *table)
{
    struct endpoint *e = client_origin(h->client);
    struct http_certificates *own = &h->client->certificates[h->client->n_endpoints - 1];

    add_headers(e, json_object_get(table, "header"));
    e->own_path = json_bool_or(table, "override_path", false);
    e->insecure = e->insecure || json_bool_or(table, "skip_verify", false);
    return load_authorities(h, json_object_get(table, "ca"), &own->ca) < 0
               ? -1
               : load_client(h, json_object_get(table, "client"), own);
}

static int add_host(struct hosts *h, const char *url, const json_t *table)
{
    struct client *c = h->client;
    unsigned can;

    if (!str_starts(url, "https://") && !str_starts(url, "http://"))
        return err_set(h->err, ERR_INVALID, "%s: the host \"%s\" has to begin with https:// or http://",
                       h->file, url);
    if (parse_abilities(h, json_object_get(table, "capabilities"), &can) < 0)
        return -1;
    if (c->n_endpoints == ENDPOINTS_MAX - 1)
        return err_set(h->err, ERR_INVALID, "%s: more than %d hosts", h->file, ENDPOINTS_MAX - 1);
    certificates_of(c);
    endpoint_init_mirror(&c->endpoints[c->n_endpoints], url, h->scope);
    c->endpoints[c->n_endpoints].certificates = &c->certificates[c->n_endpoints];
    c->endpoints[c->n_endpoints].can = can;
    c->n_endpoints++;
    return configure(h, table);
}

/* The registry itself: what the file calls server, or the name's own host. */
static int add_server(struct hosts *h, const json_t *toml, const char *host)
{
    const char *url = json_str(toml, "server");
    struct client *c = h->client;
    struct http_certificates *own = certificates_of(c);
    struct endpoint *e = &c->endpoints[c->n_endpoints++];

    if (url && !str_starts(url, "https://") && !str_starts(url, "http://"))
        return err_set(h->err, ERR_INVALID, "%s: the server \"%s\" has to begin with https:// or http://",
                       h->file, url);
    if (url)
        endpoint_init_mirror(e, url, h->scope);
    else
        endpoint_init(e, host, h->scope, h->insecure);
    e->credentials = &c->credentials;
    e->certificates = own;
    if (h->dir >= 0) {
        load_pem(h->dir, ".crt", &own->ca);
        load_pem(h->dir, ".cert", &own->certificate);
        load_pem(h->dir, ".key", &own->key);
    }
    if (!toml)
        return 0;
    return parse_abilities(h, json_object_get(toml, "capabilities"), &e->can) < 0 ? -1 : configure(h, toml);
}

/* The host's own directory, or the one for all others. *ret: its hosts.toml, NULL when there is none. */
static int load_toml(struct hosts *h, const char *dir, const char *domain, json_t **ret)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(HOSTS_TOML_MAX);
    const char *const names[] = {domain, "_default"};
    int r = -ENOENT;

    *ret = NULL;
    for (size_t i = 0; h->dir < 0 && dir && i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *path = path_join(dir, names[i]);

        h->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        h->file = h->dir < 0 ? NULL : path_join(path, "hosts.toml");
    }
    if (h->dir >= 0)
        r = file_read(h->dir, "hosts.toml", &text);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return err_errno(h->err, r, "read %s", h->file);
    *ret = toml_parse(buf_str(&text), text.len, h->file, h->err);
    return *ret ? 0 : -1;
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

/* Mirrors of the engine's configuration are for Docker Hub alone, and for pulls. */
static void add_mirrors(struct hosts *h, const json_t *open)
{
    _cleanup_strv_ char **mirrors = json_strv(open, "mirrors");
    struct client *c = h->client;

    for (char **mirror = mirrors; mirror && *mirror && c->n_endpoints < ENDPOINTS_MAX / 2; mirror++) {
        certificates_of(c);
        endpoint_init_mirror(&c->endpoints[c->n_endpoints], *mirror, h->scope);
        c->endpoints[c->n_endpoints++].can = ENDPOINT_RESOLVE | ENDPOINT_PULL;
    }
}

int hosts_add(struct client *c, const json_t *open, const char *domain, struct err *err)
{
    _cleanup_strv_ char **insecure = json_strv(open, "insecure");
    _cleanup_free_ char *scope = scope_of(c, open);
    struct hosts h = {.client = c, .insecure = insecure, .scope = scope, .dir = -EBADF, .err = err};
    bool hub = str_eq(domain, "docker.io");
    _cleanup_json_ json_t *toml = NULL;
    int r = load_toml(&h, json_str(open, "certificates"), domain, &toml);
    const char *url;
    json_t *table;

    if (r == 0 && hub && c->path)
        add_mirrors(&h, open);
    if (r == 0 && c->path) {
        json_object_foreach (json_object_get(toml, "host"), url, table)
            if (r == 0)
                r = add_host(&h, url, table);
    }
    if (r == 0)
        r = add_server(&h, toml, hub ? DOCKER_HUB_HOST : domain);
    for (size_t i = 0; i < c->n_endpoints; i++)
        c->endpoints[i].stall_seconds = (unsigned)json_int_or(open, "stall_seconds", 30);
    close_fd(&h.dir);
    free(h.file);
    return r;
}
