/* gzip by ISA-L: at level 2 fifteen times as fast as zlib's level 6, and a tenth larger. Input is taken in whole pieces, so
 * that how a pipe or a disk delivers it leaves no trace in the output. */
#include "image/worker/compress.h"

#include <isa-l/igzip_lib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/str.h"
#include "image/worker/packets.h"
#include "image/worker/privileges.h"

enum { PIECE_SIZE = 1024 * 1024, LEVEL = 2 };

struct compress {
    int input, output;
    struct isal_zstream stream;
    struct sha256 *plain, *gzip;
    int64_t size;
    uint8_t in[PIECE_SIZE], out[PIECE_SIZE], level[ISAL_DEF_LVL2_DEFAULT];
};

static int put(struct compress *c, struct err *err)
{
    size_t len = PIECE_SIZE - c->stream.avail_out;
    int r = fd_write_full(c->output, c->out, len);

    sha256_update(c->gzip, c->out, len);
    c->size += (int64_t)len;
    c->stream.next_out = c->out;
    c->stream.avail_out = PIECE_SIZE;
    return r < 0 ? err_errno(err, r, "write to the blob store") : 0;
}

static int run(struct compress *c, struct err *err)
{
    isal_deflate_init(&c->stream);
    c->stream.level = LEVEL;
    c->stream.level_buf = c->level;
    c->stream.level_buf_size = sizeof(c->level);
    c->stream.gzip_flag = IGZIP_GZIP;
    c->stream.next_out = c->out;
    c->stream.avail_out = PIECE_SIZE;
    while (!c->stream.end_of_stream) {
        ssize_t n = fd_read_full(c->input, c->in, PIECE_SIZE);
        bool more = true;

        if (n < 0)
            return err_errno(err, (int)n, "read the layer");
        sha256_update(c->plain, c->in, (size_t)n);
        c->stream.next_in = c->in;
        c->stream.avail_in = (uint32_t)n;
        c->stream.end_of_stream = n < PIECE_SIZE;
        while (more) {
            if (isal_deflate(&c->stream) != COMP_OK)
                return err_set(err, ERR_SYSTEM, "cannot compress the layer");
            more = c->stream.avail_out == 0 || c->stream.avail_in > 0;
            if (put(c, err) < 0)
                return -1;
        }
    }
    return 0;
}

int compress_blob(int input, int sock, pid_t parent)
{
    static struct compress c; /* too large for the stack */
    char plain[SHA256_HEX_SIZE], gzip[SHA256_HEX_SIZE];
    struct err err = {0};

    signal(SIGPIPE, SIG_IGN);
    c = (struct compress){.input = input, .plain = sha256_new(), .gzip = sha256_new()};
    if (privileges_drop(parent, &err) < 0 || privileges_confine(&err) < 0 ||
        (c.output = packet_receive_fd(sock, &err)) < 0 || run(&c, &err) < 0) {
        packet_send(sock, json_from_err(&err));
        return 1;
    }
    sha256_hex(c.plain, plain);
    sha256_hex(c.gzip, gzip);
    return packet_send(sock, json_pack("{s:{s:s+, s:s+, s:I}}", "done", "digest", "sha256:", gzip, "plain",
                                       "sha256:", plain, "size", (json_int_t)c.size)) < 0;
}
