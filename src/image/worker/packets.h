/* What keg-archive's verbs say to kegd: JSON objects, a packet each. */
#ifndef KEG_IMAGE_WORKER_PACKETS_H
#define KEG_IMAGE_WORKER_PACKETS_H

#include <jansson.h>

#include "base/err.h"

/* Takes the packet. 0 or -errno. */
int packet_send(int sock, json_t *packet);
/* The descriptor that comes with kegd's {"take":true}; -1 when kegd has gone. */
int packet_receive_fd(int sock, struct err *err);

#endif
