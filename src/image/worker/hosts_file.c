/* From a TOML document and the lines of its names to what hosts are to be asked for, and how. */
#include "image/worker/hosts_file.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "image/worker/toml.h"

/* Where we are in the file. */
struct place {
    const char *file;
    const json_t *lines; /* of the table being read, as toml_parse() gives them */
    struct err *err;
};

static int refuse(const struct place *p, const char *key, const char *problem)
{
    return err_set(p->err, ERR_INVALID, "%s:%d: %s %s", p->file, toml_line(p->lines, key), key, problem);
}

/* "a", or ["a", "b"]. */
static int take_strings(const struct place *p, const char *key, const json_t *value, char ***ret)
{
    const json_t *one;
    size_t i;

    if (json_is_string(value)) {
        strv_push(ret, json_string_value(value));
        return 0;
    }
    if (!json_is_array(value))
        return refuse(p, key, "must be a string in quotes, or several in brackets");
    json_array_foreach (value, i, one) {
        if (!json_is_string(one))
            return refuse(p, key, "must hold nothing but strings in quotes");
        strv_push(ret, json_string_value(one));
    }
    return 0;
}

static int take_bool(const struct place *p, const char *key, const json_t *value, bool *ret)
{
    if (!json_is_boolean(value))
        return refuse(p, key, "must be true or false, without quotes");
    *ret = json_is_true(value);
    return 0;
}

/* ---- the keys ---- */

static const struct {
    const char *name;
    enum endpoint_ability ability;
} abilities[] = {{"resolve", ENDPOINT_RESOLVE}, {"pull", ENDPOINT_PULL}, {"push", ENDPOINT_PUSH}};

static int take_capabilities(const struct place *p, const char *key, const json_t *value,
                             struct hosts_entry *ret)
{
    _cleanup_strv_ char **words = NULL;

    if (!json_is_array(value))
        return refuse(p, key, "must be an array, as in capabilities = [\"pull\", \"resolve\"]");
    if (take_strings(p, key, value, &words) < 0)
        return -1;
    ret->can = words ? 0 : ENDPOINT_ALL;
    for (char **word = words; word && *word; word++) {
        unsigned before = ret->can;

        for (size_t i = 0; i < ARRAY_SIZE(abilities); i++)
            if (str_eq(*word, abilities[i].name))
                ret->can |= abilities[i].ability;
        if (ret->can == before)
            return err_set(
                p->err, ERR_INVALID,
                "%s:%d: unknown or repeated capability \"%s\": there are \"pull\", \"resolve\" and \"push\"",
                p->file, toml_line(p->lines, key), *word);
    }
    return 0;
}

static int take_ca(const struct place *p, const char *key, const json_t *value, struct hosts_entry *ret)
{
    return take_strings(p, key, value, &ret->authorities);
}

/* client = "file with both", or ["file", …], or [["cert", "key"], …]. Of several the first is used. */
static int take_client(const struct place *p, const char *key, const json_t *value, struct hosts_entry *ret)
{
    const json_t *pair = json_array_get(value, 0);
    _cleanup_strv_ char **files = NULL;

    if (json_is_array(pair) && json_array_size(pair) != 2)
        return refuse(p, key, "must pair each certificate with its key: [[\"client.cert\", \"client.key\"]]");
    if (take_strings(p, key, json_is_array(pair) ? pair : value, &files) < 0)
        return -1;
    if (!files)
        return refuse(p, key, "names no file");
    ret->certificate = xstrdup(files[0]);
    ret->key = xstrdup(files[json_is_array(pair) ? 1 : 0]);
    return 0;
}

static int take_skip_verify(const struct place *p, const char *key, const json_t *value,
                            struct hosts_entry *ret)
{
    return take_bool(p, key, value, &ret->skip_verify);
}

static int take_override_path(const struct place *p, const char *key, const json_t *value,
                              struct hosts_entry *ret)
{
    bool override = false;

    if (take_bool(p, key, value, &override) < 0)
        return -1;
    ret->own_path = ret->own_path || override;
    return 0;
}

static int take_dial_timeout(const struct place *p, const char *key, const json_t *value,
                             struct hosts_entry *ret)
{
    int64_t ns;

    if (!json_is_string(value) || clock_parse_duration(json_string_value(value), &ns) < 0 || ns < 1000000 ||
        ns / 1000000 > INT32_MAX)
        return refuse(p, key, "must be a time in quotes, as \"3s\" or \"1m30s\"");
    ret->dial_ms = (unsigned)(ns / 1000000);
    return 0;
}

static int take_header(const struct place *p, const char *key, const json_t *value, struct hosts_entry *ret)
{
    struct place inside = {.file = p->file, .lines = json_object_get(p->lines, key), .err = p->err};
    const char *name;
    json_t *content;

    if (!json_is_object(value))
        return refuse(p, key, "must be a table of names and values, as in [host.\"https://…\".header]");
    json_object_foreach ((json_t *)value, name, content) {
        _cleanup_strv_ char **values = NULL;

        if (take_strings(&inside, name, content, &values) < 0)
            return -1;
        if (!*name || strpbrk(name, "\r\n\t :"))
            return refuse(&inside, name, "is no name of a header");
        for (char **one = values; one && *one; one++) {
            if (strpbrk(*one, "\r\n"))
                return refuse(&inside, name, "has a value of several lines");
            strv_push_take(&ret->headers, xasprintf("%s: %s", name, *one));
        }
    }
    return 0;
}

/* What a host's table and the top of the file have in common. */
static const struct {
    const char *name;
    int (*take)(const struct place *p, const char *key, const json_t *value, struct hosts_entry *ret);
} keys[] = {
    {"capabilities", take_capabilities},   {"ca", take_ca},         {"client", take_client},
    {"skip_verify", take_skip_verify},     {"header", take_header}, {"dial_timeout", take_dial_timeout},
    {"override_path", take_override_path},
};

static int take_key(const struct place *p, const char *key, const json_t *value, struct hosts_entry *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (str_eq(key, keys[i].name))
            return keys[i].take(p, key, value, ret);
    return refuse(p, key,
                  "is not known here: there are capabilities, ca, client, skip_verify, override_path, "
                  "dial_timeout, header, and at the top of the file server and host");
}

/* As containerd takes it: https where no scheme is given, and an address that ends in /v2 holds it already. */
static int take_url(const struct place *p, const char *key, const char *text, struct hosts_entry *ret)
{
    size_t len = strlen(text);

    if (!len || (strstr(text, "://") && !str_starts(text, "https://") && !str_starts(text, "http://")))
        return err_set(p->err, ERR_INVALID, "%s:%d: %s \"%s\" has to begin with https:// or http://", p->file,
                       toml_line(p->lines, key), str_eq(key, text) ? "the host" : key, text);
    while (len > 0 && text[len - 1] == '/')
        len--;
    ret->url = xasprintf("%s%.*s", strstr(text, "://") ? "" : "https://", (int)len, text);
    ret->own_path = str_ends(ret->url, "/v2");
    return 0;
}

static int take_hosts(const struct place *p, const json_t *hosts, struct hosts_file *ret)
{
    struct place here = {.file = p->file, .lines = json_object_get(p->lines, "host"), .err = p->err};
    const char *url, *key;
    json_t *table, *value;

    if (!json_is_object(hosts))
        return refuse(p, "host", "must be tables, as in [host.\"https://mirror.example\"]");
    json_object_foreach ((json_t *)hosts, url, table) {
        struct place inside = {.file = p->file, .lines = json_object_get(here.lines, url), .err = p->err};
        struct hosts_entry *entry;

        if (!json_is_object(table))
            return refuse(&here, url, "must be a table, as in [host.\"https://mirror.example\"]");
        ret->hosts = xreallocarray(ret->hosts, ret->n_hosts + 1, sizeof(*ret->hosts));
        entry = &ret->hosts[ret->n_hosts++];
        *entry = (struct hosts_entry){.can = ENDPOINT_ALL, .line = toml_line(here.lines, url)};
        if (take_url(&here, url, url, entry) < 0)
            return -1;
        json_object_foreach (table, key, value)
            if (take_key(&inside, key, value, entry) < 0)
                return -1;
    }
    return 0;
}

static int take_file(const struct place *p, const json_t *toml, struct hosts_file *ret)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)toml, key, value) {
        int r;

        if (str_eq(key, "host"))
            r = take_hosts(p, value, ret);
        else if (!str_eq(key, "server"))
            r = take_key(p, key, value, &ret->server);
        else if (!json_is_string(value))
            r = refuse(p, key, "must be an address in quotes, as \"https://registry.example\"");
        else
            r = take_url(p, key, json_string_value(value), &ret->server);
        if (r < 0)
            return -1;
    }
    return 0;
}

int hosts_file_parse(const char *text, size_t len, const char *name, struct hosts_file *ret, struct err *err)
{
    _cleanup_json_ json_t *lines = NULL;
    _cleanup_json_ json_t *toml = toml_parse(text, len, name, &lines, err);
    struct place p = {.file = name, .lines = lines, .err = err};

    *ret = (struct hosts_file){.server = {.can = ENDPOINT_ALL}};
    return toml ? take_file(&p, toml, ret) : -1;
}

static void entry_finish(struct hosts_entry *e)
{
    free(e->url);
    strv_free(e->headers);
    strv_free(e->authorities);
    free(e->certificate);
    free(e->key);
}

void hosts_file_finish(struct hosts_file *f)
{
    entry_finish(&f->server);
    for (size_t i = 0; i < f->n_hosts; i++)
        entry_finish(&f->hosts[i]);
    free(f->hosts);
    *f = (struct hosts_file){0};
}
