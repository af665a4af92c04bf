/* TOML as configuration files of registries use it (toml.io, version 1.0): tables with dotted and quoted names,
 * strings (basic and literal, on one line), integers, booleans, arrays over several lines, inline tables. What else TOML
 * has (multi-line strings, dates, floats, arrays of tables, empty names) is refused with its line. */
#ifndef KEG_IMAGE_WORKER_TOML_H
#define KEG_IMAGE_WORKER_TOML_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

enum { TOML_DEPTH_MAX = 16 };

/* `what` names the text in errors (ERR_INVALID, "FILE:LINE: …"). A JSON object, keys in the file's order; NULL
 * on failure. *ret_lines: an object of the same names, with the same tables in it, for toml_line(). */
json_t *toml_parse(const char *text, size_t len, const char *what, json_t **ret_lines, struct err *err);
/* The line on which a table's name has its value, or, if that is a table, begins. 0: there is no such name. */
int toml_line(const json_t *lines, const char *key);

#endif
