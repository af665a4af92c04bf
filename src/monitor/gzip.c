/* gzip by zlib: small, and nobody waits for it. */
#include "monitor/gzip.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "base/fd.h"

enum { PIECE = 64 * 1024, LEVEL = 4, WINDOW = 15, GZIP_FORMAT = 16, MEMORY = 8 };

/* Compresses one piece; with Z_FINISH the end as well. */
static int put_piece(z_stream *z, unsigned char *in, size_t len, int flush, int to)
{
    unsigned char out[PIECE];

    z->next_in = in;
    z->avail_in = (uInt)len;
    do {
        int r;

        z->next_out = out;
        z->avail_out = sizeof(out);
        if (deflate(z, flush) == Z_STREAM_ERROR)
            return -EINVAL;
        r = fd_write_full(to, out, sizeof(out) - z->avail_out);
        if (r < 0)
            return r;
    } while (z->avail_out == 0);
    return 0;
}

int gzip_copy(int from, int to)
{
    unsigned char in[PIECE];
    z_stream z = {0};
    ssize_t n;
    int r = 0;

    if (deflateInit2(&z, LEVEL, Z_DEFLATED, WINDOW + GZIP_FORMAT, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    do {
        n = fd_read_full(from, in, sizeof(in));
        r = n < 0 ? (int)n : put_piece(&z, in, (size_t)n, n < PIECE ? Z_FINISH : Z_NO_FLUSH, to);
    } while (r == 0 && n == PIECE);
    deflateEnd(&z);
    return r;
}
