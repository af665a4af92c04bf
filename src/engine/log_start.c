/* What the monitor is told of a container's log: the settings with everything looked up that takes a database, a name
 * service or a template. */
#include <arpa/inet.h>
#include <netdb.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/logs.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define DEFAULT_TAG    "{{.ID}}"

enum { SHORT_ID = 12 };

/* ---- attributes ---- */

static bool matches(const regex_t *regex, const char *text)
{
    return regexec(regex, text, 0, NULL, 0) == 0;
}

/* The members of `from` that a list of names, or a pattern, selects. */
static void select_members(json_t *attrs, const json_t *from, const char *names, const char *pattern)
{
    _cleanup_strv_ char **list = names ? strv_split(names, ',') : NULL;
    for (char **name = list; name && *name; name++) {
        json_t *value = json_object_get(from, *name);
        if (value)
            json_object_set(attrs, *name, value);
    }
    regex_t regex;
    if (!pattern || regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)from, key, value)
        if (matches(&regex, key))
            json_object_set(attrs, key, value);
    regfree(&regex);
}

static json_t *environment(const json_t *rows)
{
    json_t *env = json_object();
    const json_t *row;
    size_t i;
    json_array_foreach (rows, i, row) {
        const char *text = json_string_value(row), *equals = text ? strchr(text, '=') : NULL;
        if (!equals)
            continue;
        _cleanup_free_ char *key = xstrndup(text, (size_t)(equals - text));
        json_set_str(env, key, equals + 1);
    }
    return env;
}

/* Sorted, as Docker writes them. */
static json_t *sorted(json_t *object)
{
    _cleanup_free_ char *text = json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(object);
    return text ? json_loads(text, 0, NULL) : json_object();
}

static json_t *log_attrs(const struct container *c, const struct log_settings *s, const char *tag)
{
    json_t *attrs = json_object();
    _cleanup_json_ json_t *env = environment(json_object_get(c->config, "Env"));
    select_members(attrs, json_object_get(c->config, "Labels"), s->labels, s->labels_regex);
    select_members(attrs, env, s->env, s->env_regex);
    if (s->tag && s->driver != LOG_JOURNALD)
        json_set_str(attrs, "tag", tag);
    return sorted(attrs);
}

/* ---- the tag ---- */

static char *command(const struct container *c)
{
    char **words = json_strv(c->config, "Entrypoint"), **rest = json_strv(c->config, "Cmd");
    for (char **word = rest; word && *word; word++)
        strv_push(&words, *word);
    char *text = strv_join(words, " ");
    strv_free(words);
    strv_free(rest);
    return text ? text : xstrdup("");
}

static char *log_tag(const struct container *c, const char *template, struct err *err)
{
    char hostname[HOST_NAME_MAX + 1] = "";
    _cleanup_free_ char *short_id = xstrndup(c->id, SHORT_ID), *cmd = command(c),
                        *short_image = xstrndup(c->image_id ? c->image_id : "", SHORT_ID);
    gethostname(hostname, sizeof(hostname) - 1);
    _cleanup_json_ json_t *values =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ID", short_id, "FullID", c->id, "ImageID",
                  short_image, "ImageFullID", c->image_id ? c->image_id : "", "DaemonName", "docker",
                  "Hostname", hostname, "Name", c->name ? c->name : "");
    json_set_str(values, "ImageName", c->image_ref);
    json_set_str(values, "Command", cmd);
    return log_tag_expand(template, values, err);
}

/* ---- sockets ---- */

/* The numeric address: the monitor is static and asks no name service. */
static int add_inet(json_t *socket, const struct log_address *a, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = a->is_stream ? SOCK_STREAM : SOCK_DGRAM,
                                   .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    int r = getaddrinfo(*a->host ? a->host : "localhost", a->port, &hints, &found);
    if (r == 0)
        r = getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof(host), port, sizeof(port),
                        NI_NUMERICHOST | NI_NUMERICSERV);
    if (found)
        freeaddrinfo(found);
    if (r != 0)
        return err_set(err, ERR_SYSTEM, "failed to initialize logging driver: dial %s: lookup %s: %s",
                       a->is_stream ? "tcp" : "udp", a->host, gai_strerror(r));
    json_set_str(socket, "family", "inet");
    json_set_str(socket, "address", host);
    json_set_int(socket, "port", atoi(port));
    return 0;
}

/* What keg-tls is to do (monitor/logtls.h); it finds the host by itself, whose name has to be the certificate's. */
static void add_tls(json_t *socket, const struct engine *e, const struct log_settings *s,
                    const struct log_address *a)
{
    _cleanup_free_ char *program = xasprintf("%s/keg-tls", e->libexec);
    const struct {
        const char *key, *value;
    } members[] = {{"program", program}, {"host", a->host},     {"port", a->port},
                   {"ca", s->tls_ca},    {"cert", s->tls_cert}, {"key", s->tls_key}};
    json_t *tls = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (!str_empty(members[i].value))
            json_set_str(tls, members[i].key, members[i].value);
    json_set_bool(tls, "verify", !s->tls_skip_verify);
    json_object_set_new(socket, "tls", tls);
}

static int add_syslog(json_t *log, const struct engine *e, const struct log_settings *s, struct err *err)
{
    char hostname[HOST_NAME_MAX + 1] = "";
    gethostname(hostname, sizeof(hostname) - 1);
    json_set_int(log, "facility", s->syslog_facility);
    json_set_str(log, "format", s->syslog_format ? s->syslog_format : "");
    json_set_str(log, "hostname", hostname);
    if (!s->syslog_address)
        return 0;
    struct log_address a = {};
    if (log_address_parse(s->syslog_address, &a, err) < 0)
        return -1;
    json_t *socket = json_object();
    json_set_str(socket, "type", a.is_stream ? "stream" : "dgram");
    if (a.is_unix)
        json_set_str(socket, "path", a.host);
    if (a.is_tls)
        add_tls(socket, e, s, &a);
    int r = a.is_unix || a.is_tls ? 0 : add_inet(socket, &a, err);
    _cleanup_free_ char *label = a.is_unix
                                     ? xasprintf("unix %s", a.host)
                                     : xasprintf("%s %s:%s", a.is_stream ? "tcp" : "udp", a.host, a.port);
    json_set_str(log, "address", label);
    json_object_set_new(log, "socket", socket);
    log_address_finish(&a);
    return r;
}

static void add_journald(json_t *log, const struct container *c)
{
    json_object_set_new(log, "socket", json_pack("{s:s, s:s}", "type", "dgram", "path", JOURNAL_SOCKET));
    json_object_set_new(log, "container", json_pack("{s:s}", "id", c->id));
    json_set_str(json_object_get(log, "container"), "name", c->name);
    json_set_str(json_object_get(log, "container"), "image", c->image_ref);
}

/* ---- all ---- */

static void add_files(json_t *log, const struct log_caps *caps, const char *path)
{
    json_set_str(log, "path", path);
    json_set_int(log, "max_size", caps->max_size);
    json_set_int(log, "max_file", caps->max_file);
    json_set_bool(log, "compress", caps->compress);
}

static json_t *make_cache(const struct log_settings *s, const char *path, const json_t *attrs)
{
    json_t *cache = json_object();
    json_set_str(cache, "driver", "local");
    add_files(cache, &s->cache, path);
    json_object_set(cache, "attrs", (json_t *)attrs);
    return cache;
}

static int fill_request(json_t *log, const struct container *c, const struct log_settings *s, struct err *err)
{
    bool local;
    _cleanup_free_ char *path = log_read_path(c, s, &local),
                        *tag = log_tag(c, s->tag ? s->tag : DEFAULT_TAG, err);
    if (!tag)
        return -1;
    _cleanup_json_ json_t *attrs = log_attrs(c, s, tag);
    json_set_str(log, "tag", tag);
    json_object_set(log, "attrs", attrs);
    json_set_bool(log, "non_blocking", s->non_blocking);
    json_set_int(log, "max_buffer", s->max_buffer);
    if (s->cached)
        json_object_set_new(log, "cache", make_cache(s, path, attrs));
    if (s->driver == LOG_JSON_FILE || s->driver == LOG_LOCAL)
        add_files(log, &s->caps, path);
    if (s->driver == LOG_JOURNALD)
        add_journald(log, c);
    return s->driver == LOG_SYSLOG ? add_syslog(log, c->engine, s, err) : 0;
}

json_t *log_start_request(struct container *c, struct err *err)
{
    static const char *const names[] = {[LOG_JSON_FILE] = "json-file",
                                        [LOG_LOCAL] = "local",
                                        [LOG_JOURNALD] = "journald",
                                        [LOG_SYSLOG] = "syslog",
                                        [LOG_NONE] = "none"};
    struct log_settings s;
    if (log_settings_parse(json_object_get(c->host_config, "LogConfig"), &s, err) < 0)
        return NULL;
    json_t *log = json_object();
    json_set_str(log, "driver", names[s.driver]);
    if (s.driver != LOG_NONE && fill_request(log, c, &s, err) < 0) {
        json_decref(log);
        return NULL;
    }
    return log;
}
