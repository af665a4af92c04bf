/* Checkpoint and restore, by CRIU: a container's processes become files, and again processes.
 *
 * What of a container isn't CRIU's to save: bind mounts (and v1's cgroups, masked files), which are mounted again from the
 * configuration's sources; namespaces with a path; pipes on 0, 1 and 2. Nothing in the files decides what a restored
 * container may see: that is the configuration it is restored with. Needs root. */
#ifndef KEG_RUNTIME_CHECKPOINT_CHECKPOINT_H
#define KEG_RUNTIME_CHECKPOINT_CHECKPOINT_H

#include <stdbool.h>

#include "base/err.h"
#include "runtime/runtime.h"

struct checkpoint_options {
    const char *criu;         /* the program; NULL: found in PATH */
    const char *image_path;   /* directory of the files; made for a checkpoint */
    const char *work_path;    /* for CRIU's log; NULL: image_path */
    const char *parent_path;  /* of an earlier pre-dump, relative to image_path; NULL: none */
    const char *page_server;  /* "ADDRESS:PORT" that is sent the memory; NULL: none */
    const char *cgroups_mode; /* "soft", "full", "strict", "ignore"; NULL: CRIU's default */
    const char *lsm_profile, *lsm_mount_context; /* restore only; NULL: as they were */
    int status_fd;                /* is written a NUL when lazy pages can be asked for; -1: none */
    bool leave_running, pre_dump; /* checkpoint only */
    bool tcp_established, tcp_skip_in_flight, link_remap, ext_unix_sk, shell_job, lazy_pages, file_locks,
        auto_dedup;
};

/* The container ends, unless it is left running or this is a pre-dump; what is left of it is for runtime_destroy(). */
int runtime_checkpoint(struct runtime_container *c, const struct checkpoint_options *options,
                       struct err *err);

/* As runtime_create(), but it comes back with the processes running. Init is the caller's child. */
struct runtime_container *runtime_restore(const json_t *config, const struct runtime_create_options *options,
                                          const struct checkpoint_options *checkpoint, struct err *err);

#endif
