/* Frames of a container's output. */
#include "cli/demux.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/terminal.h"

enum { STREAM_STDIN, STREAM_STDOUT, STREAM_STDERR, STREAM_SYSTEM };

/* As programs do whose reader has gone: the terminal put back, and no word. */
static void die_of_pipe(void)
{
    terminal_restore();
    signal(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
}

/* What is to be written to one stream: lines come in a frame each, and a write() each would take most of the time. */
struct gather {
    int stream;
    size_t len;
    char data[32 * 1024];
};

static int gather_flush(struct gather *g, struct err *err)
{
    int r = g->len
                ? fd_write_full(g->stream == STREAM_STDERR ? STDERR_FILENO : STDOUT_FILENO, g->data, g->len)
                : 0;

    g->len = 0;
    if (r == -EPIPE)
        die_of_pipe();
    return r < 0 ? err_errno(err, r, "write the container's output") : 0;
}

static int emit(const struct demux *d, struct gather *g, int stream, const char *data, size_t len,
                struct err *err)
{
    bool wanted = stream == STREAM_STDERR ? d->errors : d->output;

    if (stream == STREAM_SYSTEM)
        return err_set(err, ERR_SYSTEM, "error from daemon in stream: %.*s", (int)len, data);
    if (wanted && g->stream != stream && gather_flush(g, err) < 0)
        return -1;
    g->stream = wanted ? stream : g->stream;
    while (wanted && len) {
        size_t n = MIN_OF(len, sizeof(g->data) - g->len);

        memcpy(g->data + g->len, data, n);
        g->len += n;
        data += n;
        len -= n;
        if (g->len == sizeof(g->data) && gather_flush(g, err) < 0)
            return -1;
    }
    return 0;
}

/* A piece of a frame's header; when it is whole, what follows is its data. */
static int take_header(struct demux *d, const char *data, size_t n, struct err *err)
{
    const unsigned char *h = d->header;

    memcpy(d->header + d->header_len, data, n);
    d->header_len += n;
    if (d->header_len < sizeof(d->header))
        return 0;
    d->left = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
    d->header_len = 0;
    return h[0] > STREAM_SYSTEM ? err_set(err, ERR_SYSTEM, "unrecognized stream: %u", h[0]) : 0;
}

static int feed(struct demux *d, struct gather *g, const char *data, size_t len, struct err *err)
{
    if (d->raw)
        return emit(d, g, STREAM_STDOUT, data, len, err);
    while (len) {
        size_t n = d->left ? MIN_OF(len, d->left) : MIN_OF(len, sizeof(d->header) - d->header_len);

        if (d->left == 0) {
            if (take_header(d, data, n, err) < 0)
                return -1;
        } else {
            if (emit(d, g, d->header[0], data, n, err) < 0)
                return -1;
            d->left -= (uint32_t)n;
        }
        data += n;
        len -= n;
    }
    return 0;
}

int demux_feed(struct demux *d, const char *data, size_t len, struct err *err)
{
    struct gather g;
    int r;

    g.stream = STREAM_STDOUT;
    g.len = 0;
    r = feed(d, &g, data, len, err);
    if (gather_flush(&g, r < 0 ? NULL : err) < 0) /* what came before an error is shown, too */
        r = -1;
    return r;
}
