/* The check as a whole: its steps, its report, and the quick one at the start after an unclean stop. */
#include "engine/check.h"

#include <pthread.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/check_internal.h"
#include "storage/storage.h"

enum { THREAD_STACK = 256 * 1024, LOG_MAX = 20 };

/* ---- findings ---- */

json_t *check_found(struct check *x, const char *object, const char *problem, const char *id,
                    const char *name, const struct err *why)
{
    json_t *finding = json_pack("{s:s, s:s, s:b}", "Object", object, "Problem", problem, "Repaired", false);

    json_set_str(finding, "ID", id ? id : "");
    json_set_str(finding, "Name", name ? name : "");
    json_set_str(finding, "Detail", why ? why->message : "");
    json_array_append_new(x->findings, finding);
    return finding;
}

void check_repaired(json_t *finding, int r, const struct err *err)
{
    json_set_bool(finding, "Repaired", r == 0);
    if (r < 0)
        json_set_str(finding, "Failure", err->message);
    else
        json_object_del(finding, "Failure");
}

int check_tell(struct check *x, const char *id, const char *status, struct err *err)
{
    const struct image_progress progress = {.id = id, .status = status};

    return x->listener.report(x->listener.arg, &progress) < 0 || x->listener.gone(x->listener.arg)
               ? err_set(err, ERR_CANCELLED, "the client has gone")
               : 0;
}

/* ---- steps ---- */

static int check_database(struct check *x, struct err *err _unused_)
{
    struct err why = {0};

    if (!x->o->quick && db_check(x->e->db, &why) < 0)
        check_found(x, "database", "damaged", "keg.db", NULL, &why);
    return 0;
}

static int check_strays(struct check *x, struct err *err)
{
    _cleanup_strv_ char **strays = NULL;

    if (storage_strays(x->e->storage, &strays, err) < 0)
        return -1;
    for (char **name = strays; name && *name; name++) {
        json_t *finding = check_found(x, "directory", "orphaned", *name, NULL, NULL);
        struct err own = {0};

        if (x->o->repair)
            check_repaired(finding, storage_stray_remove(x->e->storage, *name, &own), &own);
    }
    return 0;
}

/* Layers that are made anew take damaged directories out of the way: strays come last. */
static int (*const steps[])(struct check *x, struct err *err) = {
    check_database, check_images, check_containers, check_volumes, check_strays,
};

static json_t *result_json(const struct check *x)
{
    static const char *const names[COUNT_COUNT] = {"Images",     "Blobs",   "Layers",
                                                   "Containers", "Volumes", "Bytes"};
    json_t *result = json_object();

    for (size_t i = 0; i < COUNT_COUNT; i++)
        json_set_int(result, names[i], x->counts[i]);
    json_object_set(result, "Findings", x->findings);
    return result;
}

/* ---- one check ---- */

static int tell_progress(void *arg, const struct image_progress *progress)
{
    const struct check *x = arg;

    return x->transfer ? transfer_report(x->transfer, progress) : 0;
}

static bool is_abandoned(void *arg)
{
    const struct check *x = arg;

    return x->e->closing || (x->transfer && transfer_gone(x->transfer));
}

static int run(struct engine *e, const struct engine_check_options *o, struct transfer *transfer,
               json_t **ret, struct err *err)
{
    struct check x = {.e = e, .o = o, .transfer = transfer, .findings = json_array(), .seen = json_object()};
    int r = 0;

    x.listener = (struct image_listener){tell_progress, is_abandoned, &x};
    x.parts = (struct image_check){e->image_store, o->quick, &x.listener, o->auths};
    pthread_mutex_lock(&e->checking);
    for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
        r = steps[i](&x, err);
    pthread_mutex_unlock(&e->checking);
    if (r == 0)
        *ret = result_json(&x);
    json_decref(x.findings);
    json_decref(x.seen);
    return r;
}

int engine_check(struct engine *e, const struct engine_check_options *o, const struct engine_sink *sink,
                 struct err *err)
{
    struct transfer t = {.sink = sink};
    _cleanup_json_ json_t *line = json_object();
    json_t *result = NULL;

    if (run(e, o, &t, &result, err) < 0)
        return transfer_fail(e, &t, err);
    json_object_set_new(line, "result", result);
    return transfer_write(&t, line) < 0 ? err_set(err, ERR_CANCELLED, "the client has gone") : 0;
}

/* ---- at the start ---- */

#define CLEAN_KEY "clean"

void check_note_open(struct engine *e)
{
    _cleanup_json_ json_t *known = db_get(e->db, DB_META, "id", NULL),
                          *clean = db_get(e->db, DB_META, CLEAN_KEY, NULL);

    e->was_unclean = known && !clean;
    /* Lazily: whatever is acknowledged from here on goes to the same log behind it. */
    if (clean)
        db_delete(e->db, DB_META, CLEAN_KEY, DB_LAZY, NULL);
}

static void log_findings(const json_t *findings)
{
    const json_t *f;
    size_t i;

    json_array_foreach (findings, i, f) {
        if (i == LOG_MAX) {
            log_warn("store: and %zu more", json_array_size(findings) - i);
            break;
        }
        log_warn("store: %s %s %s %s: %s", json_str_or(f, "Problem", ""), json_str_or(f, "Object", ""),
                 json_str_or(f, "ID", ""), json_str_or(f, "Name", ""), json_str_or(f, "Detail", ""));
    }
    if (json_array_size(findings))
        log_warn("store: \"keg system check --repair\" mends what can be mended");
}

static void *start_thread(void *arg)
{
    static const struct engine_check_options quick = {.quick = true};
    struct engine *e = arg;
    _cleanup_json_ json_t *result = NULL;
    struct err err = {0};

    if (run(e, &quick, NULL, &result, &err) == 0) {
        log_info("store: looked over after an unclean stop: %lld images, %zu findings",
                 (long long)json_int_or(result, "Images", 0),
                 json_array_size(json_object_get(result, "Findings")));
        log_findings(json_object_get(result, "Findings"));
    } else if (err.kind != ERR_CANCELLED) {
        log_warn("store: cannot be looked over: %s", err.message);
    }
    return NULL;
}

void check_start(struct engine *e)
{
    pthread_attr_t attr;

    e->opened = true;
    if (!e->was_unclean)
        return;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    e->check_runs = pthread_create(&e->check_thread, &attr, start_thread, e) == 0;
    pthread_attr_destroy(&attr);
}

void check_stop(struct engine *e)
{
    _cleanup_json_ json_t *clean = NULL;

    if (e->check_runs)
        pthread_join(e->check_thread, NULL);
    e->check_runs = false;
    if (!e->opened)
        return;
    clean = json_pack("{s:b}", "Clean", true);
    db_put(e->db, DB_META, CLEAN_KEY, NULL, clean, DB_SYNCED, NULL); /* else the next start takes a look */
}
