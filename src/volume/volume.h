/* Volumes and mounts as users state them: the grammar of -v and --mount, volume directories, and the copy of
 * an image's content into a new volume. */
#ifndef KEG_VOLUME_VOLUME_H
#define KEG_VOLUME_VOLUME_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum volume_mount_type { VOLUME_MOUNT_BIND, VOLUME_MOUNT_VOLUME, VOLUME_MOUNT_TMPFS, VOLUME_MOUNT_IMAGE };

/* One mount of a container, checked. Strings are the struct's own. */
struct volume_mount {
    enum volume_mount_type type;
    char *source;      /* bind: absolute host path; volume: name, NULL for an anonymous one; image: its
                          reference; tmpfs: NULL */
    char *destination; /* absolute, cleaned, never "/" */
    char *mode;        /* -v's options as given ("ro,z"), "" if none: shown by inspect */
    char *driver;      /* volume driver, NULL if not given */
    json_t *labels, *options; /* for a volume made on the way, NULL if none */
    char *subpath;            /* volume, image: a path inside it, relative and clean; NULL if none */
    bool read_only;
    bool read_only_recursive; /* bind: submounts too (the default where the kernel can, as Docker does) */
    bool recursive;           /* bind: take submounts along */
    bool no_copy;             /* volume: don't fill a new one from the image */
    bool create_source;       /* bind: make a missing host directory (-v does, --mount doesn't) */
    const char *propagation;  /* "rprivate", "rslave", …: a literal */
    int64_t tmpfs_size;       /* bytes, 0: no limit given */
    uint32_t tmpfs_mode;      /* 0: not given */
    char *tmpfs_options;      /* HostConfig.Tmpfs text, or TmpfsOptions.Options, NULL if none */
};

void volume_mount_finish(struct volume_mount *m);
#define _cleanup_volume_mount_ _cleanup_(volume_mount_finish)

/* "[SOURCE:]DESTINATION[:OPTIONS]" (HostConfig.Binds, Config.Volumes keys). ERR_INVALID in Docker's words. */
int volume_mount_parse_bind(const char *text, struct volume_mount *ret, struct err *err);
/* A member of HostConfig.Mounts. ERR_INVALID in Docker's words. */
int volume_mount_parse_json(const json_t *json, struct volume_mount *ret, struct err *err);
/* A pair of HostConfig.Tmpfs. */
int volume_mount_parse_tmpfs(const char *destination, const char *options, struct volume_mount *ret,
                             struct err *err);

/* Docker's grammar: [a-zA-Z0-9][a-zA-Z0-9_.-]+ */
bool volume_name_is_valid(const char *name);
/* ERR_INVALID with Docker's text, or 0. */
int volume_name_check(const char *name, struct err *err);

/* Makes DATA/volumes/<name>/_data (the parents 0701, _data 0755) unless it is there; with `sync` they are on
 * the disk. *ret_path: the caller frees. */
int volume_directory_create(const char *data_root, const char *name, bool sync, char **ret_path,
                            struct err *err);
/* Removes it with all it holds; a missing one is success. */
int volume_directory_remove(const char *data_root, const char *name, struct err *err);
/* Removes the directories that `known` doesn't know and that hold nothing: their creation was cut short. */
void volume_directories_sweep(const char *data_root, bool (*known)(void *arg, const char *name), void *arg);
/* Bytes used below it (as du), or -1. */
int64_t volume_directory_size(const char *data_root, const char *name);

/* ---- the options of the driver "local": {"type","device","o"} ---- */

/* ERR_INVALID in Docker's words. NULL and {} are good. */
int volume_local_check(const json_t *options, struct err *err);
/* Mounts what they say on `path`, unless something is mounted there, or they are empty. */
int volume_local_mount(const json_t *options, const char *path, struct err *err);
/* Takes it away, lazily; success when nothing is mounted there. */
int volume_local_unmount(const char *path, struct err *err);

/* Copies the content of directory `from` (O_RDONLY) into `to`, if `to` is empty, with owners, modes, times,
 * xattrs, links and devices; the directory's own owner and mode as well. Neither follows symlinks nor leaves
 * the two directories. */
int volume_copy_up(int from, int to, struct err *err);

#endif
