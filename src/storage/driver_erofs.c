/* The EROFS driver. A layer is one file, LAYER/image.erofs, which keg-layer writes from the unpacked tree; it is mounted
 * on LAYER/diff when it is first needed, and stacked under overlay like a directory. A mounted image can't be changed,
 * and nothing but the file's bytes matters: their SHA-256 is in layer.json and compared before the mount. Where kernel
 * and file system have fs-verity, it is switched on for the file, and every later read is checked too.
 *
 * The mounts are kegd's own. Overlays that containers have of them don't need them to stay, so they all go when the
 * store is closed; those that a killed kegd left are found again. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/str.h"
#include "storage/erofs_mount.h"
#include "storage/internal.h"

#define IMAGE "image.erofs"

enum { PIECE = 256 * 1024 };

/* ---- Making an image ---- */

static int write_image(struct storage *s, const char *stage, const char *path, struct storage_layer *layer,
                       struct err *err)
{
    _cleanup_free_ char *diff = xasprintf("%s/%s/diff", s->layers, stage);
    _cleanup_close_ int tree = open(diff, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int image = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct worker_spec worker = WORKER_SPEC_INIT("erofs");
    struct worker_report report;

    if (tree < 0 || image < 0)
        return err_errno(err, errno, "cannot make %s", path);
    worker.tree = tree;
    worker.output = image;
    if (worker_run(s, &worker, &report, err) < 0)
        return -1;
    snprintf(layer->image_digest, sizeof(layer->image_digest), "sha256:%.64s", report.blob_hex);
    return 0;
}

/* The tree goes; where it was is a place to mount the image. */
static int make_mount_point(struct storage *s, const char *stage, struct err *err)
{
    _cleanup_free_ char *diff = xasprintf("%s/diff", stage);
    char trash[NAME_SIZE];

    storage_random_name(trash, TRASH_PREFIX);
    if (renameat(s->layers_fd, diff, s->layers_fd, trash) < 0 || mkdirat(s->layers_fd, diff, 0700) < 0)
        return err_errno(err, errno, "cannot make %s", diff);
    storage_trash_add(s, trash);
    return 0;
}

static int erofs_layer_seal(struct storage *s, const char *stage, struct storage_layer *layer,
                            struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/%s/" IMAGE, s->layers, stage);

    if (write_image(s, stage, path, layer, err) < 0)
        return -1;
    (void)image_enable_verity(path); /* where there is none, the digest is all there is */
    return make_mount_point(s, stage, err);
}

/* ---- Showing it ---- */

/* The file, not what a mount shows: that is in memory already, and stays as it was when it was read. */
static int erofs_layer_verify(struct storage *s, const struct storage_layer *layer, struct err *err)
{
    _cleanup_free_ char *path =
        xasprintf("%s/%s/" IMAGE, s->layers, storage_digest_hex(layer->chain_id, NULL));
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_(sha256_free_p) struct sha256 *hash = sha256_new();
    _cleanup_free_ char *piece = xmalloc(PIECE);
    char hex[SHA256_HEX_SIZE];
    ssize_t n;

    if (fd < 0)
        return err_errno(err, errno, "layer %s: cannot open its image", layer->chain_id);
    while ((n = fd_read_full(fd, piece, PIECE)) > 0)
        sha256_update(hash, piece, (size_t)n);
    if (n < 0)
        return err_errno(err, (int)n, "layer %s: cannot read its image", layer->chain_id);
    sha256_hex(hash, hex);
    if (!str_eq(str_after(layer->image_digest, "sha256:"), hex))
        return err_set(err, ERR_SYSTEM,
                       "layer %s: its image is damaged: it is sha256:%s and was made as %s: remove the image "
                       "that needs it "
                       "and pull it again, or: keg system check --repair",
                       layer->chain_id, hex, layer->image_digest);
    return 0;
}

static int erofs_layer_show(struct storage *s, const struct storage_layer *layer, struct err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const char *hex = storage_digest_hex(layer->chain_id, NULL);
    _cleanup_free_ char *diff = xasprintf("%s/%s/diff", s->layers, hex);
    _cleanup_free_ char *image = xasprintf("%s/%s/" IMAGE, s->layers, hex);
    int r = 0;

    if (erofs_is_mounted(diff))
        return 0;
    pthread_mutex_lock(&lock);
    if (!erofs_is_mounted(diff))
        r = erofs_layer_verify(s, layer, err) < 0 ? -1 : erofs_mount(image, diff, err);
    pthread_mutex_unlock(&lock);
    return r;
}

static void erofs_layer_hide(struct storage *s, const char *name)
{
    _cleanup_free_ char *diff = xasprintf("%s/%s/diff", s->layers, name);

    erofs_unmount(diff);
}

/* ---- What it is ---- */

static int erofs_probe(struct storage *s, struct err *err)
{
    if (!erofs_is_known())
        return err_set(err, ERR_INVALID,
                       "the erofs driver needs a kernel with EROFS (CONFIG_EROFS_FS, module erofs)");
    return overlay_driver.probe(s, err) < 0 ? err_wrap(err, "the erofs driver stacks its layers with overlay")
                                            : 0;
}

/* Tries on an empty file, in the data root. */
static const char *verification(const struct storage *s)
{
    _cleanup_free_ char *path = NULL;
    char name[NAME_SIZE];
    const char *text = "sha256 at mount";

    storage_random_name(name, TRASH_PREFIX);
    path = xasprintf("%s/%s", s->layers, name);
    close(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (image_enable_verity(path) == 0)
        text = "sha256 at mount, fs-verity at every read";
    unlink(path);
    return text;
}

static void erofs_status(const struct storage *s, char ***rows)
{
    const char *const texts[] = {
        "Backing Filesystem",  filesystem_name(s->layers_fd),
        "Image Verification",  verification(s),
        "Using metacopy",      "false",
        "Native Overlay Diff", "true",
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        strv_push(rows, texts[i]);
}

static const char *const erofs_names[] = {"erofs", NULL};

const struct storage_driver erofs_driver = {
    .name = "erofs",
    .names = erofs_names,
    .probe = erofs_probe,
    .status = erofs_status,
    .layer_file = IMAGE,
    .layer_seal = erofs_layer_seal,
    .layer_show = erofs_layer_show,
    .layer_hide = erofs_layer_hide,
    .layer_verify = erofs_layer_verify,
    .limit = driver_limit_layered,
};
