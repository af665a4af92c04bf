#include "engine/list_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "engine/images.h"
#include "engine/links.h"
#include "engine/mounts.h"
#include "engine/validate.h"

json_t *list_ports(const struct list_row *row)
{
    json_t *rows = json_array();
    const json_t *endpoint, *port;
    const char *key;
    json_t *ignored, *shown = endpoints_ports(row->s.config, row->s.endpoints);
    size_t i, j;
    json_array_foreach (row->s.endpoints, i, endpoint)
        json_array_foreach (json_object_get(endpoint, "Ports"), j, port) {
            const char *ip = json_str_or(port, "HostIP", "");
            json_t *p = json_object();
            json_set_str(p, "IP", *ip ? ip : "0.0.0.0");
            json_set_int(p, "PrivatePort", json_int_or(port, "ContainerPort", 0));
            json_set_int(p, "PublicPort", json_int_or(port, "HostPort", 0));
            json_set_str(p, "Type", json_str_or(port, "Protocol", ""));
            json_array_append_new(rows, p);
        }
    json_object_foreach (shown, key, ignored) {
        uint16_t number;
        char protocol[8];
        if (!json_is_null(ignored) || container_parse_port(key, &number, protocol, NULL) < 0)
            continue;
        json_t *p = json_object();
        json_set_int(p, "PrivatePort", number);
        json_set_str(p, "Type", protocol);
        json_array_append_new(rows, p);
    }
    json_decref(shown);
    return rows;
}

/* The program and its arguments as one text; words with blanks are quoted. */
static char *command_text(const json_t *config)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(1024 * 1024);
    const char *const members[] = {"Entrypoint", "Cmd"};
    const json_t *word;
    size_t i;
    for (size_t m = 0; m < ARRAY_SIZE(members); m++)
        json_array_foreach (json_object_get(config, members[m]), i, word) {
            const char *s = json_string_value(word);
            bool quoted = text.len > 0 && strchr(s, ' ');
            buf_printf(&text, "%s%s%s%s", text.len ? " " : "", quoted ? "'" : "", s, quoted ? "'" : "");
        }
    return xstrdup(buf_str(&text));
}

/* The image as it was named, or its id once the name means another. */
static const char *image_text(struct list_memo *memo, const struct container *c)
{
    if (!str_eq(memo->ref, c->image_ref) || !str_eq(memo->id, c->image_id))
        *memo = (struct list_memo){
            .link_holders = memo->link_holders,
            .ref = c->image_ref,
            .id = c->image_id,
            .is_named = engine_image_is_named(c->engine, c->image_ref, c->image_id),
        };
    return memo->is_named ? c->image_ref : c->image_id;
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The container's own, and those it has as the end of links. The caller frees. */
static char **names_of(const struct list_row *row, struct container *const *link_holders)
{
    char **names = NULL;
    strv_push_take(&names, xasprintf("/%s", row->s.name));
    links_collect_names(link_holders, row->c->id, &names);
    qsort(names, strv_len(names), sizeof(*names), name_compare);
    return names;
}

/* Whether the image is shown as its id. */
static bool is_shown_as_id(const struct container *c, const char *image)
{
    return str_eq(image, c->image_id) || str_eq(image, str_after(c->image_id, "sha256:"));
}

/* What comes before "ImageID". */
static json_t *row_begin(const struct list_row *row, char *const *names, const char *image)
{
    json_t *json = json_object();
    json_set_str(json, "Id", row->c->id);
    json_object_set_new(json, "Names", json_from_strv(names));
    json_set_str(json, "Image", image);
    return json;
}

/* What comes before "Labels". */
static json_t *row_middle(const struct list_row *row)
{
    _cleanup_free_ char *command = command_text(row->s.config);
    json_t *json = json_object();
    json_set_str(json, "Command", command);
    json_set_int(json, "Created", row->c->created / CLOCK_NS_PER_S);
    json_object_set_new(json, "Ports", list_ports(row));
    return json;
}

static json_t *row_labels(const struct list_row *row)
{
    json_t *labels = json_object_get(row->s.config, "Labels");
    return labels ? json_incref(labels) : json_object();
}

/* What comes after "Status". */
static json_t *row_end(const struct list_row *row)
{
    json_t *json = json_object(), *networks = json_object(), *mode = json_object();
    json_set_str(mode, "NetworkMode", json_str_or(row->s.host_config, "NetworkMode", "bridge"));
    json_object_set_new(json, "HostConfig", mode);
    json_object_set_new(networks, "Networks", endpoints_networks(row->c, &row->s));
    json_object_set_new(json, "NetworkSettings", networks);
    json_object_set_new(json, "Mounts", mounts_shown(row->s.mounts));
    return json;
}

json_t *list_row_json(const struct list_row *row, int64_t now, struct list_memo *memo)
{
    _cleanup_free_ char *status = container_status_text(&row->s.state, now);
    _cleanup_strv_ char **names = names_of(row, memo->link_holders);
    json_t *json = row_begin(row, names, image_text(memo, row->c));
    _cleanup_json_ json_t *middle = row_middle(row), *end = row_end(row);
    json_set_str(json, "ImageID", row->c->image_id);
    json_object_update(json, middle);
    json_object_set_new(json, "Labels", row_labels(row));
    json_set_str(json, "State", container_status_name(row->s.state.status));
    json_set_str(json, "Status", status);
    json_object_update(json, end);
    return json;
}

/* ---- rows that are kept ---- */

/* The documents are immutable: where they are the same ones, so is what is made of them. */
enum { DOCUMENTS = 5 };
struct list_kept {
    json_t *documents[DOCUMENTS];
    char *names, *image;
    enum container_status status;
    bool was_started;
    char *begin, *middle, *labels, *end; /* begin lacks its last brace, end its first, middle both */
};

void list_kept_free(struct list_kept *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < DOCUMENTS; i++)
        json_decref(k->documents[i]);
    free(k->names);
    free(k->image);
    free(k->begin);
    free(k->middle);
    free(k->labels);
    free(k->end);
    free(k);
}

static void documents_of(const struct container_snapshot *s, json_t *ret[DOCUMENTS])
{
    ret[0] = s->config;
    ret[1] = s->host_config;
    ret[2] = s->network_config;
    ret[3] = s->mounts;
    ret[4] = s->endpoints;
}

static bool is_kept(const struct list_kept *k, const struct list_row *row, const char *names,
                    const char *image)
{
    json_t *documents[DOCUMENTS];
    documents_of(&row->s, documents);
    return k && memcmp(k->documents, documents, sizeof(documents)) == 0 && str_eq(k->names, names) &&
           str_eq(k->image, image) && k->status == row->s.state.status &&
           k->was_started == (row->s.state.started_at != 0);
}

/* An object's text, with or without the braces around it. */
static char *bare_text(const json_t *object, bool first, bool last)
{
    _cleanup_free_ char *text = json_text(object);
    return xstrndup(text + !first, strlen(text) - !first - !last);
}

static struct list_kept *keep(const struct list_row *row, char *const *names, const char *image)
{
    _cleanup_json_ json_t *begin = row_begin(row, names, image), *middle = row_middle(row);
    _cleanup_json_ json_t *labels = row_labels(row), *end = row_end(row);
    struct list_kept *k = xcalloc(1, sizeof(*k));
    documents_of(&row->s, k->documents);
    for (size_t i = 0; i < DOCUMENTS; i++)
        json_incref(k->documents[i]);
    k->names = strv_join(names, ",");
    k->image = xstrdup(image);
    k->status = row->s.state.status;
    k->was_started = row->s.state.started_at != 0;
    k->begin = bare_text(begin, /* first= */ true, /* last= */ false);
    k->middle = bare_text(middle, /* first= */ false, /* last= */ false);
    k->labels = json_text(labels);
    k->end = bare_text(end, /* first= */ false, /* last= */ true);
    return k;
}

/* Neither an id nor a state nor a status needs escapes. */
static void put(struct buf *out, const struct container *c, const struct list_kept *k, const char *status,
                bool brief)
{
    buf_puts(out, k->begin);
    if (!brief || is_shown_as_id(c, k->image))
        buf_printf(out, ",\"ImageID\":\"%s\"", c->image_id);
    buf_puts(out, ",");
    buf_puts(out, k->middle);
    if (brief) {
        buf_printf(out, ",\"Status\":\"%s\"}", status);
        return;
    }
    buf_puts(out, ",\"Labels\":");
    buf_puts(out, k->labels);
    buf_printf(out, ",\"State\":\"%s\",\"Status\":\"%s\",", container_status_name(k->status), status);
    buf_puts(out, k->end);
}

void list_row_text(const struct list_row *row, int64_t now, struct list_memo *memo, bool brief,
                   struct buf *out)
{
    _cleanup_free_ char *status = container_status_text(&row->s.state, now);
    struct container *c = row->c;
    const char *image = image_text(memo, c);
    _cleanup_strv_ char **names = names_of(row, memo->link_holders);
    _cleanup_free_ char *joined = strv_join(names, ","); /* names have no commas */
    struct list_kept *k = NULL, *old;
    bool done;
    pthread_mutex_lock(&c->lock);
    done = is_kept(c->list_kept, row, joined, image);
    if (done)
        put(out, c, c->list_kept, status, brief);
    pthread_mutex_unlock(&c->lock);
    if (done)
        return;
    k = keep(row, names, image);
    put(out, c, k, status, brief);
    pthread_mutex_lock(&c->lock);
    old = c->list_kept;
    c->list_kept = k;
    pthread_mutex_unlock(&c->lock);
    list_kept_free(old);
}
