/* Where a registry is asked: the mirrors of the engine's configuration, what the host's own hosts.toml says
 * (containerd's "registry host configuration"), and the registry itself, with the certificates for each.
 *
 *     DIR/<host>/{*.crt,*.cert,*.key}     as docker has them: authorities, our certificate, its key
 *     DIR/<host>/hosts.toml               server = "https://registry.example"
 *                                         [host."https://mirror.example"]
 *                                           capabilities = ["pull", "resolve"]
 *                                           ca = "mirror.crt", client = [["c.cert", "c.key"]],
 *                                           skip_verify = false, override_path = false
 *                                         [host."https://mirror.example".header]
 *                                           x-name = "value"
 *     DIR/_default/hosts.toml             for hosts without one of their own */
#ifndef KEG_IMAGE_WORKER_HOSTS_H
#define KEG_IMAGE_WORKER_HOSTS_H

#include "image/worker/client_internal.h"

/* Fills the client's endpoints, the registry itself last, from an "open" packet. ERR_INVALID names file and
 * line of a hosts.toml that can't be used. */
int hosts_add(struct client *c, const json_t *open, const char *domain, struct err *err);

#endif
