/* Where a registry is asked: the mirrors of the engine's configuration, what the host's own hosts.toml says
 * (containerd's "registry host configuration"; hosts_file.h), and the registry itself, with the certificates for each.
 *
 *     DIR/<host[:port]>/{*.crt,*.cert,*.key}    as docker has them: authorities, our certificate, its key
 *     DIR/<host[:port]>/hosts.toml              or DIR/<host_port_>/, which containerd also looks at
 *     DIR/_default/                             for hosts without a directory of their own */
#ifndef KEG_IMAGE_WORKER_HOSTS_H
#define KEG_IMAGE_WORKER_HOSTS_H

#include "image/worker/client_internal.h"

/* Fills the client's endpoints, the registry itself last, from an "open" packet. ERR_INVALID names file,
 * line and key of a hosts.toml that can't be used. */
int hosts_add(struct client *c, const json_t *open, const char *domain, struct err *err);

#endif
