/* The table of containers: two chained hashes under one lock, which is held for a few instructions only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "engine/container.h"

enum { BUCKETS = 1024 };

struct containers {
    pthread_mutex_t lock;
    struct container *by_id[BUCKETS], *by_name[BUCKETS];
    size_t count;
};

static size_t bucket_of(const char *key)
{
    return hash64(key, strlen(key)) % BUCKETS;
}

struct containers *containers_new(void)
{
    struct containers *t = xcalloc(1, sizeof(*t));
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

struct containers *containers_free(struct containers *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct container *c = t->by_id[i], *next; c; c = next) {
            next = c->next_by_id;
            container_unref(c);
        }
    pthread_mutex_destroy(&t->lock);
    free(t);
    return NULL;
}

/* ---- with the lock held ---- */

static struct container *find_id(struct containers *t, const char *id)
{
    struct container *c = t->by_id[bucket_of(id)];
    while (c && !str_eq(c->id, id))
        c = c->next_by_id;
    return c;
}

static struct container *find_name(struct containers *t, const char *name)
{
    struct container *c = t->by_name[bucket_of(name)];
    while (c && !str_eq(c->name, name))
        c = c->next_by_name;
    return c;
}

static struct container *find_prefix(struct containers *t, const char *prefix, bool *ret_several)
{
    struct container *found = NULL;
    size_t len = strlen(prefix);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct container *c = t->by_id[i]; c; c = c->next_by_id)
            if (strncmp(c->id, prefix, len) == 0) {
                *ret_several = found != NULL;
                if (found)
                    return NULL;
                found = c;
            }
    return found;
}

static void link_name(struct containers *t, struct container *c)
{
    struct container **head = &t->by_name[bucket_of(c->name)];
    c->next_by_name = *head;
    *head = c;
}

static void unlink_name(struct containers *t, struct container *c)
{
    for (struct container **p = &t->by_name[bucket_of(c->name)]; *p; p = &(*p)->next_by_name)
        if (*p == c) {
            *p = c->next_by_name;
            break;
        }
}

static int check_name_is_free(struct containers *t, const char *name, struct err *err)
{
    const struct container *other = find_name(t, name);
    if (!other)
        return 0;
    return err_set(
        err, ERR_CONFLICT,
        "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to remove "
        "(or rename) that container to be able to reuse that name.",
        name, other->id);
}

/* ---- */

int containers_add(struct engine *e, struct container *c, struct err *err)
{
    struct containers *t = e->containers;
    pthread_mutex_lock(&t->lock);
    int r = check_name_is_free(t, c->name, err);
    if (r == 0) {
        struct container **head = &t->by_id[bucket_of(c->id)];
        c->next_by_id = *head;
        *head = container_ref(c);
        link_name(t, c);
        t->count++;
    }
    pthread_mutex_unlock(&t->lock);
    return r;
}

void containers_remove(struct engine *e, struct container *c)
{
    struct containers *t = e->containers;
    bool found = false;
    pthread_mutex_lock(&t->lock);
    for (struct container **p = &t->by_id[bucket_of(c->id)]; *p; p = &(*p)->next_by_id)
        if (*p == c) {
            *p = c->next_by_id;
            unlink_name(t, c);
            t->count--;
            found = true;
            break;
        }
    pthread_mutex_unlock(&t->lock);
    if (found)
        container_unref(c);
}

int containers_rename(struct engine *e, struct container *c, const char *name, struct err *err)
{
    struct containers *t = e->containers;
    pthread_mutex_lock(&t->lock);
    int r = check_name_is_free(t, name, err);
    if (r == 0) {
        unlink_name(t, c);
        pthread_mutex_lock(&c->lock);
        free(c->name);
        c->name = xstrdup(name);
        pthread_mutex_unlock(&c->lock);
        link_name(t, c);
    }
    pthread_mutex_unlock(&t->lock);
    return r;
}

struct container *containers_find(struct engine *e, const char *ref, struct err *err)
{
    struct containers *t = e->containers;
    const char *name = ref && *ref == '/' ? ref + 1 : ref;
    bool several = false;
    if (str_empty(name)) {
        err_set(err, ERR_INVALID, "no container name or ID was given");
        return NULL;
    }
    pthread_mutex_lock(&t->lock);
    struct container *c = strlen(ref) == CONTAINER_ID_SIZE - 1 ? find_id(t, ref) : NULL;
    if (!c)
        c = find_name(t, name);
    if (!c && strlen(ref) < CONTAINER_ID_SIZE)
        c = find_prefix(t, ref, &several);
    if (c && !c->visible)
        c = NULL;
    if (c)
        container_ref(c);
    pthread_mutex_unlock(&t->lock);
    if (several)
        err_set(err, ERR_INVALID, "Multiple IDs found with provided prefix: %s", ref);
    else if (!c)
        err_set(err, ERR_NOT_FOUND, "No such container: %s", ref);
    return c;
}

void containers_show(struct engine *e, struct container *c)
{
    pthread_mutex_lock(&e->containers->lock);
    c->visible = true;
    pthread_mutex_unlock(&e->containers->lock);
}

static int newest_first(const void *a, const void *b)
{
    const struct container *x = *(struct container *const *)a, *y = *(struct container *const *)b;
    return x->created < y->created ? 1 : x->created > y->created ? -1 : strcmp(x->id, y->id);
}

static struct container **list_containers(struct containers *t, bool hidden_too, size_t *ret_count)
{
    pthread_mutex_lock(&t->lock);
    struct container **list = xcalloc(t->count + 1, sizeof(struct container *));
    size_t n = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct container *c = t->by_id[i]; c; c = c->next_by_id)
            if (c->visible || hidden_too)
                list[n++] = container_ref(c);
    pthread_mutex_unlock(&t->lock);
    qsort(list, n, sizeof(struct container *), newest_first);
    if (ret_count)
        *ret_count = n;
    return list;
}

struct container **containers_list(struct engine *e, size_t *ret_count)
{
    return list_containers(e->containers, /* hidden_too= */ false, ret_count);
}

struct container **containers_list_all(struct engine *e)
{
    return list_containers(e->containers, /* hidden_too= */ true, NULL);
}

void containers_list_free(struct container **list)
{
    for (struct container **c = list; list && *c; c++)
        container_unref(*c);
    free(list);
}

int engine_containers_each(struct engine *e, int (*fn)(void *arg, const struct container_brief *c), void *arg)
{
    _cleanup_(containers_list_free_p) struct container **list = containers_list_all(e);
    int r = 0;
    for (struct container **c = list; *c && r == 0; c++) {
        _cleanup_snapshot_ struct container_snapshot s = {0};
        container_snapshot(*c, &s);
        struct container_brief brief = {
            .id = (*c)->id,
            .name = s.name,
            .image_id = (*c)->image_id,
            .image_ref = (*c)->image_ref,
            .running = container_status_runs(s.state.status),
            .paused = s.state.status == CONTAINER_PAUSED,
            .networks = s.network_config,
            .mounts = s.mounts,
        };
        r = fn(arg, &brief);
    }
    return r;
}
