/* What exec.c and exec_inspect.c share. Nobody else includes this. */
#ifndef KEG_ENGINE_EXEC_INTERNAL_H
#define KEG_ENGINE_EXEC_INTERNAL_H

#include <pthread.h>

#include "engine/exec.h"

enum { EXEC_ID_BYTES = 32, EXEC_GONE_CODE = 137 };

struct exec {
    char id[2 * EXEC_ID_BYTES + 1];
    char container[CONTAINER_ID_SIZE];
    json_t *config; /* Docker's ExecConfig */
    bool started, running;
    bool left; /* it has ended, and something it started goes on */
    int pid, exit_code;
    int64_t ended_at; /* 0: not yet */
    char detach_keys[64];
    struct exec *next;
};

struct execs {
    pthread_mutex_t lock;
    pthread_cond_t ended; /* one of them has */
    struct exec *first;
};

/* With the lock held: by id or an unambiguous prefix. */
struct exec *execs_find(struct execs *x, const char *id);
/* With the lock held: it has ended, unless that is known. */
void execs_end(struct execs *x, struct exec *ex, int exit_code, bool left);
/* A copy of an exec, taken under the lock; config is a reference. */
int execs_get(struct engine *e, const char *id, struct exec *ret, struct err *err);

#endif
