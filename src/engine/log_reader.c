/* The walk over a log's files.
 *
 * The files are opened newest first (a rotation meanwhile can only show one twice, which its inode tells) and read oldest
 * first; entries become output in one buffer that goes to the sink when it is well filled. Following watches the
 * directory: what is appended wakes it, and when a younger file has taken the path, the one being read is finished first. */
#include "engine/log_reader.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/container.h"
#include "engine/file_watch.h"

enum { LOOK_AGAIN_MS = 100 };

/* Reads list[0] to its end, and what has followed it since. */
static int read_files(struct log_reader *r)
{
    struct log_files *f = &r->files;
    if (f->count == 0)
        log_files_open(f);
    while (f->count > 0 && !r->out.over) {
        struct log_file next = {.fd = -EBADF};
        if (r->o->format->read(r, 0, /* whole= */ false) < 0)
            return -1;
        if (r->out.over || !log_files_next(f, &next))
            break;
        /* what came between the last read and the rotation */
        int failed =
            log_file_prepare(f, &next, r->err) < 0 || r->o->format->read(r, 0, /* whole= */ true) < 0;
        log_file_close(&f->list[0]);
        f->list[0] = next;
        if (failed)
            return -1;
    }
    return 0;
}

static int advance(struct log_reader *r)
{
    int more;
    do {
        if (read_files(r) < 0)
            return -1;
        more = r->o->format->read_rest && !r->out.over ? r->o->format->read_rest(r) : 0;
    } while (more > 0);
    return more < 0 ? -1 : log_output_flush(&r->out);
}

/* ---- follow ---- */

static struct file_watch *watch_directory(const struct log_reader *r, int poller)
{
    const char *slash = strrchr(r->o->path, '/');
    _cleanup_free_ char *directory = xstrndup(r->o->path, slash ? (size_t)(slash - r->o->path) : 0);
    struct file_watch *watch = file_watch_add(r->e->file_watches, directory, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = watch ? file_watch_fd(watch) : -EBADF};
    if (watch && epoll_ctl(poller, EPOLL_CTL_ADD, event.data.fd, &event) < 0)
        return file_watch_remove(watch);
    return watch;
}

/* watch NULL: the host's watches are used up (fs.inotify.max_user_instances), the files are looked at time and again. */
static int follow_with(struct log_reader *r, int poller, const struct file_watch *watch)
{
    for (;;) {
        struct epoll_event got[2];
        int n = epoll_wait(poller, got, 2, 0);
        bool ended = false;
        eventfd_t changes;
        for (int i = 0; i < n; i++)
            ended = ended || got[i].data.fd == r->o->end_fd;
        if (watch)
            eventfd_read(file_watch_fd(watch), &changes);
        if (advance(r) < 0)
            return -1;
        if (ended || r->out.over)
            return 0;
        buf_finish(&r->out.buf); /* followers are many, and mostly wait */
        if (engine_wait_readable(r->e, poller, r->sink->client_fd, watch ? -1 : LOOK_AGAIN_MS, r->err) < 0)
            return -1;
    }
}

static int follow(struct log_reader *r)
{
    _cleanup_close_ int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event end = {.events = EPOLLIN, .data.fd = r->o->end_fd};
    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, r->o->end_fd, &end) < 0)
        return err_errno(r->err, errno, "follow %s", r->o->path);
    struct file_watch *watch = watch_directory(r, poller);
    int result = follow_with(r, poller, watch);
    file_watch_remove(watch);
    return result;
}

/* ---- all ---- */

/* What was last written before `since` has nothing for us. */
static bool is_too_old(const struct log_reader *r, size_t n)
{
    return n > 0 && r->files.list[n].last < r->o->logs.since;
}

static int read_old(struct log_reader *r)
{
    struct log_files *f = &r->files;
    while (f->count > 1) {
        size_t n = f->count - 1;
        if (!r->out.over && !is_too_old(r, n) &&
            (log_file_prepare(f, &f->list[n], r->err) < 0 || r->o->format->read(r, n, /* whole= */ true) < 0))
            return -1;
        log_file_close(&f->list[n]);
        f->count = n;
    }
    return 0;
}

static int read_all(struct log_reader *r)
{
    log_files_open(&r->files);
    if (r->o->logs.tail >= 0 && r->o->format->seek_tail(r, r->o->logs.tail) < 0)
        return -1;
    if (read_old(r) < 0 || advance(r) < 0)
        return -1;
    return r->o->logs.follow && r->o->end_fd >= 0 && !r->out.over ? follow(r) : 0;
}

int log_read(struct engine *e, const struct log_reader_options *o, const struct engine_sink *sink,
             struct err *err)
{
    struct log_reader *r = xcalloc(1, sizeof(*r));
    *r = (struct log_reader){.e = e, .o = o, .sink = sink, .err = err, .files = {.path = o->path}};
    log_output_init(&r->out, &o->logs, o->framed, sink, err);
    r->state = o->format->begin(r);
    int result = read_all(r);
    log_files_close(&r->files);
    o->format->end(r->state);
    log_output_finish(&r->out);
    free(r);
    return result;
}
