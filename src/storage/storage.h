/* Layers and the root filesystems made of them.
 *
 * A layer is one file tree that changes the one below it. It is known by its chain id (OCI image
 * specification, "Layer ChainID"), which names the whole stack up to it, so a layer is stored once however
 * many images share it:
 *
 *     DATA/layers/.driver                       a symlink to the name of the driver the store is used with
 *     DATA/layers/<chain id, hex>/diff/         the tree, in overlay's form: char 0:0, opaque xattrs (driver.h)
 *     DATA/layers/<chain id, hex>/layer.json    what struct storage_layer says
 *     DATA/layers/.staging-<random>/            being unpacked; removed at the next open
 *     DATA/layers/.trash-<random>/              being removed; likewise
 *     DATA/containers/<id>/{base,upper,work,root}   a container's own layers; other parts of that directory are
 * the engine's
 *
 * A layer becomes visible only by the rename of a complete, verified and synced staging directory. Archives
 * are hostile: no byte of one is parsed in this process, but in keg-layer (src/bin/keg-layer.c), a sandboxed
 * program that sees one directory.
 *
 * Every function may be called from any thread at any time. Digests are text everywhere: "sha256:" + 64
 * lower-case hexadecimal characters; anything else is ERR_INVALID. Root is needed (overlay, device nodes,
 * owners). */
#ifndef KEG_STORAGE_STORAGE_H
#define KEG_STORAGE_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

struct storage;

enum { STORAGE_DIGEST_SIZE = 72 }; /* "sha256:" + 64 + NUL */

/* ---- The store ---- */

/* Opens (making what is missing, sweeping what an earlier run left half-made) the store on the directory
 * `data`. `driver` is a name (driver.h); NULL: the one the store is used with, overlay for a new one. `worker` is the path
 * of keg-layer; NULL: looked for beside this program, then in ../libexec/keg. ERR_INVALID: no such driver, or it doesn't
 * work there; ERR_CONFLICT: the store is used with another one; ERR_SYSTEM. */
struct storage *storage_open(const char *data, const char *driver, const char *worker, struct err *err);
/* Takes over settings of the driver: "overlay2.size=10G" (also of erofs and btrfs), what a container's layer may take unless it
 * says itself; "btrfs.min_space=1G", the least that may be asked for. ERR_INVALID: unknown, or the file system has no quotas. */
int storage_configure(struct storage *s, const char *const *options, struct err *err);
/* Whether each is DRIVER.OPTION=VALUE: what can be told without a store. ERR_INVALID. */
int storage_options_check(const char *const *options, struct err *err);
/* Whether there is such a driver (NULL: any): ERR_INVALID names those there are. */
int storage_driver_check(const char *driver, struct err *err);
/* Waits until what was removed has given its room back. */
void storage_settle(struct storage *s);
/* Jobs must have ended before. What is still being removed is left to the next open. Accepts NULL. */
void storage_free(struct storage *s);
DEFINE_CLEANUP_PTR(struct storage, storage_free)

/* The driver's name as docker info tells it ("overlay2"), and its status rows: name, value, name, value…
 * NULL-ended
 * ("Backing Filesystem", "extfs", …). Both belong to the storage. */
const char *storage_driver_name(const struct storage *s);
char *const *storage_driver_status(const struct storage *s);

/* ---- Layers ---- */

struct storage_layer {
    char chain_id[STORAGE_DIGEST_SIZE];
    char diff_id[STORAGE_DIGEST_SIZE];     /* of the uncompressed tar */
    char parent[STORAGE_DIGEST_SIZE];      /* chain id of the one below; "" for a lowest layer */
    char blob_digest[STORAGE_DIGEST_SIZE]; /* of the bytes as received */
    char image_digest
        [STORAGE_DIGEST_SIZE]; /* of the file the driver keeps it in; "" when it keeps directories */
    char media_type[128];      /* of the blob; "" when unknown */
    int64_t blob_size;
    int64_t size;    /* bytes of the regular files */
    int64_t entries; /* in the tar */
    int64_t created; /* ns, when it came here */
};

/* The chain id of diff_id on top of parent ("" or NULL: none). 0 or ERR_INVALID. */
int storage_chain_id(const char *parent, const char *diff_id, char ret[STORAGE_DIGEST_SIZE], struct err *err);

bool storage_layer_exists(struct storage *s, const char *chain_id);
/* ERR_NOT_FOUND when there is none. */
int storage_layer_get(struct storage *s, const char *chain_id, struct storage_layer *ret, struct err *err);
/* All layers, in no order; the caller frees *ret. */
int storage_layer_list(struct storage *s, struct storage_layer **ret, size_t *ret_n, struct err *err);
/* The sum of `size` from this layer down: an image's size. ERR_NOT_FOUND. */
int storage_layer_stack_size(struct storage *s, const char *chain_id, int64_t *ret, struct err *err);
/* Removes a layer. ERR_NOT_FOUND; ERR_CONFLICT while another layer stands on it. That no container uses it is
 * the caller's knowledge. The name is gone at once, the tree soon after. */
int storage_layer_remove(struct storage *s, const char *chain_id, struct err *err);

/* ---- Tar stream → staged layer → layer ----
 *
 *     job = storage_unpack_start(s, &(struct storage_unpack_spec){.input = pipe, .blob_out = fd, …}, err)
 *     storage_unpack_wait(job, &stage, &result, err)        // from the same or another thread
 *     storage_commit(s, rows, n, err)                       // all layers of the image, one sync
 */

struct storage_limits {  /* 0: the default */
    int64_t max_entries; /* 4,000,000 */
    int64_t max_bytes;   /* of uncompressed tar; 1 TiB */
    int64_t max_ratio;   /* uncompressed to compressed, judged from 1 GiB on; 2,000 */
};

struct storage_unpack_spec {
    int input; /* a tar, plain, gzip, zstd, xz or bzip2 (told by its bytes): pipe, socket or file. Stays the caller's,
                   * who may close it once start has returned. Read up to its end. */
    int blob_out; /* where the received bytes go as they are, or without a blob_digest that is expected, as a registry
                   * takes them: xz and bzip2 become the plain tar. -EBADF: nowhere. Likewise. Not synced. */
    int growing; /* input is a file that is still being written, this the end of a pipe for reading, from who does that: a
                  * byte comes when there is more, its end is the file's. Likewise, and blob_out isn't to be had then. The
                  * file's digest is what storage_unpack_followed() is told. 0: no */
    const char *blob_digest; /* expected, or NULL */
    int64_t blob_size;       /* expected, or -1 */
    const char *diff_id;     /* expected, or NULL */
    struct storage_limits limits;
};

struct storage_unpack_result {
    char blob_digest[STORAGE_DIGEST_SIZE];
    char diff_id[STORAGE_DIGEST_SIZE];
    int64_t blob_size;     /* bytes received; of xz and bzip2 stored as a plain tar: the tar's */
    int64_t unpacked_size; /* bytes of the regular files */
    int64_t entries;
    bool compressed; /* false: blob_digest == diff_id */
};

struct storage_progress {
    int64_t consumed; /* bytes of input so far */
    int64_t unpacked; /* bytes of uncompressed tar so far */
    int64_t entries;
};

struct storage_job;   /* a running keg-layer */
struct storage_stage; /* an unpacked tree that isn't a layer yet */

/* Starts unpacking; returns at once. NULL on failure. */
struct storage_job *storage_unpack_start(struct storage *s, const struct storage_unpack_spec *spec,
                                         struct err *err);
/* From any thread until wait has returned. */
void storage_unpack_progress(struct storage_job *job, struct storage_progress *ret);
/* Ends the job soon; wait then gives ERR_CANCELLED. From any thread until wait has returned. */
void storage_unpack_cancel(struct storage_job *job);
/* The file that was growing is whole, and whoever wrote it has found this digest and size. Before wait. */
void storage_unpack_followed(struct storage_job *job, const char *blob_digest, int64_t blob_size);
/* Waits for the end and frees the job in every case. ERR_INVALID: the archive is wrong, damaged, not what was
 * expected or over a limit (the message names the entry and the cause); ERR_CANCELLED; ERR_SYSTEM (disk full,
 * …). On failure nothing is left of it. `ret` may be NULL. */
int storage_unpack_wait(struct storage_job *job, struct storage_stage **ret_stage,
                        struct storage_unpack_result *ret, struct err *err);

/* Throws a stage away. Accepts NULL. */
void storage_stage_discard(struct storage_stage *stage);
DEFINE_CLEANUP_PTR(struct storage_stage, storage_stage_discard)

struct storage_commit {
    struct storage_stage *stage;        /* owned by the call from now on, whatever it returns: set to NULL */
    const char *parent;                 /* chain id of a layer or of an earlier row; NULL or "": none */
    const char *media_type;             /* of the blob, or NULL */
    char chain_id[STORAGE_DIGEST_SIZE]; /* result */
};
/* Makes layers of staged trees, in order: everything is on disk when it returns (one syncfs for all of them,
 * which is cheaper than an fsync of each of thousands of files). A layer that exists by now is success, and
 * the stage is dropped. On failure the rows before the failed one are layers, the others are gone. */
int storage_commit(struct storage *s, struct storage_commit *rows, size_t n, struct err *err);

/* Brings what was written so far to the disk, while others still unpack: storage_commit() has less to wait for then. */
void storage_sync_ahead(struct storage *s);

/* ---- Layer → tar stream ---- */

struct storage_pack_result {
    char diff_id[STORAGE_DIGEST_SIZE]; /* of the bytes written */
    int64_t size;                      /* bytes written */
    int64_t entries;
};
/* Writes a layer as an OCI layer tar (whiteouts as .wh. files), sorted by name: the same tree gives the same
 * bytes. Blocks until done. ERR_CANCELLED when the reader of `out` has gone. `ret` may be NULL, in all three.
 */
int storage_layer_pack(struct storage *s, const char *chain_id, int out, struct storage_pack_result *ret,
                       struct err *err);
/* The same of a container's writable layer: what `commit` makes an image of. The init layer isn't part of it.
 * The caller freezes the container if it wants one moment's state. */
int storage_container_pack(struct storage *s, const char *id, int out, struct storage_pack_result *ret,
                           struct err *err);
/* The whole tree of a container (image, init and writable layers merged) as a flat tar: `docker export`. */
int storage_container_export(struct storage *s, const char *id, int out, struct storage_pack_result *ret,
                             struct err *err);
/* As above, of an image's layers. */
int storage_layer_export(struct storage *s, const char *chain_id, int out, struct storage_pack_result *ret,
                         struct err *err);

/* ---- Containers ---- */

/* Where a root filesystem is. All paths are absolute. Either layers that are to be mounted as an overlay, or one
 * directory that is the whole of it (the driver decides: driver.h). */
struct storage_rootfs {
    char **lower; /* topmost first: the init layer, then the image's; NULL-ended. NULL: there is `root` */
    char *upper;  /* the writable tree; NULL for an image's own layers */
    char *work;   /* overlay's work directory; goes with `upper` */
    char *root;   /* the whole, writable tree; NULL: there is `lower` */
};
/* Frees the content. Accepts a zeroed struct. */
void storage_rootfs_finish(struct storage_rootfs *r);

/* Makes the writable layer of container `id` ([0-9a-zA-Z_.-]) on the image layer `top` ("" or NULL: an empty
 * image). Between them is the init layer: the mount points every container needs (/dev/pts, /dev/shm,
 * /dev/console, /proc, /sys, /etc/hosts, /etc/hostname, /etc/resolv.conf, /.dockerenv, /etc/mtab →
 * /proc/mounts) as far as the image hasn't got them. It depends on the image alone, so it is made once for
 * all its containers. ERR_CONFLICT: exists; ERR_NOT_FOUND: no such layer. `ret` may be NULL; finish it. */
int storage_container_create(struct storage *s, const char *id, const char *top, struct storage_rootfs *ret,
                             struct err *err);
/* Limits what a container may take whose layer was made just now (btrfs: with its image). 0 bytes: as storage_configure() said.
 * ERR_SYSTEM in Docker's words where the driver or the file system can't. */
int storage_container_limit(struct storage *s, const char *id, int64_t bytes, struct err *err);
/* Before the layers of a container that is at rest are mounted anew: takes away what a mount with "volatile" left, which
 * the kernel would refuse. */
int storage_container_renew(struct storage *s, const char *id, struct err *err);
/* Where the layers of a container are; reads one small file. ERR_NOT_FOUND. */
int storage_container_rootfs(struct storage *s, const char *id, struct storage_rootfs *ret, struct err *err);
/* Removes the writable layer (which must not be mounted); DATA/containers/<id> itself when that leaves it
 * empty. A missing container is success. */
int storage_container_remove(struct storage *s, const char *id, struct err *err);
/* Bytes in the writable layer (docker ps -s: SizeRw). ERR_NOT_FOUND. */
int storage_container_size(struct storage *s, const char *id, int64_t *ret, struct err *err);
/* What the container has changed of its image: calls `fn` with 'A', 'C' or 'D' (added, changed, deleted) and an absolute path,
 * directories before what is in them, until it returns non-zero, which is returned. ERR_NOT_FOUND. */
typedef int (*storage_change_fn)(void *arg, char kind, const char *path);
int storage_container_changes(struct storage *s, const char *id, storage_change_fn fn, void *arg,
                              struct err *err);
/* The ids that have layers here: for the engine's comparison with its database. */
int storage_container_list(struct storage *s, char ***ret, struct err *err);

/* ---- Checking ---- */

/* Whether everything that makes a layer is where it has to be, without reading it: quick. ERR_NOT_FOUND: there is no such
 * layer; ERR_SYSTEM says what is missing. */
int storage_layer_probe(struct storage *s, const char *chain_id, struct err *err);

struct storage_verdict {
    bool same;                   /* the layer is what its archive says */
    struct err why;              /* why not */
    struct storage_stage *stage; /* when not: a good tree for storage_layer_replace(), else discard it */
};
/* Unpacks `archive` (the layer's own, from its beginning; stays the caller's) beside the layer and compares the two trees:
 * names, types, contents, modes, owners, times of files, attributes, links. Takes as long, and as much room, as unpacking.
 * ERR_NOT_FOUND: no such layer; ERR_INVALID: the archive isn't the layer's; ERR_SYSTEM: it can't be told (no room, …). */
int storage_layer_verify(struct storage *s, const char *chain_id, int archive, struct storage_verdict *ret,
                         struct err *err);
/* The stage that storage_layer_verify() gave takes the place of the layer's tree, which goes. No container that runs may
 * stand on it: the caller's to know. *stage is owned by the call, whatever it returns. */
int storage_layer_replace(struct storage *s, const char *chain_id, struct storage_stage **stage,
                          struct err *err);
/* Whether the layers of a container are where they have to be. As storage_layer_probe(). */
int storage_container_probe(struct storage *s, const char *id, struct err *err);
/* Makes what is missing of the layers of a container that is at rest, empty: what never reached the disk. */
int storage_container_mend(struct storage *s, const char *id, const char *top, struct err *err);
/* Names, relative to the data root, of what is in the way of nothing and belongs to nothing: "layers/.staging-…". What is
 * being made or removed right now isn't among them; waits for the latter. strv_free() it. */
int storage_strays(struct storage *s, char ***ret, struct err *err);
/* Removes one of them. */
int storage_stray_remove(struct storage *s, const char *name, struct err *err);

/* ---- What goes in and out of a container ---- */

struct storage_place_mount {
    const char *source, *target; /* a file or directory of the host, and where the container has it */
    bool read_only;
};

/* A path in a container. */
struct storage_place {
    int mount_ns; /* of a running one: its mount namespace; the rest of what makes a tree isn't looked at. -EBADF: at rest */
    const char *id;                           /* of its layers */
    const struct storage_place_mount *mounts; /* parents before what is below them */
    size_t n_mounts;
    bool read_only; /* its root is */
    const char *
        path; /* absolute; the last part is followed if it ends with "/" or "/.", and for STORAGE_PUT always */
    const char *name; /* STORAGE_TAKE: what it is called in the archive; "" for the root */
    bool keep_kind;   /* STORAGE_PUT: a directory isn't replaced by something else, nor the other way round */
    int64_t uid, gid; /* STORAGE_PUT: whose all of it shall be; -1: as the archive says */
};
enum storage_copy_kind {
    STORAGE_LOOK, /* struct worker_stat (worker/protocol.h) of the path, to the output */
    STORAGE_TAKE, /* the same, and the path as a plain tar stream */
    STORAGE_PUT, /* a tar stream, compressed or not, from the input, into the path, which has to be a directory */
};
struct
    storage_copy; /* a running keg-layer, shut into the container's tree: it executes nothing of the container's */

/* Starts; returns at once. `fd` is its output or input, which the caller may close then. A STORAGE_PUT into one at rest
 * mounts its layers: the caller sees to it that nobody else does meanwhile. NULL on failure. */
struct storage_copy *storage_copy_start(struct storage *s, enum storage_copy_kind kind,
                                        const struct storage_place *place, int fd, struct err *err);
/* Becomes readable at its end. */
int storage_copy_fd(const struct storage_copy *copy);
/* Ends it at once. */
void storage_copy_cancel(struct storage_copy *copy);
/* Waits for the end: nothing is mounted or written any more; it may still be cancelled. */
void storage_copy_settle(struct storage_copy *copy);
/* Waits for the end, and frees. ERR_NOT_FOUND: there is no such path; ERR_INVALID: it is no directory, nothing can be written
 * there, or the archive is wrong; ERR_CANCELLED: the reader has gone; ERR_SYSTEM. */
int storage_copy_finish(struct storage_copy *copy, struct err *err);

/* ---- Looking into a stack without mounting it ----
 * Paths are the container's. Symlinks are followed inside the stack only, whiteouts and opaque directories
 * hold, and nothing is opened but a regular file (with O_NONBLOCK) at the end. Content is hostile: for
 * /etc/passwd, /etc/group. */

/* Appends a whole regular file to `b`, at most its maximum. ERR_NOT_FOUND; ERR_INVALID: no regular file, or
 * larger. */
int storage_read_file(const struct storage_rootfs *r, const char *path, struct buf *b, struct err *err);
/* lstat (follow: stat) of a path. ERR_NOT_FOUND. */
int storage_stat(const struct storage_rootfs *r, const char *path, bool follow, struct stat *ret,
                 struct err *err);
/* The lower directories of an image's stack, topmost first, as a rootfs without upper and work: for looking
 * into an image that has no container. ERR_NOT_FOUND. */
int storage_layer_rootfs(struct storage *s, const char *chain_id, struct storage_rootfs *ret,
                         struct err *err);

/* Mounts the merged tree read-only, attached nowhere: a descriptor of its root, which the caller closes (that unmounts
 * it). For copying out of an image, as a new volume does. Needs CAP_SYS_ADMIN. */
int storage_rootfs_mount(struct storage *s, const struct storage_rootfs *r, struct err *err);

#endif
