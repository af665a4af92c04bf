/* One thread that sleeps most of the time. An image goes as `prune` would remove it: never one that a container
 * stands on. */
#include "engine/images_collect.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/images_internal.h"
#include "storage/storage.h"

enum { INTERVAL_S = 60, LOW_BELOW_HIGH = 5, THREAD_STACK = 256 * 1024 };

#define MIN_AGE_DEFAULT "24h"
#define USED_PRECISION  (3600 * CLOCK_NS_PER_S) /* a use within an hour of the last isn't written down */

struct images_collect {
    pthread_t thread;
    pthread_mutex_t lock; /* poked, stop */
    pthread_cond_t changed;
    bool poked, stop;
    uint32_t high, low; /* percent */
    int64_t min_age;    /* ns */
    char **keep;        /* patterns of names in the form that people write */
};

/* ---- settings ---- */

static int percent(const json_t *settings, const char *key, uint32_t otherwise, uint32_t *ret,
                   struct err *err)
{
    const char *text = json_str(settings, key);

    *ret = otherwise;
    if (!text)
        return 0;
    if (str_to_u32(text, ret) < 0 || *ret < 1 || *ret > 99)
        return err_set(err, ERR_INVALID, "image-gc: %s=%s is no percentage from 1 to 99", key, text);
    return 0;
}

static int parse(const json_t *settings, struct images_collect *ret, struct err *err)
{
    static const char *const known[] = {"high", "low", "min-age", "keep"};
    const char *age = json_str_or(settings, "min-age", MIN_AGE_DEFAULT), *key;
    json_t *value;

    json_object_foreach ((json_t *)settings, key, value) {
        bool found = false;

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
            found = found || str_eq(key, known[i]);
        if (!found || !json_is_string(value))
            return err_set(err, ERR_INVALID,
                           "image-gc: unknown setting \"%s\": there are high, low, min-age and keep", key);
    }
    if (!json_str(settings, "high"))
        return err_set(err, ERR_INVALID, "image-gc: say from which percentage on, as high=85");
    if (percent(settings, "high", 0, &ret->high, err) < 0 ||
        percent(settings, "low", ret->high > LOW_BELOW_HIGH ? ret->high - LOW_BELOW_HIGH : 1, &ret->low,
                err) < 0)
        return -1;
    if (ret->low > ret->high)
        return err_set(err, ERR_INVALID, "image-gc: low=%u is above high=%u", ret->low, ret->high);
    if (clock_parse_duration(age, &ret->min_age) < 0 || ret->min_age < 0)
        return err_set(err, ERR_INVALID, "image-gc: min-age=%s is no duration such as 24h", age);
    ret->keep = strv_split(json_str_or(settings, "keep", ""), ',');
    return 0;
}

int images_collect_check(const json_t *settings, struct err *err)
{
    struct images_collect parsed = {0};
    int r = settings ? parse(settings, &parsed, err) : 0;

    strv_free(parsed.keep);
    return r;
}

/* ---- what may go ---- */

static uint32_t disk_used(struct engine *e)
{
    struct statvfs st;

    storage_settle(e->storage); /* what was removed a moment ago counts no more */
    if (statvfs(e->options.data_root, &st) < 0 || st.f_blocks == 0)
        return 0;
    return (uint32_t)(100 - 100.0 * (double)st.f_bavail / (double)(st.f_blocks - st.f_bfree + st.f_bavail));
}

static int64_t last_used(const json_t *row)
{
    int64_t used = json_int_or(row, "LastUsed", 0), tagged = json_int_or(row, "LastTagTime", 0);

    return used > tagged ? used : tagged;
}

static bool is_kept(struct engine *e, const struct images_collect *c, const char *id)
{
    _cleanup_strv_ char **names = images_familiar_names(e, id, /* digests= */ false);

    for (char **name = names; name && *name; name++)
        for (char **pattern = c->keep; pattern && *pattern; pattern++)
            if (**pattern && fnmatch(*pattern, *name, 0) == 0)
                return true;
    return false;
}

/* The one that has been idle the longest. False: none may go. */
static bool find_oldest(struct engine *e, const struct images_collect *c, char ret[DIGEST_SIZE])
{
    int64_t now = clock_now(), oldest = 0;
    const char *id;
    json_t *row;
    bool found = false;

    engine_images_lock(e);
    json_object_foreach (e->images->rows, id, row) {
        int64_t used = last_used(row);

        if (json_bool_or(row, "Orphan", false) || now - used < c->min_age || (found && used >= oldest) ||
            is_kept(e, c, id) || images_in_use(e, id) || images_has_children(e, id, NULL))
            continue;
        found = true;
        oldest = used;
        snprintf(ret, DIGEST_SIZE, "%s", id);
    }
    engine_images_unlock(e);
    return found;
}

static void collect(struct engine *e, const struct images_collect *c)
{
    uint32_t used = disk_used(e);
    char id[DIGEST_SIZE];

    if (used < c->high)
        return;
    log_info("the disk of %s is %u%% full: removing images that nobody uses", e->options.data_root, used);
    while (!e->closing && used > c->low && find_oldest(e, c, id)) {
        const struct engine_image_remove_options all_names = {.force = true, .no_prune = true};
        _cleanup_json_ json_t *report = NULL;
        struct err err = {0};

        if (engine_image_remove(e, id, &all_names, &report, &err) < 0) {
            log_warn("cannot remove image %s: %s", id, err.message);
            return;
        }
        log_info("removed image %s", id);
        used = disk_used(e);
    }
}

/* ---- the thread ---- */

/* Until something was added, or a minute has passed. False: the end. */
static bool collect_wait(struct images_collect *c)
{
    struct timespec until;
    bool go_on;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += INTERVAL_S;
    pthread_mutex_lock(&c->lock);
    while (!c->poked && !c->stop && pthread_cond_timedwait(&c->changed, &c->lock, &until) == 0)
        ;
    c->poked = false;
    go_on = !c->stop;
    pthread_mutex_unlock(&c->lock);
    return go_on;
}

static void *collect_thread(void *arg)
{
    struct engine *e = arg;

    do
        collect(e, e->images->collect);
    while (collect_wait(e->images->collect));
    return NULL;
}

static void collect_free(struct images_collect *c)
{
    strv_free(c->keep);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    free(c);
}

int images_collect_start(struct engine *e, struct err *err)
{
    struct images_collect *c;
    pthread_condattr_t monotonic;
    pthread_attr_t attr;
    int r;

    if (!e->options.image_gc)
        return 0;
    c = xcalloc(1, sizeof(*c));
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (parse(e->options.image_gc, c, err) < 0) {
        collect_free(c);
        return -1;
    }
    e->images->collect = c;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    r = pthread_create(&c->thread, &attr, collect_thread, e);
    pthread_attr_destroy(&attr);
    if (r == 0)
        return 0;
    e->images->collect = NULL;
    collect_free(c);
    return err_errno(err, r, "start the collector of images");
}

void images_collect_stop(struct engine *e)
{
    struct images_collect *c = e->images ? e->images->collect : NULL;

    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    e->images->collect = NULL;
    collect_free(c);
}

void images_collect_poke(struct engine *e)
{
    struct images_collect *c = e->images->collect;

    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->poked = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void images_collect_used(struct engine *e, const char *id)
{
    const json_t *row = json_object_get(e->images->rows, id);
    json_t *changed;

    if (!e->images->collect || !row || clock_now() - last_used(row) < USED_PRECISION)
        return;
    changed = json_copy((json_t *)row);
    json_set_int(changed, "LastUsed", clock_now());
    if (db_put(e->db, DB_IMAGES, id, NULL, changed, DB_LAZY, NULL) == 0)
        json_object_set(e->images->rows, id, changed);
    json_decref(changed);
}
