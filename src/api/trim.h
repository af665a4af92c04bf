/* Answers in the shape that an older API version had. The engine speaks the newest; what a version dropped or
 * changed is put back here for clients that ask for an earlier one.
 *
 * To add a change: a function and a row in trim.c's table. */
#ifndef KEG_API_TRIM_H
#define KEG_API_TRIM_H

#include <jansson.h>
#include <stdbool.h>

/* Changes the answer of the route with that pattern, in place, to what `version` (1041: 1.41) has; whether there is
 * anything to change. */
bool trim_changes(const char *pattern, unsigned version);
void trim_answer(const char *pattern, unsigned version, json_t *answer);

#endif
