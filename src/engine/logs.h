/* Logs: what LogConfig says, and reading json-file logs back. */
#ifndef KEG_ENGINE_LOGS_H
#define KEG_ENGINE_LOGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/engine.h"

struct log_settings {
    bool none;                /* the "none" driver: nothing is kept */
    int64_t max_size;         /* bytes, 0: unlimited */
    int max_file;             /* at least 1 */
    const char *labels, *env; /* comma-separated names whose values go with each line; borrowed, NULL: none */
};
/* log_config: {"Type","Config":{…}} or NULL. ERR_INVALID, ERR_NOT_IMPLEMENTED for other drivers. */
int log_settings_parse(const json_t *log_config, struct log_settings *ret, struct err *err);

/* Reading: path is the newest file; older ones are path.1, path.2, … A line is
 *     {"log":"text\n","stream":"stdout","attrs":{…},"time":"2026-01-02T03:04:05.678901234Z"} */
struct log_reader_options {
    const char *path;
    bool framed; /* Docker's 8-byte header before each line */
    struct engine_logs_options logs;
    int end_fd; /* follow: becomes readable when nothing more is written; -1 with follow: it is so already */
};
/* e serves waiting only; NULL where follow is false. */
int log_read(struct engine *e, const struct log_reader_options *o, const struct engine_sink *sink,
             struct err *err);

#endif
