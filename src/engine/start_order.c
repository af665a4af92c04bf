/* In which order containers come up again: depth first, so that what is needed is done before; a circle is cut where it is
 * entered. */
#include "engine/start_order.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

#define COMPOSE_LABEL "com.docker.compose."

enum { HEALTHY_TIMEOUT_S = 120, LOOK_MS = 200 };

struct node {
    struct container *c;
    bool visited;
    bool stopped;             /* by hand, before all this */
    bool waits;               /* for something to be healthy, or for what waits itself */
    struct container **needs; /* that have to be healthy first; NULL-terminated, borrowed from the list */
    size_t need_count;
};

struct order {
    struct engine *engine;
    struct node *nodes;
    size_t count;
    struct node **sorted;
    size_t sorted_count;
    void (*start)(struct container *c);
};

static void order_free(struct order *o)
{
    for (size_t i = 0; i < o->count; i++) {
        container_unref(o->nodes[i].c);
        free(o->nodes[i].needs);
    }
    free(o->nodes);
    free(o->sorted);
    free(o);
}

/* ---- who needs whom ---- */

static void visit(struct order *o, struct node *n);

static void need(struct order *o, struct node *n, struct node *other, bool healthy)
{
    if (other == n)
        return;
    visit(o, other);
    n->waits = n->waits || other->waits || healthy;
    if (!healthy)
        return;
    n->needs = xreallocarray(n->needs, n->need_count + 2, sizeof(struct container *));
    n->needs[n->need_count++] = other->c;
    n->needs[n->need_count] = NULL;
}

static void need_named(struct order *o, struct node *n, const char *name)
{
    _cleanup_container_ struct container *c = containers_find(o->engine, name, NULL);
    for (size_t i = 0; c && i < o->count; i++)
        if (o->nodes[i].c == c)
            need(o, n, &o->nodes[i], /* healthy= */ false);
}

static void visit_shared(struct order *o, struct node *n)
{
    static const char *const modes[] = {"NetworkMode", "IpcMode", "PidMode"};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        const char *name = str_after(json_str_or(n->c->host_config, modes[i], ""), "container:");
        if (name)
            need_named(o, n, name);
    }
}

/* "/db:alias" */
static void visit_links(struct order *o, struct node *n)
{
    const json_t *link;
    size_t i;
    json_array_foreach (json_object_get(n->c->host_config, "Links"), i, link) {
        const char *text = json_string_value(link);
        if (!text)
            continue;
        _cleanup_free_ char *name = xstrndup(text, strcspn(text, ":"));
        need_named(o, n, name + (*name == '/'));
    }
}

static const char *compose_label(const struct container *c, const char *name)
{
    return json_str_or(json_object_get(c->config, "Labels"), name, "");
}

/* "db:service_healthy:false,cache:service_started:true" */
static void visit_compose(struct order *o, struct node *n)
{
    const char *project = compose_label(n->c, COMPOSE_LABEL "project");
    _cleanup_strv_ char **services = strv_split(compose_label(n->c, COMPOSE_LABEL "depends_on"), ',');
    for (char **s = services; *project && *s; s++) {
        _cleanup_strv_ char **parts = strv_split(*s, ':');
        for (size_t i = 0; parts[0] && *parts[0] && i < o->count; i++)
            if (str_eq(compose_label(o->nodes[i].c, COMPOSE_LABEL "project"), project) &&
                str_eq(compose_label(o->nodes[i].c, COMPOSE_LABEL "service"), parts[0]))
                need(o, n, &o->nodes[i], parts[1] && str_eq(parts[1], "service_healthy"));
    }
}

static void visit(struct order *o, struct node *n)
{
    if (n->visited)
        return;
    n->visited = true;
    visit_shared(o, n);
    visit_links(o, n);
    visit_compose(o, n);
    o->sorted[o->sorted_count++] = n;
}

/* ---- those that wait ---- */

/* One that doesn't run, or isn't checked, never will be healthy. */
static bool is_worth_waiting_for(struct container *c)
{
    pthread_mutex_lock(&c->lock);
    bool worth = !c->gone && container_status_runs(c->state.status) && c->state.health == HEALTH_STARTING;
    pthread_mutex_unlock(&c->lock);
    return worth;
}

static bool wait_for_needs(struct engine *e, const struct node *n)
{
    int64_t until = clock_monotonic() + HEALTHY_TIMEOUT_S * CLOCK_NS_PER_S;
    for (size_t i = 0; i < n->need_count; i++)
        while (is_worth_waiting_for(n->needs[i]) && clock_monotonic() < until && !e->closing)
            if (engine_wait_readable(e, -1, -1, LOOK_MS, NULL) < 0)
                return false;
    return !e->closing;
}

/* Stopped since then, it isn't to come up. */
static bool is_stopped_now(const struct node *n)
{
    pthread_mutex_lock(&n->c->lock);
    bool stopped = n->c->state.stop_requested && !n->stopped;
    pthread_mutex_unlock(&n->c->lock);
    return stopped;
}

static void *wait_thread(void *arg)
{
    struct order *o = arg;
    for (size_t i = 0; i < o->sorted_count; i++) {
        const struct node *n = o->sorted[i];
        if (!n->waits)
            continue;
        if (!wait_for_needs(o->engine, n))
            break;
        if (!is_stopped_now(n))
            o->start(n->c);
    }
    order_free(o);
    return NULL;
}

void start_order_run(struct engine *e, struct container **list, void (*start)(struct container *c))
{
    struct order *o = xcalloc(1, sizeof(*o));
    bool waits = false;
    *o = (struct order){.engine = e, .start = start};
    while (list[o->count])
        o->count++;
    o->nodes = xcalloc(o->count + 1, sizeof(*o->nodes));
    o->sorted = xcalloc(o->count + 1, sizeof(*o->sorted));
    for (size_t i = 0; i < o->count; i++)
        o->nodes[i] = (struct node){.c = container_ref(list[i]), .stopped = list[i]->state.stop_requested};
    for (size_t i = o->count; i > 0; i--) /* the oldest first */
        visit(o, &o->nodes[i - 1]);
    for (size_t i = 0; i < o->sorted_count; i++) {
        waits = waits || o->sorted[i]->waits;
        if (!o->sorted[i]->waits)
            start(o->sorted[i]->c);
    }
    if (!waits) {
        order_free(o);
        return;
    }
    e->order_runs = pthread_create(&e->order_thread, NULL, wait_thread, o) == 0;
    if (!e->order_runs)
        wait_thread(o);
}

void start_order_finish(struct engine *e)
{
    if (e->order_runs)
        pthread_join(e->order_thread, NULL);
    e->order_runs = false;
}
