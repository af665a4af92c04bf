/* A thread that writes into a pipe while the caller reads: what is packed or downloaded needs no room on the disk in between. */
#ifndef KEG_ENGINE_PIPE_FILL_H
#define KEG_ENGINE_PIPE_FILL_H

#include <pthread.h>

#include "base/err.h"

struct pipe_fill {
    int (*fill)(void *arg, int *out, struct err *err); /* may close *out itself */
    void *arg;
    int in, out; /* the caller's end to read, the thread's to write */
    pthread_t thread;
    int result;
    struct err err;
};

/* Begins: p->in is read by the caller to its end, or until it has enough. 0 or -1. */
int pipe_fill_start(struct pipe_fill *p, int (*fill)(void *arg, int *out, struct err *err), void *arg,
                    struct err *err);
/* After a start that succeeded: closes p->in and waits for the thread. reader_result with err is how the reading ended; the
 * thread's own failure counts for more, for the reader only saw the stream end early. */
int pipe_fill_end(struct pipe_fill *p, int reader_result, struct err *err);

#endif
