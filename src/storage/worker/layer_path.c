/* Names in archives become paths in a layer. */
#include "storage/worker/layer_path.h"

#include <limits.h>
#include <string.h>

static void drop_last(struct layer_path *p, size_t *len)
{
    while (*len > 0 && p->text[*len - 1] != '/')
        --*len;
    if (*len > 0)
        --*len;
}

int layer_path_set(struct layer_path *p, const char *archive_name, struct err *err)
{
    const char *s = archive_name;
    size_t len = 0;

    while (*s) {
        size_t n = strcspn(s, "/");

        if (n == 2 && memcmp(s, "..", 2) == 0) {
            if (len == 0)
                return err_set(err, ERR_INVALID, "%s: the name leads out of the layer", archive_name);
            drop_last(p, &len);
        } else if (n > 0 && !(n == 1 && *s == '.')) {
            if (n > NAME_MAX)
                return err_set(err, ERR_INVALID, "%.100s…: a part of the name is longer than %d bytes",
                               archive_name, NAME_MAX);
            if (len + 1 + n > TAR_PATH_MAX)
                return err_set(err, ERR_INVALID, "%.100s…: the name is too long", archive_name);
            if (len > 0)
                p->text[len++] = '/';
            memcpy(p->text + len, s, n);
            len += n;
        }
        s += n;
        s += strspn(s, "/");
    }
    p->text[len] = '\0';
    p->name = len;
    while (p->name > 0 && p->text[p->name - 1] != '/')
        p->name--;
    return 0;
}

void layer_path_parent(const struct layer_path *path, char ret[TAR_PATH_MAX + 1])
{
    size_t len = path->name > 0 ? path->name - 1 : 0;

    memcpy(ret, path->text, len);
    ret[len] = '\0';
}
