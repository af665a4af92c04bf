/* The list of what is left for the settling worker. */
#include "storage/worker/pending.h"

#include <string.h>

#include "base/fd.h"

static void add_string(struct pending *p, const char *s)
{
    buf_append(&p->text, s, strlen(s) + 1);
}

void pending_add_dir(struct pending *p, const char *path)
{
    add_string(p, "D");
    add_string(p, path);
    p->rows++;
}

void pending_add_link(struct pending *p, const char *path, const char *target)
{
    add_string(p, "L");
    add_string(p, path);
    add_string(p, target);
    p->rows++;
    p->links++;
}

int pending_write(const struct pending *p, int fd, struct err *err)
{
    int r;

    if (buf_failed(&p->text))
        return err_set(err, ERR_INVALID,
                       "the archive names too many directories and links that aren't in it");
    r = fd_write_full(fd, buf_str(&p->text), p->text.len);
    return r < 0 ? err_errno(err, r, "cannot note what is left to settle") : 0;
}

static const char *take_string(const char **text, size_t *len)
{
    const char *s = *text, *end = memchr(s, '\0', *len);

    if (!end)
        return NULL;
    *len -= (size_t)(end + 1 - s);
    *text = end + 1;
    return s;
}

int pending_next(const char **text, size_t *len, struct pending_row *ret)
{
    const char *kind;

    if (*len == 0)
        return 0;
    kind = take_string(text, len);
    ret->path = kind ? take_string(text, len) : NULL;
    if (!ret->path)
        return -EINVAL;
    ret->target = *kind == 'L' ? take_string(text, len) : NULL;
    return *kind == 'L' && !ret->target ? -EINVAL : 1;
}
