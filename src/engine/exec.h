/* Execs: more processes in running containers. They live in memory, as long as their container or five minutes beyond
 * their end. */
#ifndef KEG_ENGINE_EXEC_H
#define KEG_ENGINE_EXEC_H

#include "engine/container.h"

struct execs *execs_new(void);
struct execs *execs_free(struct execs *x);
/* keg's own label: what the container's execs end with, where they don't say it themselves (EndsWith). */
#define EXEC_END_LABEL "keg.exec.ends-with"
/* "none", "process", "client", or nothing. */
bool exec_end_is_known(const char *ends_with);
/* A member with a command as Docker's events have it: the program, a space, the arguments. The caller frees. */
char *exec_command_text(const json_t *object, const char *key);
/* A monitor says that an exec has ended. left: something it started goes on. */
void exec_ended(struct container *c, const char *exec_id, int exit_code, bool left, int64_t time);
/* After kegd's restart: what the monitor knows ({id: {"running","pid","exit_code","left"}}). */
void execs_restore(struct container *c, const json_t *known);
/* The container has ended, and all its execs with it. */
void execs_container_ended(struct container *c);
/* The container is removed. */
void execs_forget(struct container *c);
/* The ids of a container's execs that run or have left something running: a new array, or null when there are none. */
json_t *execs_ids(struct container *c);

#endif
