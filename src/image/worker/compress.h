/* keg-archive's other duty: a layer that is kept as a plain tar becomes gzip, to be pushed. */
#ifndef KEG_IMAGE_WORKER_COMPRESS_H
#define KEG_IMAGE_WORKER_COMPRESS_H

#include <sys/types.h>

/* Compresses `input` to the descriptor that kegd hands over and speaks image/archive_protocol.h on `sock`, unprivileged and
 * confined. The same bytes give the same gzip. Returns the exit code. */
int compress_blob(int input, int sock, pid_t parent);

#endif
