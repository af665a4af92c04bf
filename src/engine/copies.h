/* What unpacks into a container at rest (archive.c), as starts and removals have to know it. */
#ifndef KEG_ENGINE_COPIES_H
#define KEG_ENGINE_COPIES_H

#include "engine/container.h"

/* Returns when nothing unpacks into the container any more. With the operation held. patiently: what goes on unpacking may do so
 * for some seconds; then, or without it at once, it is ended. */
void container_end_writer(struct container *c, bool patiently);

#endif
