/* Starting image workers (keg-registry, keg-archive). */
#ifndef KEG_IMAGE_WORKER_PROCESS_H
#define KEG_IMAGE_WORKER_PROCESS_H

#include <sys/types.h>

#include "base/err.h"

/* Spawns `program` from dir (NULL: beside this program or in ../libexec/keg) with `input` as standard input
 * (-EBADF: /dev/null), a new SEQPACKET pair's one end as descriptor 3 and nothing else but stderr; of the
 * environment only what concerns proxies and certificates. *ret_sock is our end. Returns its pid, or -1. */
pid_t worker_process_spawn(const char *dir, const char *program, int input, int *ret_sock, struct err *err);
/* The same with a first argument. */
pid_t worker_process_spawn_verb(const char *dir, const char *program, const char *verb, int input,
                                int *ret_sock, struct err *err);
/* Kills it if it still runs, and reaps it. */
void worker_process_end(pid_t pid);

#endif
