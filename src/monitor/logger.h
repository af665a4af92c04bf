/* A container's log: the driver that it is configured for, and besides, for one that nobody can read back, a
 * cache in the format of `local`. To add a driver: an implementation of struct log_driver, a row in logger.c's table,
 * and its options in engine/log_options.c.
 *
 * The monitor's "log" object, made by kegd:
 *     {"driver": NAME, "path": PATH of the newest file,
 *      "max_size": bytes (0: unlimited), "max_file": n, "compress": b,      json-file, local
 *      "attrs": {…}, "tag": TEXT,                                           what goes with each record
 *      "container": {"id","name","image"},                                  journald
 *      "socket": {"family":"unix"|"inet","type":"stream"|"dgram","path":PATH or "address":TEXT,"port":n},
 *                 or "tls": what logtls.h has
 *      "facility": n, "format": NAME, "hostname": TEXT,                     syslog
 *      "non_blocking": b, "max_buffer": bytes,                              syslog, journald
 *      "cache": {"driver":"local", …as above}} */
#ifndef KEG_MONITOR_LOGGER_H
#define KEG_MONITOR_LOGGER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "monitor/logcarry.h"
#include "monitor/loop.h"

struct logger;

struct logger_events {
    void (*unblocked)(void *owner); /* logger_is_blocked() has become false */
    void *owner;
};

struct log_driver {
    const char *name;
    /* NULL and *err on failure. `log` is for logger_unblocked(). */
    void *(*open)(struct logger *log, struct loop *loop, const json_t *options, struct err *err);
    void (*write)(void *driver, enum log_stream stream, const char *data, size_t len, int64_t now);
    /* The stream has ended: its unfinished line is recorded. */
    void (*finish)(void *driver, enum log_stream stream, int64_t now);
    /* Frees it. */
    void (*close)(void *driver);
    bool (*is_blocked)(const void *driver); /* NULL: never */
    void (*release)(void *driver);          /* NULL: holds no memory to be released */
};
extern const struct log_driver log_driver_json_file, log_driver_local, log_driver_journald, log_driver_syslog;

/* *ret_log is NULL for the driver "none". 0 or -1. */
int logger_open(struct loop *loop, const json_t *options, const struct logger_events *events,
                struct logger **ret_log, struct err *err);
struct logger *logger_close(struct logger *l);

/* Records output that came at the time `now` (ns). Uses the scratch buffers' output. NULL is fine for all. */
void logger_write(struct logger *l, enum log_stream stream, const char *data, size_t len, int64_t now);
void logger_finish(struct logger *l, enum log_stream stream, int64_t now);
/* The program should be held back: the driver has more than it can get rid of. */
bool logger_is_blocked(const struct logger *l);
/* For drivers. */
void logger_unblocked(struct logger *l);
/* Nothing has happened for a while: memory of past work is given back. */
void logger_release(struct logger *l);
/* Reads the members that rows of files have. */
struct logchain_options;
int logger_read_files(const json_t *options, struct logchain_options *ret, struct err *err);

#endif
