/* "keg-archive expand": a layer whose compression no media type tells of becomes the plain tar. */
#ifndef KEG_IMAGE_WORKER_EXPAND_H
#define KEG_IMAGE_WORKER_EXPAND_H

#include <sys/types.h>

/* Of what one archive, or one layer in it, may unpack to. */
#define EXPAND_BYTES_MAX (1LL << 40)
#define EXPAND_RATIO_MAX 2000

/* The program's part after main: reads `input`, speaks archive_protocol.h on `sock`. Returns the exit status. */
int expand_blob(int input, int sock, pid_t parent);

#endif
