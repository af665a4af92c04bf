/* After a start: containers from the database, those that still run, and what an earlier life left half-done. */
#ifndef KEG_ENGINE_RECOVER_H
#define KEG_ENGINE_RECOVER_H

#include "engine/internal.h"

/* Reads the records into the table. Before images, networks and volumes are opened: those ask who uses them. */
int recover_load(struct engine *e, struct err *err);
/* With everything open: finds monitors, notes what ended meanwhile, finishes removals, sweeps what has no record, starts
 * what its restart policy wants. */
int recover_run(struct engine *e, struct err *err);

#endif
