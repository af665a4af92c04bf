/* Is what the store holds what the database says, and the other way round; and is each thing what its name says.
 *
 * GET's and POST's of Docker's API know nothing like it: POST /keg/system/check is keg's own route. */
#ifndef KEG_ENGINE_CHECK_H
#define KEG_ENGINE_CHECK_H

#include <jansson.h>
#include <stdbool.h>

#include "engine/engine.h"

struct engine_check_options {
    bool quick;  /* presence and sizes; small documents are read, nothing else is */
    bool repair; /* what can be mended is mended */
    const json_t *
        auths; /* the credentials for that by server, as X-Registry-Config has them; kept nowhere. NULL: none */
};

/* Writes progress as JSON lines ({"id","status","progressDetail"}), and last {"result": {"Images","Blobs","Layers",
 * "Containers","Volumes": numbers, "Bytes": read, "Findings": […]}}. A finding is {"Object": "blob"|"layer"|
 * "container"|"volume"|"name"|"database"|"directory", "Problem": "damaged"|"missing"|"orphaned"|"unverified", "ID", "Name": of the image or
 * container concerned, "Detail", "Repaired": bool, "Failure": why not}. Containers that run are left alone: what they stand
 * on isn't replaced. One at a time, others wait. */
int engine_check(struct engine *e, const struct engine_check_options *o, const struct engine_sink *sink,
                 struct err *err);

/* ---- for engine.c ---- */

/* Notes that the store is in use; remembers whether it was left in order. After the database is open. */
void check_note_open(struct engine *e);
/* After everything is open: if it wasn't left in order, a quick check in a thread; what it finds goes to the log. */
void check_start(struct engine *e);
/* Ends that; and, once the engine has opened, notes that it is left in order. */
void check_stop(struct engine *e);

#endif
