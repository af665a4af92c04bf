/* keg-layer's input pipeline, with nobody who looks at the tar. */
#include "image/worker/expand.h"

#include <signal.h>

#include "base/fd.h"
#include "base/json.h"
#include "image/worker/packets.h"
#include "image/worker/privileges.h"
#include "storage/worker/source.h"

static int drain(struct source *source, struct err *err)
{
    const struct tar_input input = source_input(source);
    const uint8_t *data;
    ssize_t n;

    while ((n = input.span(input.arg, &data, err)) > 0)
        input.consume(input.arg, (size_t)n);
    return n < 0 ? -1 : 0;
}

int expand_blob(int input, int sock, pid_t parent)
{
    struct worker_shared shared = {0};
    struct source_spec spec = {.input = input,
                               .usable = true,
                               .max_bytes = EXPAND_BYTES_MAX,
                               .max_ratio = EXPAND_RATIO_MAX,
                               .shared = &shared};
    struct source_result result;
    struct source *source = NULL;
    struct err err = {0};

    signal(SIGPIPE, SIG_IGN);
    if (privileges_drop(parent, &err) < 0 || (spec.blob_out = packet_receive_fd(sock, &err)) < 0 ||
        !(source = source_new(&spec, &err)) || privileges_confine(&err) < 0)
        goto failed;
    source_start(source);
    if (drain(source, &err) < 0)
        goto failed;
    source_finish(source, &result);
    return packet_send(sock, json_pack("{s:{s:s+, s:I}}", "done", "digest", "sha256:", result.blob_hex,
                                       "size", (json_int_t)result.blob_size)) < 0;
failed:
    packet_send(sock, json_from_err(&err));
    return 1;
}
