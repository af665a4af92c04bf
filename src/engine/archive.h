/* Files in and out of containers, running or not: docker cp. Nothing of the container's is executed, and no lock of the
 * engine's is held meanwhile; each copy is a process of its own, which ends with its client. */
#ifndef KEG_ENGINE_ARCHIVE_H
#define KEG_ENGINE_ARCHIVE_H

#include "engine/engine.h"

/* {"name","size","mode" (Go's os.FileMode),"mtime","linkTarget"} of a path, which isn't followed unless it ends with "/".
 * client_fd (-1: none): when it hangs up, ERR_CANCELLED. ERR_NOT_FOUND with Docker's words. */
int engine_container_path_stat(struct engine *e, const char *ref, const char *path, int client_fd,
                               json_t **ret, struct err *err);

/* A tar of the path in two steps, for what is there is told before: begin, and, in every case, send, which frees. */
struct engine_archive;
struct engine_archive *engine_container_archive_begin(struct engine *e, const char *ref, const char *path,
                                                      int client_fd, json_t **ret_stat, struct err *err);
int engine_container_archive_send(struct engine_archive *archive, const struct engine_sink *sink,
                                  struct err *err);

struct engine_extract_options {
    bool keep_kind; /* a directory isn't replaced by something else, nor the other way round */
    bool users_own; /* everything becomes the container's user's, if it has one that isn't root */
    int client_fd;  /* when it hangs up, the copy ends; -1: none */
};
/* Unpacks the tar that comes from fd (plain or compressed) into the directory `path`. ERR_NOT_FOUND, ERR_INVALID with Docker's
 * words. */
int engine_container_extract(struct engine *e, const char *ref, const char *path, int fd,
                             const struct engine_extract_options *o, struct err *err);

#endif
