/* The ring keeps events as text: a thousand of them weigh little, and most subscribers pass them through.
 * Each subscriber has a position in the sequence and an eventfd; publishing never waits for one.
 *
 * Each event is a line of DATA/events, too, from which the next kegd fills its ring. That file is bounded: when it is full, it
 * becomes DATA/events.old, which is read first. */
#include "engine/events.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/filters.h"
#include "engine/internal.h"

/* Labels may be large: so the ring is bounded in bytes, too. */
enum { EVENTS_RING = 1024, EVENTS_BYTES = 4 * 1024 * 1024, EVENT_TEXT_MAX = 1024 * 1024 };
enum { EVENTS_FILE_BYTES = 4 * 1024 * 1024, EVENTS_MODE = 0600 };

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
    char *path, *old_path; /* NULL: they are kept nowhere */
    int file;
    off_t file_size;
    bool held;      /* events_hold() */
    uint64_t first; /* … since this one */
    struct subscriber *subscribers;
};

/* ---- the file ---- */

static void file_open(struct events *ev)
{
    struct stat st;
    char last = '\n';
    ev->file = open(ev->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, EVENTS_MODE);
    ev->file_size = ev->file >= 0 && fstat(ev->file, &st) == 0 ? st.st_size : 0;
    if (ev->file_size > 0 && pread(ev->file, &last, 1, ev->file_size - 1) == 1 && last != '\n' &&
        write(ev->file, "\n", 1) == 1) /* what a power cut has cut off stays alone in its line */
        ev->file_size++;
}

/* A disk that is full costs the next kegd a line, and nobody else anything. */
static void file_add(struct events *ev, const char *text)
{
    size_t len = strlen(text);
    if (!ev->path)
        return;
    if (ev->file_size > EVENTS_FILE_BYTES && rename(ev->path, ev->old_path) == 0) {
        close_fd(&ev->file);
        file_open(ev);
    }
    _cleanup_free_ char *line = xasprintf("%s\n", text);
    if (ev->file >= 0 && fd_append_whole(ev->file, line, len + 1) == 0)
        ev->file_size += (off_t)len + 1;
}

/* ---- the ring, with the lock held ---- */

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

static void ring_add(struct events *ev, char *text_take, int64_t time)
{
    events_make_room(ev, strlen(text_take));
    ev->ring[ev->next++ % EVENTS_RING] = (struct event_entry){.text = text_take, .time = time};
    ev->bytes += strlen(text_take);
}

/* ---- earlier lives ---- */

/* The time without a parser: thousands of lines are read before kegd serves. */
static int64_t time_of(const char *text)
{
    static const char key[] = "\"timeNano\":";
    const char *last = NULL;
    for (const char *p = text; (p = strstr(p, key)); p++)
        last = p;
    return last ? strtoll(last + strlen(key), NULL, 10) : 0;
}

/* One object and nothing else, as far as brackets tell: what is torn, or two that were glued together, would end the streams
 * of those who read them. */
static bool is_object(const char *p, const char *end)
{
    bool text = false;
    for (int depth = 0; p < end && (unsigned char)*p >= ' '; p++) {
        if (text) {
            text = *p != '"';
            p += *p == '\\';
            continue;
        }
        text = *p == '"';
        depth += (*p == '{') - (*p == '}');
        if (depth <= 0)
            return depth == 0 && p + 1 == end && *p == '}';
    }
    return false;
}

static void file_read_back(struct events *ev, const char *path)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT((size_t)EVENTS_FILE_BYTES + 2 * EVENT_TEXT_MAX);
    if (file_read(AT_FDCWD, path, &text) < 0)
        return;
    char *line = (char *)buf_str(&text), *last = line + text.len;
    for (char *end; (end = memchr(line, '\n', (size_t)(last - line))); line = end + 1) {
        *end = '\0'; /* what has no end was cut off by a power cut */
        int64_t time = is_object(line, end) ? time_of(line) : 0;
        if (time)
            ring_add(ev, xstrdup(line), time);
    }
}

struct events *events_new(const char *directory)
{
    struct events *ev = xcalloc(1, sizeof(*ev));
    pthread_mutex_init(&ev->lock, NULL);
    ev->file = -EBADF;
    if (!directory)
        return ev;
    ev->path = xasprintf("%s/events", directory);
    ev->old_path = xasprintf("%s/events.old", directory);
    file_read_back(ev, ev->old_path);
    file_read_back(ev, ev->path);
    file_open(ev);
    return ev;
}

struct events *events_free(struct events *ev)
{
    if (!ev)
        return NULL;
    for (size_t i = 0; i < EVENTS_RING; i++)
        free(ev->ring[i].text);
    pthread_mutex_destroy(&ev->lock);
    close_fd(&ev->file);
    free(ev->path);
    free(ev->old_path);
    free(ev);
    return NULL;
}

int64_t events_last_of(struct events *ev, const char *id)
{
    static const char *const told[] = {"start", "die", "kill", "oom", "health_status", "exec_die"};
    int64_t last = 0;
    pthread_mutex_lock(&ev->lock);
    for (uint64_t i = ev->oldest; i < ev->next; i++) {
        const struct event_entry *entry = &ev->ring[i % EVENTS_RING];
        if (entry->time <= last || !strstr(entry->text, id))
            continue;
        _cleanup_json_ json_t *event = json_parse(entry->text, strlen(entry->text), "event", NULL);
        const char *action = json_str_or(event, "Action", "");
        for (size_t j = 0; j < ARRAY_SIZE(told); j++)
            if (str_starts(action, told[j]) && str_eq(json_str(event, "id"), id))
                last = entry->time;
    }
    pthread_mutex_unlock(&ev->lock);
    return last;
}

void events_hold(struct events *ev)
{
    ev->held = true;
    ev->first = ev->next;
}

static int by_time(const void *a, const void *b)
{
    const struct event_entry *x = a, *y = b;
    return (x->time > y->time) - (x->time < y->time);
}

void events_release(struct events *ev)
{
    pthread_mutex_lock(&ev->lock);
    uint64_t first = MAX_OF(ev->first, ev->oldest), count = ev->next - first;
    struct event_entry *entries = xcalloc(count + 1, sizeof(*entries));
    for (uint64_t i = 0; i < count; i++)
        entries[i] = ev->ring[(first + i) % EVENTS_RING];
    qsort(entries, count, sizeof(*entries), by_time);
    for (uint64_t i = 0; i < count; i++) {
        ev->ring[(first + i) % EVENTS_RING] = entries[i];
        file_add(ev, entries[i].text);
    }
    free(entries);
    ev->held = false;
    pthread_mutex_unlock(&ev->lock);
}

/* ---- publishing ---- */

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

void events_add_at(struct events *ev, int64_t time, const char *type, const char *action, const char *id,
                   const json_t *attributes)
{
    _cleanup_json_ json_t *event = event_json(type, action, id, attributes, time);
    char *text = json_text(event);
    if (text && strlen(text) > EVENT_TEXT_MAX && attributes) { /* better without its labels than not at all */
        free(text);
        events_add_at(ev, time, type, action, id, NULL);
        return;
    }
    if (!text)
        return;
    pthread_mutex_lock(&ev->lock);
    ring_add(ev, text, time);
    if (!ev->held)
        file_add(ev, text);
    events_wake(ev);
    pthread_mutex_unlock(&ev->lock);
}

void events_add(struct events *ev, const char *type, const char *action, const char *id,
                const json_t *attributes)
{
    events_add_at(ev, clock_now(), type, action, id, attributes);
}

void events_add_prune(struct events *ev, const char *type, int64_t reclaimed)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)reclaimed);
    _cleanup_json_ json_t *attributes = json_pack("{s:s}", "reclaimed", text);
    events_add(ev, type, "prune", "", attributes);
}

/* ---- filters ---- */

/* "container=web" is met by the id, an id prefix or the name, and only by events of that type (or, for
 * images, by the containers' attribute "image"). */
static bool event_matches_actor(const json_t *event, const json_t *filters, const char *type)
{
    if (!filters_has(filters, type))
        return true;
    const json_t *actor = json_object_get(event, "Actor"), *attributes = json_object_get(actor, "Attributes");
    const char *id = json_str_or(actor, "ID", "");
    bool same_type = str_eq(json_str(event, "Type"), type), images = str_eq(type, "image");
    if (!same_type && !images)
        return false;
    const char *name = json_str(attributes, same_type ? "name" : type);
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

/* Appends what is new and wanted to out. Those of monitors bear the time at which they happened, so that a later one may
 * come first. */
static void cursor_collect(struct cursor *c, struct buf *out)
{
    pthread_mutex_lock(&c->ev->lock);
    c->position = MAX_OF(c->position, c->ev->oldest);
    for (; c->position < c->ev->next && out->len < out->max / 2; c->position++) {
        const struct event_entry *entry = &c->ev->ring[c->position % EVENTS_RING];
        if ((c->options->since && entry->time < c->options->since) ||
            (c->options->until && entry->time > c->options->until))
            continue;
        if (event_matches(entry->text, c->options->filters)) {
            buf_puts(out, entry->text);
            buf_putc(out, '\n');
        }
    }
    pthread_mutex_unlock(&c->ev->lock);
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

int events_listeners(struct events *ev)
{
    int n = 0;
    pthread_mutex_lock(&ev->lock);
    for (const struct subscriber *s = ev->subscribers; s; s = s->next)
        n++;
    pthread_mutex_unlock(&ev->lock);
    return n;
}

static int cursor_run(struct engine *e, struct cursor *c, const struct engine_sink *sink, struct err *err)
{
    _cleanup_(buf_finish) struct buf out = BUF_INIT((size_t)2 * EVENT_TEXT_MAX);
    for (;;) {
        eventfd_t ignored;
        eventfd_read(c->self.fd, &ignored);
        uint64_t before = c->position;
        cursor_collect(c, &out);
        if (out.len && sink->write(sink->arg, out.data, out.len) < 0)
            return err_set(err, ERR_CANCELLED, "the client has gone");
        buf_reset(&out);
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
    if (filters_check(o->filters, /* allowed= */ NULL, err) < 0)
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
