/* keg-registry's loop: requests from a socket, a thread each. */
#ifndef KEG_IMAGE_WORKER_SERVE_H
#define KEG_IMAGE_WORKER_SERVE_H

#include <sys/types.h>

/* Serves image/registry_protocol.h on `sock` until it ends. Returns the exit code. */
int serve_registry(int sock, pid_t parent);

#endif
