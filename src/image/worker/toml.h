/* TOML as configuration files of registries use it (toml.io, version 1.0): tables with dotted and quoted names,
 * strings (basic and literal, on one line), integers, booleans, arrays over several lines. What else TOML has
 * (multi-line strings, dates, floats, inline tables, arrays of tables) is refused with its line. */
#ifndef KEG_IMAGE_WORKER_TOML_H
#define KEG_IMAGE_WORKER_TOML_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

enum { TOML_DEPTH_MAX = 16 };

/* `what` names the text in errors (ERR_INVALID, "FILE:LINE: …"). A JSON object, keys in the file's order; NULL
 * on failure. */
json_t *toml_parse(const char *text, size_t len, const char *what, struct err *err);

#endif
