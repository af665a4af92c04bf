/* One pipe, one thread. */
#include "engine/pipe_fill.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

static void *pipe_fill_thread(void *arg)
{
    struct pipe_fill *p = arg;

    p->result = p->fill(p->arg, &p->out, &p->err);
    close_fd(&p->out); /* the reader's end of file */
    return NULL;
}

int pipe_fill_start(struct pipe_fill *p, int (*fill)(void *arg, int *out, struct err *err), void *arg,
                    struct err *err)
{
    int ends[2], r;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    *p = (struct pipe_fill){.fill = fill, .arg = arg, .in = ends[0], .out = ends[1]};
    r = pthread_create(&p->thread, NULL, pipe_fill_thread, p);
    if (r == 0)
        return 0;
    close_fd(&p->in);
    close_fd(&p->out);
    return err_errno(err, r, "start a thread");
}

int pipe_fill_end(struct pipe_fill *p, int reader_result, struct err *err)
{
    close_fd(&p->in); /* who still writes sees that nobody reads */
    pthread_join(p->thread, NULL);
    if (p->result < 0 && (reader_result == 0 || p->err.kind != ERR_CANCELLED))
        return err_pass(err, &p->err);
    return reader_result;
}
