/* The log of the programs: one line a message on stderr (or a given descriptor), as
 *     time="2026-01-02T03:04:05.678901234Z" level=info msg="…"
 * Library code never logs above debug. */
#ifndef KEG_BASE_LOG_H
#define KEG_BASE_LOG_H

#include "base/cleanup.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_FATAL };

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "debug", "info", "warn", "warning", "error", "fatal". 0 or -EINVAL. */
int log_level_from_name(const char *name, enum log_level *ret);
const char *log_level_name(enum log_level level);
/* Where lines go from now on; the descriptor stays the caller's. */
void log_set_fd(int fd);
void log_set_json(int on);

void log_write(enum log_level level, const char *fmt, ...) _printf_(2, 3);
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
