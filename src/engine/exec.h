/* Execs: more processes in running containers. They live in memory, as long as their container or five minutes beyond
 * their end. */
#ifndef KEG_ENGINE_EXEC_H
#define KEG_ENGINE_EXEC_H

#include "engine/container.h"

struct execs *execs_new(void);
struct execs *execs_free(struct execs *x);
/* A monitor says that an exec has ended. */
/* A member with a command as Docker's events have it: the program, a space, the arguments. The caller frees. */
char *exec_command_text(const json_t *object, const char *key);
void exec_ended(struct container *c, const char *exec_id, int exit_code, int64_t time);
/* After kegd's restart: what the monitor knows ({id: {"running","pid","exit_code"}}). */
void execs_restore(struct container *c, const json_t *known);
/* The container has ended, and all its execs with it. */
void execs_container_ended(struct container *c);
/* The container is removed. */
void execs_forget(struct container *c);
/* The ids of a container's execs: a new array, or null when there are none. */
json_t *execs_ids(struct container *c);

#endif
