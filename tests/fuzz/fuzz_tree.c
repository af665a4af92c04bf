/* A tar stream becomes a tree, outside of keg-layer's walls: what lies beside the layer has to be as it was. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "storage/tree_remove.h"
#include "storage/worker/tree.h"
#include "tar_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_SIZE_MAX = 1024 * 1024, ENTRIES_MAX = 1000 };

static char place[] = "/dev/shm/keg-fuzz-tree.XXXXXX"; /* holds "layer", "sentinel/file" */
static int place_fd = -EBADF;
static struct stat sentinel[2];

static void look(struct stat st[2])
{
    memset(st, 0, 2 * sizeof(*st));
    if (fstatat(place_fd, "sentinel", &st[0], AT_SYMLINK_NOFOLLOW) < 0 ||
        fstatat(place_fd, "sentinel/file", &st[1], AT_SYMLINK_NOFOLLOW) < 0)
        abort();
    for (size_t i = 0; i < 2; i++)
        st[i].st_atim = (struct timespec){0};
}

static void clean_up(void)
{
    unlinkat(place_fd, "sentinel/file", 0);
    unlinkat(place_fd, "sentinel", AT_REMOVEDIR);
    tree_remove(place_fd, "layer");
    rmdir(place);
}

static void set_up(void)
{
    if (!mkdtemp(place))
        abort();
    place_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(place_fd, "sentinel", 0755) < 0 || mknodat(place_fd, "sentinel/file", S_IFREG | 0644, 0) < 0)
        abort();
    look(sentinel);
    atexit(clean_up);
}

static int unpack(struct tree *tree, struct tar_reader *reader)
{
    const struct tar_entry *e;
    int64_t sum = 0;
    int r, n = 0;

    while ((r = tar_reader_next(reader, &e, NULL)) > 0)
        if ((sum += e->size) > FILE_SIZE_MAX || ++n > ENTRIES_MAX || tree_add(tree, e, reader, NULL) < 0)
            return -1;
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ uint8_t *mended = fuzz_mend_tar(data, size);
    struct fuzz_pieces pieces = {.data = mended, .left = size};
    const struct tar_input input = fuzz_input(&pieces);
    _cleanup_(tar_reader_free_p) struct tar_reader *reader = tar_reader_new(&input);
    _cleanup_(tree_free_p) struct tree *tree = NULL;
    _cleanup_close_ int root = -EBADF;
    struct pending pending = PENDING_INIT;
    struct stat now[2];

    if (place_fd < 0)
        set_up();
    if (mkdirat(place_fd, "layer", 0755) < 0)
        abort();
    root = openat(place_fd, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tree = tree_new(root);
    if (unpack(tree, reader) == 0)
        tree_finish(tree, &pending, NULL);
    buf_finish(&pending.text);
    look(now);
    if (memcmp(now, sentinel, sizeof(now)) != 0)
        abort();
    if (chdir("/") < 0 || tree_remove(place_fd, "layer") < 0)
        abort();
    return 0;
}
