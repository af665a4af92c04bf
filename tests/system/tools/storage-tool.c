/* Drives the layer store from the command line, for tests/system/storage.bats.
 *
 *     storage-tool DATA WORKER VERB ARGUMENTS…
 *
 * DRIVER in the environment names the storage driver. Results go to stdout as "key value" lines; an error as one line on stderr, with the exit status 1. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "storage/overlay.h"
#include "storage/storage.h"
#include "storage/worker/protocol.h"

static const char *or_null(const char *s)
{
    return str_eq(s, "-") ? NULL : s;
}

static int64_t env_number(const char *name)
{
    const char *text = getenv(name);
    int64_t value = 0;

    if (text)
        str_to_i64(text, &value);
    return value;
}

/* commit PARENT|- FILE…: unpacks all files at once, then commits them, each on the one before. */
static int verb_commit(struct storage *s, char **args, struct err *err)
{
    enum { MAX = 64 };
    struct storage_job *jobs[MAX];
    struct storage_commit rows[MAX] = {};
    struct storage_unpack_result results[MAX];
    size_t n = strv_len(args) - 1;
    int64_t start = clock_monotonic(), unpacked;
    int r = 0;

    for (size_t i = 0; i < n && i < MAX; i++) {
        struct storage_unpack_spec spec = {
            .input = open(args[i + 1], O_RDONLY | O_CLOEXEC),
            .blob_out = getenv("BLOB_OUT")
                            ? open(getenv("BLOB_OUT"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                            : -EBADF,
            .blob_digest = getenv("BLOB_DIGEST"),
            .diff_id = getenv("DIFF_ID"),
            .blob_size = -1,
            .limits = {env_number("MAX_ENTRIES"), env_number("MAX_BYTES"), env_number("MAX_RATIO")},
        };

        jobs[i] = storage_unpack_start(s, &spec, err);
        close_fd(&spec.input);
        close_fd(&spec.blob_out);
        if (!jobs[i])
            return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (storage_unpack_wait(jobs[i], &rows[i].stage, &results[i], r == 0 ? err : NULL) < 0)
            r = -1;
        rows[i].parent = i > 0 ? rows[i - 1].chain_id : or_null(args[0]);
    }
    unpacked = clock_monotonic();
    if (r == 0 && getenv("STAGE_ONLY"))
        _exit(0);
    if (r == 0)
        r = storage_commit(s, rows, n, err);
    else
        for (size_t i = 0; i < n; i++)
            storage_stage_discard(rows[i].stage);
    if (r < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        printf("chain %s\ndiff %s\nblob %s\nblob_size %lld\nsize %lld\nentries %lld\ncompressed %d\n",
               rows[i].chain_id, results[i].diff_id, results[i].blob_digest, (long long)results[i].blob_size,
               (long long)results[i].unpacked_size, (long long)results[i].entries, results[i].compressed);
    if (getenv("TIMES"))
        fprintf(stderr, "unpack %.3f s, commit %.3f s\n", (double)(unpacked - start) / 1e9,
                (double)(clock_monotonic() - unpacked) / 1e9);
    return 0;
}

/* apart FILE…: unpacks all, then makes a lowest layer of each in a commit of its own: "committed", or its error. */
static int verb_apart(struct storage *s, char **args, struct err *err)
{
    enum { MAX = 8 };
    struct storage_commit rows[MAX] = {};
    size_t n = MIN_OF(strv_len(args), (size_t)MAX);

    for (size_t i = 0; i < n; i++) {
        struct storage_unpack_spec spec = {
            .input = open(args[i], O_RDONLY | O_CLOEXEC), .blob_out = -EBADF, .blob_size = -1};
        struct storage_job *job = storage_unpack_start(s, &spec, err);

        close_fd(&spec.input);
        if (!job || storage_unpack_wait(job, &rows[i].stage, NULL, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < n; i++) {
        struct err own = {};

        puts(storage_commit(s, &rows[i], 1, &own) < 0 ? own.message : "committed");
    }
    return 0;
}

/* cancel FILE: cancels the job when it has consumed something. */
static int verb_cancel(struct storage *s, char **args, struct err *err)
{
    struct storage_unpack_spec spec = {
        .input = open(args[0], O_RDONLY | O_CLOEXEC), .blob_out = -EBADF, .blob_size = -1};
    struct storage_job *job = storage_unpack_start(s, &spec, err);
    struct storage_stage *stage = NULL;
    struct storage_progress p = {};

    if (!job)
        return -1;
    for (int i = 0; i < 5000 && p.consumed == 0; i++) {
        storage_unpack_progress(job, &p);
        usleep(1000);
    }
    printf("consumed %lld\n", (long long)p.consumed);
    storage_unpack_cancel(job);
    return storage_unpack_wait(job, &stage, NULL, err);
}

static void print_pack(const struct storage_pack_result *p)
{
    fprintf(stderr, "diff %s\nsize %lld\nentries %lld\n", p->diff_id, (long long)p->size,
            (long long)p->entries);
}

#define PACK_VERB(verb, call)                                                                                \
    static int verb(struct storage *s, char **args, struct err *err)                                         \
    {                                                                                                        \
        struct storage_pack_result p;                                                                        \
                                                                                                             \
        if (call(s, args[0], STDOUT_FILENO, &p, err) < 0)                                                    \
            return -1;                                                                                       \
        print_pack(&p);                                                                                      \
        return 0;                                                                                            \
    }

PACK_VERB(verb_pack, storage_layer_pack)
PACK_VERB(verb_flat, storage_layer_export)
PACK_VERB(verb_diff, storage_container_pack)
PACK_VERB(verb_export, storage_container_export)

static int verb_remove(struct storage *s, char **args, struct err *err)
{
    return storage_layer_remove(s, args[0], err);
}

static int verb_list(struct storage *s, char **args, struct err *err)
{
    struct storage_layer *layers;
    size_t n;

    (void)args;
    if (storage_layer_list(s, &layers, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        printf("%s %s %lld\n", layers[i].chain_id, layers[i].parent[0] ? layers[i].parent : "-",
               (long long)layers[i].size);
    free(layers);
    return 0;
}

/* remove_all CHAIN…: in this order. */
static int verb_remove_all(struct storage *s, char **args, struct err *err)
{
    int r = 0;

    for (char **chain = args; r == 0 && *chain; chain++)
        r = storage_layer_remove(s, *chain, err);
    return r;
}

static void print_rootfs(const struct storage_rootfs *r)
{
    for (char **lower = r->lower; lower && *lower; lower++)
        printf("lower %s\n", *lower);
    if (r->root)
        printf("root %s\n", r->root);
    else
        printf("upper %s\nwork %s\n", r->upper, r->work);
}

static int verb_where(struct storage *s, char **args, struct err *err)
{
    struct storage_rootfs r;

    if (storage_container_rootfs(s, args[0], &r, err) < 0)
        return -1;
    print_rootfs(&r);
    storage_rootfs_finish(&r);
    return 0;
}

/* mounted ID DIRECTORY: mounts a container of layers there, writable. */
static int verb_mounted(struct storage *s, char **args, struct err *err)
{
    struct storage_rootfs r;
    int fds[WORKER_LOWER_MAX], upper, work, mount;
    size_t n = 0;

    if (storage_container_rootfs(s, args[0], &r, err) < 0)
        return -1;
    for (char **lower = r.lower; *lower && n < WORKER_LOWER_MAX; lower++)
        fds[n++] = open(*lower, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    upper = open(r.upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    work = open(r.work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mount = overlay_mount(fds, n, upper, work, err);
    storage_rootfs_finish(&r);
    if (mount < 0)
        return -1;
    return move_mount(mount, "", AT_FDCWD, args[1], MOVE_MOUNT_F_EMPTY_PATH) < 0
               ? err_errno(err, errno, "cannot mount %s", args[1])
               : 0;
}

static int verb_create(struct storage *s, char **args, struct err *err)
{
    struct storage_rootfs r;

    if (storage_container_create(s, args[0], or_null(args[1]), &r, err) < 0)
        return -1;
    print_rootfs(&r);
    storage_rootfs_finish(&r);
    return 0;
}

static int verb_delete(struct storage *s, char **args, struct err *err)
{
    return storage_container_remove(s, args[0], err);
}

static int verb_size(struct storage *s, char **args, struct err *err)
{
    int64_t size;

    if (storage_container_size(s, args[0], &size, err) < 0)
        return -1;
    printf("%lld\n", (long long)size);
    return 0;
}

static int verb_cat(struct storage *s, char **args, struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(4096);
    struct storage_rootfs r;
    int result;

    if (storage_container_rootfs(s, args[0], &r, err) < 0)
        return -1;
    result = storage_read_file(&r, args[1], &b, err);
    storage_rootfs_finish(&r);
    fwrite(buf_str(&b), 1, b.len, stdout);
    return result;
}

static int verb_stat(struct storage *s, char **args, struct err *err)
{
    struct storage_rootfs r;
    struct stat st;
    int result;

    if (storage_container_rootfs(s, args[0], &r, err) < 0)
        return -1;
    result = storage_stat(&r, args[1], /* follow= */ false, &st, err);
    storage_rootfs_finish(&r);
    if (result == 0)
        printf("%o %u %lld\n", st.st_mode, st.st_uid, (long long)st.st_size);
    return result;
}

/* mount ID PATH: reads a file through the detached mount. */
static int verb_mount(struct storage *s, char **args, struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(4096);
    _cleanup_close_ int fd = -EBADF;
    struct storage_rootfs r;
    int n;

    if (storage_container_rootfs(s, args[0], &r, err) < 0)
        return -1;
    fd = storage_rootfs_mount(s, &r, err);
    storage_rootfs_finish(&r);
    if (fd < 0)
        return -1;
    n = file_read(fd, args[1], &b);
    fwrite(buf_str(&b), 1, b.len, stdout);
    return n < 0 ? err_errno(err, n, "cannot read %s", args[1]) : 0;
}

static const struct {
    const char *name;
    int arguments;
    int (*run)(struct storage *s, char **args, struct err *err);
} verbs[] = {
    {"commit", 2, verb_commit},
    {"apart", 1, verb_apart},
    {"cancel", 1, verb_cancel},
    {"pack", 1, verb_pack},
    {"flat", 1, verb_flat},
    {"diff", 1, verb_diff},
    {"export", 1, verb_export},
    {"remove", 1, verb_remove},
    {"list", 0, verb_list},
    {"create", 2, verb_create},
    {"delete", 1, verb_delete},
    {"size", 1, verb_size},
    {"cat", 2, verb_cat},
    {"stat", 2, verb_stat},
    {"mount", 2, verb_mount},
    {"where", 1, verb_where},
    {"mounted", 2, verb_mounted},
    {"remove_all", 1, verb_remove_all},
};

int main(int argc, char **argv)
{
    struct storage *s;
    struct err err = {};
    int r = -1;

    if (argc < 4)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    s = storage_open(argv[1], getenv("DRIVER"), argv[2], &err);
    for (size_t i = 0; s && i < ARRAY_SIZE(verbs); i++)
        if (str_eq(argv[3], verbs[i].name) && argc - 4 >= verbs[i].arguments)
            r = verbs[i].run(s, argv + 4, &err);
    if (s)
        storage_settle(s);
    storage_free(s);
    if (r < 0)
        fprintf(stderr, "error %s: %s\n", err_kind_name(err.kind), err.message);
    return r < 0;
}
