/* A container's log, from the request for it to its reader. */
#include "engine/logs.h"

#include "base/json.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/log_reader.h"

char *log_read_path(const struct container *c, const struct log_settings *s, bool *ret_local)
{
    *ret_local = s->driver != LOG_JSON_FILE;
    if (s->driver == LOG_JSON_FILE)
        return container_log_path(c);
    return s->driver == LOG_LOCAL || s->cached ? container_data_path(c, "local.log") : NULL;
}

int engine_container_logs(struct engine *e, const char *ref, const struct engine_logs_options *o,
                          const struct engine_sink *sink, struct err *err)
{
    struct log_settings settings;
    bool local;
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c)
        return -1;
    if (!o->stdout_too && !o->stderr_too)
        return err_set(err, ERR_INVALID, "Bad parameters: you must choose at least one stream");
    _cleanup_json_ json_t *host_config = container_host_config(c);
    if (log_settings_parse(json_object_get(host_config, "LogConfig"), &settings, err) < 0)
        return -1;
    _cleanup_free_ char *path = log_read_path(c, &settings, &local);
    if (!path)
        return err_set(err, ERR_NOT_IMPLEMENTED, "configured logging driver does not support reading");
    struct engine_wait *w = o->follow ? container_wait_end(c, err) : NULL;
    if (o->follow && !w)
        return -1;
    sink->write(sink->arg, "", 0); /* the response begins, even if there is nothing to tell yet */
    const struct log_reader_options options = {.format = local ? &log_format_local : &log_format_json,
                                               .path = path,
                                               .framed = !c->tty && !o->raw,
                                               .logs = *o,
                                               .end_fd = w ? container_wait_fd(w) : -1};
    int r = log_read(e, &options, sink, err);
    container_wait_free(w);
    return r;
}
