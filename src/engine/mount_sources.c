/* Parts of volumes, and images, as sources of binds. */
#include "engine/mount_sources.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/volumes.h"
#include "storage/storage.h"

enum { PLACES_EACH = 2 }; /* an image, and the part of it */

static char *place_path(const struct container *c, size_t n)
{
    char name[32];
    snprintf(name, sizeof(name), "source-%zu", n);
    return container_run_path(c, name);
}

static int make_place(const char *path, mode_t type)
{
    if (S_ISDIR(type))
        return mkdir(path, 0700);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? -1 : 0;
}

/* Gives a tree that is mounted nowhere its place; the kernel clones only what has one (before Linux 6.15). */
static int attach(struct container *c, int tree, struct mount_sources *s, struct err *err)
{
    _cleanup_free_ char *place = place_path(c, strv_len(s->places));
    struct stat st;
    if (fstat(tree, &st) < 0 || make_place(place, st.st_mode) < 0 ||
        move_mount(tree, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_errno(err, errno, "mount a source at %s", place);
    strv_push_take(&s->places, take_ptr(&place));
    return 0;
}

static int attach_image(struct container *c, const json_t *m, struct mount_sources *s, struct err *err)
{
    const struct mount_attr programs_run = {.attr_clr = MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID};
    const char *layer = json_str_or(json_object_get(m, "Options"), "TopLayer", "");
    struct storage_rootfs rootfs = {0};
    if (storage_layer_rootfs(c->engine->storage, layer, &rootfs, err) < 0)
        return -1;
    _cleanup_close_ int tree = storage_rootfs_mount(c->engine->storage, &rootfs, err);
    storage_rootfs_finish(&rootfs);
    if (tree < 0)
        return -1;
    if (mount_setattr(tree, "", AT_EMPTY_PATH, (struct mount_attr *)&programs_run, sizeof(programs_run)) < 0)
        return err_errno(err, errno, "let programs of an image run");
    return attach(c, tree, s, err);
}

/* The part of what is at `root`; nothing in there may lead out of it. */
static int attach_part(struct container *c, const char *root, const char *subpath, struct mount_sources *s,
                       struct err *err)
{
    _cleanup_close_ int whole = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int part = whole < 0 ? -errno : path_open_in_root(whole, subpath, O_PATH, 0);
    if (part < 0)
        return err_set(err, part == -ENOENT || part == -ENOTDIR ? ERR_NOT_FOUND : ERR_INVALID,
                       "cannot access path %s/%s: %s", root, subpath,
                       part == -ENOENT ? "no such file or directory" : strerror(-part));
    _cleanup_close_ int tree = open_tree(part, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (tree < 0)
        return err_errno(err, errno, "mount %s/%s", root, subpath);
    return attach(c, tree, s, err);
}

static int open_one(struct container *c, json_t *m, struct mount_sources *s, struct err *err)
{
    const char *subpath = json_str(json_object_get(m, "Options"), "Subpath");
    bool image = str_eq(json_str(m, "Type"), "image");
    size_t before = strv_len(s->places);
    if (str_eq(json_str(m, "Type"), "volume") &&
        engine_volume_mount(c->engine, json_str_or(m, "Name", ""), err) < 0)
        return -1;
    if (image && attach_image(c, m, s, err) < 0)
        return err_wrap(err, "mount image %s", json_str_or(m, "Name", ""));
    const char *root = image ? s->places[before] : json_str_or(m, "Source", "");
    if (subpath && attach_part(c, root, subpath, s, err) < 0)
        return -1;
    if (image || subpath)
        json_set_str(m, "Source", s->places[strv_len(s->places) - 1]);
    return 0;
}

int mount_sources_open(struct container *c, struct mount_sources *ret, struct err *err)
{
    json_t *m;
    size_t i;
    *ret = (struct mount_sources){.mounts = json_array()};
    json_array_foreach (c->mounts, i, m) {
        json_t *copy = json_copy(m);
        json_array_append_new(ret->mounts, copy);
        if (open_one(c, copy, ret, err) < 0) {
            mount_sources_finish(ret);
            return -1;
        }
    }
    return 0;
}

static void take_away(const char *place)
{
    (void)umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW);
    if (rmdir(place) < 0 && errno == ENOTDIR)
        unlink(place);
}

void mount_sources_keep(struct mount_sources *s)
{
    strv_free(s->places);
    json_decref(s->mounts);
    *s = (struct mount_sources){0};
}

void mount_sources_finish(struct mount_sources *s)
{
    for (size_t i = strv_len(s->places); i > 0; i--)
        take_away(s->places[i - 1]);
    mount_sources_keep(s);
}

void mount_sources_sweep(struct container *c)
{
    for (size_t i = PLACES_EACH * json_array_size(c->mounts); i > 0; i--) {
        _cleanup_free_ char *place = place_path(c, i - 1);
        take_away(place);
    }
}
