/* Takes a container's output apart: frames of {stream, 0, 0, 0, length (4 bytes, big endian)} and data, as the API
 * multiplexes stdout and stderr where there is no terminal. */
#ifndef KEG_CLI_DEMUX_H
#define KEG_CLI_DEMUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct demux {
    bool raw;            /* no frames: all is stdout's */
    bool output, errors; /* whether stdout and stderr are wanted */
    unsigned char header[8];
    size_t header_len;
    uint32_t left; /* of the current frame */
};

/* Writes what is in `data` to our stdout and stderr. 0, or -1 when they can't be written or the frames are broken. */
int demux_feed(struct demux *d, const char *data, size_t len, struct err *err);

#endif
