/* Where an archive goes. */
#include "tar/sink.h"

#include <string.h>

#include "base/fd.h"

void sink_init(struct sink *s, int fd)
{
    *s = (struct sink){.fd = fd, .hash = sha256_new(), .data = xmalloc(SINK_SIZE)};
}

void sink_init_taker(struct sink *s, sink_take *take, void *arg)
{
    *s = (struct sink){.fd = -EBADF, .take = take, .arg = arg, .data = xmalloc(SINK_SIZE)};
}

void sink_finish(struct sink *s)
{
    sha256_free(s->hash);
    free(s->data);
    *s = (struct sink){.fd = -EBADF};
}

int sink_flush(struct sink *s, struct err *err)
{
    size_t len;
    int r;

    if (s->len == 0)
        return 0;
    s->written += (int64_t)s->len;
    len = s->len;
    s->len = 0;
    if (s->take)
        return s->take(s->arg, s->data, len, err);
    sha256_update(s->hash, s->data, len);
    r = fd_write_full(s->fd, s->data, len);
    if (r == -EPIPE || r == -ECONNRESET)
        return err_set(err, ERR_CANCELLED, "the reader of the archive has gone");
    return r < 0 ? err_errno(err, r, "cannot write the archive") : 0;
}

uint8_t *sink_room(struct sink *s, size_t *ret_size, struct err *err)
{
    if (s->len == SINK_SIZE && sink_flush(s, err) < 0)
        return NULL;
    *ret_size = SINK_SIZE - s->len;
    return s->data + s->len;
}

void sink_advance(struct sink *s, size_t len)
{
    s->len += len;
}

int sink_write(struct sink *s, const void *data, size_t len, struct err *err)
{
    while (len > 0) {
        size_t size;
        uint8_t *room = sink_room(s, &size, err);

        if (!room)
            return -1;
        size = MIN_OF(size, len);
        memcpy(room, data, size);
        sink_advance(s, size);
        data = (const char *)data + size;
        len -= size;
    }
    return 0;
}

int sink_zeros(struct sink *s, int64_t len, struct err *err)
{
    while (len > 0) {
        size_t size;
        uint8_t *room = sink_room(s, &size, err);

        if (!room)
            return -1;
        size = (size_t)MIN_OF((int64_t)size, len);
        memset(room, 0, size);
        sink_advance(s, size);
        len -= (int64_t)size;
    }
    return 0;
}
