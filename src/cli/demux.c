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

static int emit(struct demux *d, int stream, const char *data, size_t len, struct err *err)
{
    bool wanted = stream == STREAM_STDERR ? d->errors : d->output;
    int r;

    if (stream == STREAM_SYSTEM)
        return err_set(err, ERR_SYSTEM, "error from daemon in stream: %.*s", (int)len, data);
    if (!wanted)
        return 0;
    r = fd_write_full(stream == STREAM_STDERR ? STDERR_FILENO : STDOUT_FILENO, data, len);
    if (r == -EPIPE)
        die_of_pipe();
    return r < 0 ? err_errno(err, r, "write the container's output") : 0;
}

int demux_feed(struct demux *d, const char *data, size_t len, struct err *err)
{
    if (d->raw)
        return emit(d, STREAM_STDOUT, data, len, err);
    while (len) {
        size_t n;

        if (d->left == 0) {
            n = MIN_OF(len, sizeof(d->header) - d->header_len);
            memcpy(d->header + d->header_len, data, n);
            d->header_len += n;
            if (d->header_len == sizeof(d->header)) {
                const unsigned char *h = d->header;

                d->left = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
                d->header_len = 0;
                if (h[0] > STREAM_SYSTEM)
                    return err_set(err, ERR_SYSTEM, "unrecognized stream: %u", h[0]);
            }
        } else {
            n = MIN_OF(len, d->left);
            if (emit(d, d->header[0], data, n, err) < 0)
                return -1;
            d->left -= (uint32_t)n;
        }
        data += n;
        len -= n;
    }
    return 0;
}
