/* The drivers by name, and a log of one or two of them. */
#include "monitor/logger.h"

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "monitor/logchain.h"

static const struct log_driver *const drivers[] = {
    &log_driver_json_file,
    &log_driver_local,
    &log_driver_journald,
    &log_driver_syslog,
};

enum { PARTS = 2 }; /* the driver, the cache */

struct part {
    const struct log_driver *driver;
    void *data;
};

struct logger {
    struct logger_events events;
    struct part parts[PARTS];
    size_t count;
};

static int add_part(struct logger *l, struct loop *loop, const json_t *options, struct err *err)
{
    const char *name = json_str_or(options, "driver", "");

    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (!str_eq(drivers[i]->name, name))
            continue;
        l->parts[l->count] = (struct part){drivers[i], drivers[i]->open(l, loop, options, err)};
        return l->parts[l->count++].data ? 0 : -1;
    }
    return err_set(err, ERR_NOT_IMPLEMENTED, "log driver \"%s\" is not supported", name);
}

int logger_open(struct loop *loop, const json_t *options, const struct logger_events *events,
                struct logger **ret_log, struct err *err)
{
    const json_t *cache = json_object_get(options, "cache");
    struct logger *l;

    *ret_log = NULL;
    if (str_eq(json_str_or(options, "driver", "none"), "none"))
        return 0;
    l = xcalloc(1, sizeof(*l));
    l->events = *events;
    if (add_part(l, loop, options, err) < 0 || (cache && add_part(l, loop, cache, err) < 0)) {
        logger_close(l);
        return -1;
    }
    *ret_log = l;
    return 0;
}

struct logger *logger_close(struct logger *l)
{
    for (size_t i = 0; l && i < l->count; i++)
        if (l->parts[i].data)
            l->parts[i].driver->close(l->parts[i].data);
    free(l);
    return NULL;
}

void logger_write(struct logger *l, enum log_stream stream, const char *data, size_t len, int64_t now)
{
    for (size_t i = 0; l && i < l->count; i++)
        l->parts[i].driver->write(l->parts[i].data, stream, data, len, now);
}

void logger_finish(struct logger *l, enum log_stream stream, int64_t now)
{
    for (size_t i = 0; l && i < l->count; i++)
        l->parts[i].driver->finish(l->parts[i].data, stream, now);
}

bool logger_is_blocked(const struct logger *l)
{
    for (size_t i = 0; l && i < l->count; i++)
        if (l->parts[i].driver->is_blocked && l->parts[i].driver->is_blocked(l->parts[i].data))
            return true;
    return false;
}

void logger_unblocked(struct logger *l)
{
    l->events.unblocked(l->events.owner);
}

void logger_release(struct logger *l)
{
    for (size_t i = 0; l && i < l->count; i++)
        if (l->parts[i].driver->release)
            l->parts[i].driver->release(l->parts[i].data);
}

int logger_read_files(const json_t *options, struct logchain_options *ret, struct err *err)
{
    *ret = (struct logchain_options){.path = json_str(options, "path"),
                                     .max_size = json_int_or(options, "max_size", 0),
                                     .max_file = (unsigned)json_int_or(options, "max_file", 1),
                                     .compress = json_bool_or(options, "compress", false)};
    return path_is_absolute(ret->path) ? 0 : err_set(err, ERR_INVALID, "log without an absolute path");
}
