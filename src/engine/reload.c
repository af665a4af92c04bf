/* A changed configuration. Readers of the lists take options_lock; the numbers are read as they are. */
#include "engine/reload.h"

#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/internal.h"
#include "engine/runtimes.h"
#include "image/store.h"

static void replace_list(const char *const **list, const char *const *wanted)
{
    char **copy = NULL;

    for (; wanted && *wanted; wanted++)
        strv_push(&copy, *wanted);
    strv_free((char **)*list);
    *list = (const char *const *)copy;
}

static void add_list(json_t *attributes, const char *key, const char *const *list)
{
    _cleanup_json_ json_t *json = json_from_strv((char *const *)list);
    _cleanup_free_ char *text = json_array_size(json) ? json_text(json) : xstrdup("[]");

    json_set_str(attributes, key, text);
}

static void add_number(json_t *attributes, const char *key, long long number)
{
    _cleanup_free_ char *text = xasprintf("%lld", number);

    json_set_str(attributes, key, text);
}

/* Docker's attributes. */
static void report(struct engine *e, const json_t *more)
{
    const struct engine_options *o = &e->options;
    _cleanup_json_ json_t *attributes = json_object();
    _cleanup_free_ char *runtimes = runtimes_text(e);
    char name[256] = "";

    gethostname(name, sizeof(name) - 1);
    json_set_str(attributes, "name", name);
    add_list(attributes, "labels", o->labels);
    add_list(attributes, "insecure-registries", o->insecure_registries);
    add_list(attributes, "registry-mirrors", o->registry_mirrors);
    add_number(attributes, "max-concurrent-downloads", o->max_concurrent_downloads);
    add_number(attributes, "max-concurrent-uploads", o->max_concurrent_uploads);
    add_number(attributes, "default-shm-size", o->shm_size);
    json_set_str(attributes, "default-ipc-mode", o->ipc_mode);
    json_set_str(attributes, "default-cgroupns-mode", o->cgroupns_mode);
    json_set_str(attributes, "default-runtime", o->default_runtime ? o->default_runtime : "keg-runtime");
    json_set_str(attributes, "runtimes", runtimes);
    json_set_str(attributes, "live-restore", "true");
    json_object_update(attributes, (json_t *)more);
    events_add(e->events, "daemon", "reload", e->id, attributes);
}

void engine_reload(struct engine *e, const struct engine_options *wanted, const json_t *attributes)
{
    struct engine_options *o = &e->options;

    pthread_mutex_lock(&e->options_lock);
    replace_list(&o->labels, wanted->labels);
    replace_list(&o->insecure_registries, wanted->insecure_registries);
    replace_list(&o->registry_mirrors, wanted->registry_mirrors);
    runtimes_replace(e, wanted->runtimes, wanted->default_runtime);
    if (wanted->max_concurrent_downloads > 0)
        o->max_concurrent_downloads = wanted->max_concurrent_downloads;
    if (wanted->max_concurrent_uploads > 0)
        o->max_concurrent_uploads = wanted->max_concurrent_uploads;
    image_store_configure(e->image_store, &(struct image_store_options){
                                              .insecure_registries = (char *const *)o->insecure_registries,
                                              .mirrors = (char *const *)o->registry_mirrors,
                                              .max_downloads = (unsigned)o->max_concurrent_downloads,
                                              .max_uploads = (unsigned)o->max_concurrent_uploads,
                                          });
    report(e, attributes);
    pthread_mutex_unlock(&e->options_lock);
}
