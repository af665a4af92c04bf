/* The host's side of `keg cp`: files become a tar stream, and a tar stream becomes files. */
#ifndef KEG_CLI_COPY_H
#define KEG_CLI_COPY_H

#include "tar/reader.h"
#include "tar/sink.h"

/* Writes what lies at `path` (a symbolic link as such) and all below it, under `name`: "name", "name/child"… A name of "." gives
 * "./", "./child". With owners, modes, times, hard links and file capabilities; sockets are left out, and what other
 * filesystems have mounted below is followed. Up to and with the archive's end. 0 or -1. */
int copy_pack(struct sink *sink, const char *path, const char *name, struct err *err);

/* Unpacks into the directory `dir`; a first component `from` (NULL or "" for the top itself) becomes `to` where that isn't NULL.
 * Files belong to whoever runs it. Nothing gets out of `dir`: names with ".." are refused, and a symbolic link is passed
 * through only to what is below as well (RESOLVE_BENEATH). A directory doesn't replace another kind of file, nor the other way
 * round. 0, or -1 (ERR_INVALID, …) with the entry's name. */
int copy_unpack(const struct tar_input *input, const char *dir, const char *from, const char *to,
                struct err *err);

#endif
