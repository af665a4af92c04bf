/* The ring keeps events as text: a thousand of them weigh little, and most subscribers pass them through.
 * Each subscriber has a position in the sequence and an eventfd; publishing never waits for one. */
#include "engine/events.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/filters.h"
#include "engine/internal.h"

/* Labels may be large: so the ring is bounded in bytes, too. */
enum { EVENTS_RING = 1024, EVENTS_BYTES = 4 * 1024 * 1024, EVENT_TEXT_MAX = 1024 * 1024 };

struct event_entry {
    char *text; /* one JSON object */
    int64_t time;
};

struct subscriber {
    int fd; /* eventfd */
    struct subscriber *next;
};

struct events {
    pthread_mutex_t lock;
    struct event_entry ring[EVENTS_RING];
    uint64_t next; /* sequence number of the next event; it goes to ring[next % EVENTS_RING] */
    uint64_t oldest;
    size_t bytes;
    struct subscriber *subscribers;
};

struct events *events_new(void)
{
    struct events *ev = xcalloc(1, sizeof(*ev));
    pthread_mutex_init(&ev->lock, NULL);
    return ev;
}

struct events *events_free(struct events *ev)
{
    if (!ev)
        return NULL;
    for (size_t i = 0; i < EVENTS_RING; i++)
        free(ev->ring[i].text);
    pthread_mutex_destroy(&ev->lock);
    free(ev);
    return NULL;
}

static void events_wake(struct events *ev)
{
    for (struct subscriber *s = ev->subscribers; s; s = s->next)
        eventfd_write(s->fd, 1);
}

void events_interrupt(struct events *ev)
{
    pthread_mutex_lock(&ev->lock);
    events_wake(ev);
    pthread_mutex_unlock(&ev->lock);
}

static json_t *event_json(const char *type, const char *action, const char *id, const json_t *attributes,
                          int64_t now)
{
    json_t *event = json_object(), *actor = json_object();
    if (str_eq(type, "container") || str_eq(type, "image")) {
        json_set_str(event, "status", action);
        json_set_str(event, "id", id);
        const char *from = json_str(attributes, "image");
        if (from && str_eq(type, "container"))
            json_set_str(event, "from", from);
    }
    json_set_str(event, "Type", type);
    json_set_str(event, "Action", action);
    json_set_str(actor, "ID", id);
    json_object_set_new(actor, "Attributes", attributes ? json_deep_copy(attributes) : json_object());
    json_object_set_new(event, "Actor", actor);
    json_set_str(event, "scope", "local");
    json_set_int(event, "time", now / CLOCK_NS_PER_S);
    json_set_int(event, "timeNano", now);
    return event;
}

/* Drops the oldest, with the lock held. */
static void events_make_room(struct events *ev, size_t len)
{
    while (ev->oldest < ev->next &&
           (ev->next - ev->oldest >= EVENTS_RING || ev->bytes + len > EVENTS_BYTES)) {
        struct event_entry *slot = &ev->ring[ev->oldest++ % EVENTS_RING];
        ev->bytes -= strlen(slot->text);
        free(slot->text);
        slot->text = NULL;
    }
}

void events_add(struct events *ev, const char *type, const char *action, const char *id,
                const json_t *attributes)
{
    int64_t now = clock_now();
    _cleanup_json_ json_t *event = event_json(type, action, id, attributes, now);
    char *text = json_text(event);
    if (text && strlen(text) > EVENT_TEXT_MAX && attributes) { /* better without its labels than not at all */
        free(text);
        events_add(ev, type, action, id, NULL);
        return;
    }
    if (!text)
        return;
    pthread_mutex_lock(&ev->lock);
    events_make_room(ev, strlen(text));
    ev->ring[ev->next++ % EVENTS_RING] = (struct event_entry){.text = text, .time = now};
    ev->bytes += strlen(text);
    events_wake(ev);
    pthread_mutex_unlock(&ev->lock);
}

/* ---- filters ---- */

static const char *const event_filter_keys[] = {
    "type",  "event",  "container", "image",   "network", "volume", "daemon",  "label",
    "scope", "plugin", "node",      "service", "secret",  "config", "builder", NULL};

/* "container=web" is met by the id, an id prefix or the name, and only by events of that type (or, for
 * images, by the containers' attribute "image"). */
static bool event_matches_actor(const json_t *event, const json_t *filters, const char *type)
{
    if (!filters_has(filters, type))
        return true;
    const json_t *actor = json_object_get(event, "Actor"), *attributes = json_object_get(actor, "Attributes");
    const char *id = json_str_or(actor, "ID", "");
    const char *name = json_str(attributes, str_eq(json_str(event, "Type"), type) ? "name" : type);
    bool same_type = str_eq(json_str(event, "Type"), type), images = str_eq(type, "image");
    if (!same_type && !images && !name)
        return false;
    const char *value;
    for (size_t i = 0; (value = filters_value(filters, type, i)); i++) {
        if ((same_type && str_starts(id, value)) || str_eq(name, value))
            return true;
        const char *tag = images && name ? str_after(name, value) : NULL;
        if (tag && *tag == ':')
            return true;
    }
    return false;
}

/* "event=exec_start" is met by "exec_start: sh -c …" too. */
static bool event_matches_action(const json_t *event, const json_t *filters)
{
    const char *action = json_str_or(event, "Action", ""), *value;
    if (!filters_has(filters, "event"))
        return true;
    for (size_t i = 0; (value = filters_value(filters, "event", i)); i++) {
        const char *rest = str_after(action, value);
        if (rest && (*rest == '\0' || *rest == ':'))
            return true;
    }
    return false;
}

static bool event_matches(const char *text, const json_t *filters)
{
    if (json_object_size(filters) == 0)
        return true;
    _cleanup_json_ json_t *event = json_parse(text, strlen(text), "event", NULL);
    if (!filters_match_exact(filters, "type", json_str(event, "Type")) ||
        !event_matches_action(event, filters) ||
        !filters_match_exact(filters, "scope", json_str(event, "scope")) ||
        !filters_match_labels(filters, "label", json_at(event, "Actor.Attributes")))
        return false;
    static const char *const actors[] = {"container", "image", "network", "volume", "daemon"};
    for (size_t i = 0; i < ARRAY_SIZE(actors); i++)
        if (!event_matches_actor(event, filters, actors[i]))
            return false;
    return true;
}

/* ---- streams ---- */

struct cursor {
    struct events *ev;
    struct subscriber self;
    uint64_t position;
    const struct engine_events_options *options;
};

/* Appends what is new and wanted to out. Returns true when `until` has been passed. */
static bool cursor_collect(struct cursor *c, struct buf *out)
{
    bool over = false;
    pthread_mutex_lock(&c->ev->lock);
    c->position = MAX_OF(c->position, c->ev->oldest);
    for (; c->position < c->ev->next && !over && out->len < out->max / 2; c->position++) {
        const struct event_entry *entry = &c->ev->ring[c->position % EVENTS_RING];
        if (c->options->since && entry->time < c->options->since)
            continue;
        over = c->options->until && entry->time > c->options->until;
        if (!over && event_matches(entry->text, c->options->filters)) {
            buf_puts(out, entry->text);
            buf_putc(out, '\n');
        }
    }
    pthread_mutex_unlock(&c->ev->lock);
    return over;
}

static void cursor_open(struct cursor *c)
{
    pthread_mutex_lock(&c->ev->lock);
    c->position = c->options->since ? c->ev->oldest : c->ev->next;
    c->self.next = c->ev->subscribers;
    c->ev->subscribers = &c->self;
    pthread_mutex_unlock(&c->ev->lock);
}

static void cursor_close(struct cursor *c)
{
    pthread_mutex_lock(&c->ev->lock);
    for (struct subscriber **s = &c->ev->subscribers; *s; s = &(*s)->next)
        if (*s == &c->self) {
            *s = c->self.next;
            break;
        }
    pthread_mutex_unlock(&c->ev->lock);
    close_fd(&c->self.fd);
}

static int cursor_run(struct engine *e, struct cursor *c, const struct engine_sink *sink, struct err *err)
{
    _cleanup_(buf_finish) struct buf out = BUF_INIT((size_t)2 * EVENT_TEXT_MAX);
    for (;;) {
        eventfd_t ignored;
        eventfd_read(c->self.fd, &ignored);
        uint64_t before = c->position;
        bool over = cursor_collect(c, &out);
        if (out.len && sink->write(sink->arg, out.data, out.len) < 0)
            return err_set(err, ERR_CANCELLED, "the client has gone");
        buf_reset(&out);
        if (over)
            return 0;
        if (c->position != before)
            continue;
        int timeout = -1;
        if (c->options->until) {
            int64_t left = (c->options->until - clock_now()) / 1000000;
            if (left < 0)
                return 0;
            timeout = (int)MIN_OF(left + 1, 60000);
        }
        if (engine_wait_readable(e, c->self.fd, sink->client_fd, timeout, err) < 0)
            return -1;
    }
}

int engine_events(struct engine *e, const struct engine_events_options *o, const struct engine_sink *sink,
                  struct err *err)
{
    if (filters_check(o->filters, event_filter_keys, err) < 0)
        return -1;
    struct cursor c = {.ev = e->events, .options = o};
    c.self.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c.self.fd < 0)
        return err_errno(err, errno, "make an eventfd");
    cursor_open(&c);
    int r = sink->write(sink->arg, "", 0); /* the client learns that it listens now */
    if (r == 0)
        r = cursor_run(e, &c, sink, err);
    else
        err_set(err, ERR_CANCELLED, "the client has gone");
    cursor_close(&c);
    return r;
}
