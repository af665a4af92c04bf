/* Reading logs back.
 *
 * The files are opened newest first (a rotation meanwhile can only show one twice, which its inode tells) and read oldest
 * first, in big blocks; lines become output in one buffer that goes to the sink when it is well filled. Following
 * watches the directory: what is appended wakes it, and when the path has another inode than the file being read, that
 * file is finished first. */
#include "engine/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/logline.h"

enum {
    BLOCK = 256 * 1024,
    FLUSH_AT = 192 * 1024,
    LINE_MAX_BYTES = 16 * 1024 * 1024, /* of one line of the file */
    FILES_MAX = 1000,
    HEADER = 8,
    NEXT_ATTEMPTS = 100, /* rotations that come in between */
};

/* ---- settings ---- */

static int parse_count(const char *key, const char *text, int *ret, struct err *err)
{
    uint32_t n;
    if (str_to_u32(text, &n) < 0 || n < 1 || n > FILES_MAX)
        return err_set(err, ERR_INVALID, "invalid value for log option %s: %.64s", key, text);
    *ret = (int)n;
    return 0;
}

static int parse_option(const char *key, const char *text, struct log_settings *s, struct err *err)
{
    bool on = false;
    if (str_eq(key, "max-size")) {
        if (str_eq(text, "-1"))
            return 0;
        return str_to_bytes(text, &s->max_size) < 0 || s->max_size <= 0
                   ? err_set(err, ERR_INVALID, "invalid value for log option max-size: %.64s", text)
                   : 0;
    }
    if (str_eq(key, "max-file"))
        return parse_count(key, text, &s->max_file, err);
    if (str_eq(key, "labels"))
        s->labels = text;
    else if (str_eq(key, "env"))
        s->env = text;
    else if (str_eq(key, "compress")) {
        if (str_to_bool(text, &on) < 0)
            return err_set(err, ERR_INVALID, "invalid value for log option compress: %.64s", text);
        if (on)
            return err_set(err, ERR_NOT_IMPLEMENTED, "log option compress is not supported yet");
    } else if (str_eq(key, "mode")) {
        if (!str_eq(text, "blocking"))
            return err_set(err, ERR_NOT_IMPLEMENTED, "log option mode=%.64s is not supported yet", text);
    } else {
        return err_set(err, ERR_INVALID, "unknown log opt '%.64s' for json-file log driver", key);
    }
    return 0;
}

int log_settings_parse(const json_t *log_config, struct log_settings *ret, struct err *err)
{
    const char *type = json_str_or(log_config, "Type", ""), *key;
    json_t *value;
    *ret = (struct log_settings){.max_file = 1, .none = str_eq(type, "none")};
    if (*type && !ret->none && !str_eq(type, "json-file"))
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "logging driver %.64s is not supported yet: use json-file or none", type);
    json_object_foreach (json_object_get(log_config, "Config"), key, value) {
        if (!json_is_string(value))
            return err_set(err, ERR_INVALID, "invalid JSON: LogConfig.Config must be an object of strings");
        if (!ret->none && parse_option(key, json_string_value(value), ret, err) < 0)
            return -1;
    }
    if (ret->max_file > 1 && ret->max_size == 0)
        return err_set(err, ERR_INVALID, "max-file cannot be set without max-size");
    return 0;
}

/* ---- files ---- */

struct log_file {
    int fd;
    ino_t inode;
};

struct reader {
    struct engine *e;
    const struct log_reader_options *o;
    const struct engine_sink *sink;
    struct err *err;
    struct log_file files[FILES_MAX]; /* newest first */
    size_t count;
    struct buf in, out;
    bool over; /* `until` was passed */
};

static int open_log(const char *path, struct log_file *ret)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    *ret = (struct log_file){.fd = fd, .inode = st.st_ino};
    return 0;
}

static char *log_name(const struct reader *r, size_t n)
{
    return n ? xasprintf("%s.%zu", r->o->path, n) : xstrdup(r->o->path);
}

static bool is_open(const struct reader *r, ino_t inode)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->files[i].inode == inode)
            return true;
    return false;
}

/* A rotation renames the oldest file first, so for a moment one number in the row is free. */
enum { GAP_MAX = 2 };

static void open_all(struct reader *r)
{
    for (size_t n = 0, gap = 0; n < FILES_MAX && gap < GAP_MAX; n++) {
        _cleanup_free_ char *path = log_name(r, n);
        struct log_file file = {.fd = -EBADF};
        if (open_log(path, &file) < 0) {
            gap++;
            continue;
        }
        gap = 0;
        if (is_open(r, file.inode))
            close(file.fd);
        else
            r->files[r->count++] = file;
    }
}

/* ---- tail ---- */

/* The offset at which the last *lines lines of fd begin; *lines is what is still missing, 0 when all were found. */
static off_t seek_lines(int fd, int64_t *lines, char *block)
{
    off_t at = lseek(fd, 0, SEEK_END);
    int64_t missing = *lines;
    bool ended = false; /* the newline that ends the last line was found; what follows it isn't a line yet */
    while (at > 0) {
        size_t len = (size_t)MIN_OF(at, (off_t)BLOCK);
        ssize_t n = pread(fd, block, len, at - (off_t)len);
        if (n <= 0)
            break;
        const char *p = block + n;
        while ((p = memrchr(block, '\n', (size_t)(p - block)))) {
            off_t position = at - (off_t)len + (p - block);
            if (!ended) {
                ended = true;
                continue;
            }
            if (--missing == 0) {
                *lines = 0;
                return position + 1;
            }
        }
        at -= (off_t)len;
    }
    *lines = ended ? missing - 1 : missing;
    return 0;
}

/* Positions every file so that reading them gives the tail. */
static void seek_tail(struct reader *r)
{
    int64_t lines = r->o->logs.tail;
    if (lines < 0)
        return;
    _cleanup_free_ char *block = xmalloc(BLOCK);
    for (size_t i = 0; i < r->count; i++) {
        off_t start =
            lines > 0 ? seek_lines(r->files[i].fd, &lines, block) : lseek(r->files[i].fd, 0, SEEK_END);
        lseek(r->files[i].fd, start, SEEK_SET);
    }
}

/* ---- lines ---- */

static int flush(struct reader *r)
{
    if (r->out.len == 0)
        return 0;
    int failed = r->sink->write(r->sink->arg, r->out.data, r->out.len);
    buf_reset(&r->out);
    return failed < 0 ? err_set(r->err, ERR_CANCELLED, "the client has gone") : 0;
}

static void emit(struct reader *r, const struct log_line *l)
{
    const struct engine_logs_options *o = &r->o->logs;
    if (l->to_stderr ? !o->stderr_too : !o->stdout_too)
        return;
    if (o->since || o->until) {
        int64_t time = log_line_time(l);
        if (time < o->since)
            return;
        if (o->until && time > o->until) {
            r->over = true;
            return;
        }
    }
    size_t start = r->out.len;
    if (r->o->framed)
        buf_append(&r->out, "\0\0\0\0\0\0\0\0", HEADER);
    if (o->timestamps)
        log_line_append_time(l, &r->out);
    if (o->details)
        log_line_append_attrs(l, &r->out);
    log_line_append_text(l, &r->out);
    if (!r->o->framed || buf_failed(&r->out))
        return;
    size_t len = r->out.len - start - HEADER;
    unsigned char *head = (unsigned char *)r->out.data + start;
    head[0] = l->to_stderr ? 2 : 1;
    head[4] = (unsigned char)(len >> 24);
    head[5] = (unsigned char)(len >> 16);
    head[6] = (unsigned char)(len >> 8);
    head[7] = (unsigned char)len;
}

/* Another order of members, or others: by the JSON parser. Lines that are no JSON at all are passed over. */
static void emit_odd(struct reader *r, const char *line, size_t len)
{
    _cleanup_json_ json_t *json = json_loadb(line, len, 0, NULL);
    const json_t *log = json_object_get(json, "log");
    _cleanup_free_ char *text = json_is_string(log) ? json_dumps(log, JSON_ENCODE_ANY) : NULL;
    _cleanup_free_ char *attrs =
        json_object_get(json, "attrs") ? json_text(json_object_get(json, "attrs")) : NULL;
    const char *time = json_str_or(json, "time", "");
    if (!text)
        return;
    const struct log_line l = {
        .text = text + 1,
        .text_len = strlen(text) - 2,
        .to_stderr = str_eq(json_str(json, "stream"), "stderr"),
        .time = time,
        .time_len = strlen(time),
        .attrs = attrs,
        .attrs_len = attrs ? strlen(attrs) : 0,
    };
    emit(r, &l);
}

/* Handles every complete line of the input buffer. */
static int emit_lines(struct reader *r)
{
    const char *p = r->in.data, *end = p + r->in.len, *newline;
    while (p < end && !r->over && (newline = memchr(p, '\n', (size_t)(end - p)))) {
        struct log_line l;
        if (log_line_split(p, (size_t)(newline - p), &l))
            emit(r, &l);
        else
            emit_odd(r, p, (size_t)(newline - p));
        p = newline + 1;
        if (r->out.len >= FLUSH_AT && flush(r) < 0)
            return -1;
    }
    buf_consume(&r->in, (size_t)(p - r->in.data));
    return 0;
}

/* Reads a file up to its present end. */
static int read_file(struct reader *r, int fd)
{
    while (!r->over) {
        ssize_t n = buf_read_fd(&r->in, fd, BLOCK);
        if (n == -E2BIG) {
            buf_reset(&r->in); /* no line of ours is that long */
            continue;
        }
        if (n < 0)
            return err_errno(r->err, (int)n, "read %s", r->o->path);
        if (n == 0)
            return 0;
        if (emit_lines(r) < 0)
            return -1;
    }
    return 0;
}

/* ---- follow ---- */

static bool is_at(const struct reader *r, size_t n, ino_t inode)
{
    _cleanup_free_ char *path = log_name(r, n);
    struct stat st;
    return stat(path, &st) == 0 && st.st_ino == inode;
}

/* The number that the file being read has now, or -1; *ret_last: the highest there is. */
static int find_number(const struct reader *r, size_t *ret_last)
{
    *ret_last = 0;
    for (size_t n = 0, gap = 0; n < FILES_MAX && gap < GAP_MAX; n++) {
        _cleanup_free_ char *path = log_name(r, n);
        struct stat st;
        if (stat(path, &st) < 0) {
            gap++;
            continue;
        }
        gap = 0;
        *ret_last = n;
        if (st.st_ino == r->files[0].inode)
            return (int)n;
    }
    return -1;
}

/* Opens the file that follows the one being read. False when there is none yet. */
static bool next_file(struct reader *r, struct log_file *ret)
{
    for (int attempt = 0; attempt < NEXT_ATTEMPTS; attempt++) {
        size_t last;
        int number = find_number(r, &last);
        if (number == 0)
            return false;
        /* Ours was removed: what is left is all younger. */
        _cleanup_free_ char *path = log_name(r, number < 0 ? last : (size_t)number - 1);
        if (open_log(path, ret) < 0)
            continue;
        /* The older is renamed first: if ours is still in its place, so was the younger when it was opened. */
        if (number < 0 || is_at(r, (size_t)number, r->files[0].inode))
            return true;
        close(ret->fd);
    }
    return false;
}

static int advance(struct reader *r)
{
    struct log_file next = {.fd = -EBADF};
    if (r->count == 0)
        open_all(r);
    while (r->count > 0) {
        if (read_file(r, r->files[0].fd) < 0)
            return -1;
        if (r->over || !next_file(r, &next))
            break;
        int error = read_file(r, r->files[0].fd); /* what came between the last read and the rotation */
        buf_reset(&r->in);
        close(r->files[0].fd);
        r->files[0] = next;
        if (error < 0)
            return -1;
    }
    return flush(r);
}

static int watch_directory(const struct reader *r, int notify)
{
    const char *slash = strrchr(r->o->path, '/');
    _cleanup_free_ char *directory = xstrndup(r->o->path, slash ? (size_t)(slash - r->o->path) : 0);
    return inotify_add_watch(notify, directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0 ? -errno : 0;
}

static void drain(int notify)
{
    char events[4096];
    while (read(notify, events, sizeof(events)) > 0)
        ;
}

static int follow_with(struct reader *r, int notify, int poller)
{
    struct epoll_event both[2] = {{.events = EPOLLIN, .data.fd = notify},
                                  {.events = EPOLLIN, .data.fd = r->o->end_fd}};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, notify, &both[0]) < 0 ||
        epoll_ctl(poller, EPOLL_CTL_ADD, r->o->end_fd, &both[1]) < 0 || watch_directory(r, notify) < 0)
        return err_errno(r->err, errno, "follow %s", r->o->path);
    for (;;) {
        struct epoll_event got[2];
        int n = epoll_wait(poller, got, 2, 0);
        bool ended = false;
        for (int i = 0; i < n; i++)
            ended = ended || got[i].data.fd == r->o->end_fd;
        drain(notify);
        if (advance(r) < 0)
            return -1;
        if (ended || r->over)
            return 0;
        if (engine_wait_readable(r->e, poller, r->sink->client_fd, -1, r->err) < 0)
            return -1;
    }
}

static int follow(struct reader *r)
{
    _cleanup_close_ int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK),
                        poller = epoll_create1(EPOLL_CLOEXEC);
    if (notify < 0 || poller < 0)
        return err_errno(r->err, errno, "follow %s", r->o->path);
    return follow_with(r, notify, poller);
}

static int read_all(struct reader *r)
{
    open_all(r);
    seek_tail(r);
    for (size_t i = r->count; i > 0; i--) {
        if (read_file(r, r->files[i - 1].fd) < 0)
            return -1;
        if (i > 1) {
            buf_reset(&r->in);
            close(r->files[i - 1].fd);
            r->count = i - 1;
        }
    }
    if (flush(r) < 0)
        return -1;
    return r->o->logs.follow && r->o->end_fd >= 0 && !r->over ? follow(r) : 0;
}

int log_read(struct engine *e, const struct log_reader_options *o, const struct engine_sink *sink,
             struct err *err)
{
    struct reader *r = xcalloc(1, sizeof(*r));
    *r = (struct reader){.e = e,
                         .o = o,
                         .sink = sink,
                         .err = err,
                         .in = BUF_INIT(LINE_MAX_BYTES),
                         .out = BUF_INIT((size_t)2 * LINE_MAX_BYTES)};
    int result = read_all(r);
    for (size_t i = 0; i < r->count; i++)
        close(r->files[i].fd);
    buf_finish(&r->in);
    buf_finish(&r->out);
    free(r);
    return result;
}

int engine_container_logs(struct engine *e, const char *ref, const struct engine_logs_options *o,
                          const struct engine_sink *sink, struct err *err)
{
    struct log_settings settings;
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c)
        return -1;
    if (!o->stdout_too && !o->stderr_too)
        return err_set(err, ERR_INVALID, "Bad parameters: you must choose at least one stream");
    _cleanup_json_ json_t *host_config = container_host_config(c);
    if (log_settings_parse(json_object_get(host_config, "LogConfig"), &settings, err) < 0)
        return -1;
    if (settings.none)
        return err_set(err, ERR_NOT_IMPLEMENTED, "configured logging driver does not support reading");
    struct engine_wait *w = o->follow ? engine_container_wait_begin(e, c->id, "not-running", err) : NULL;
    if (o->follow && !w)
        return -1;
    _cleanup_free_ char *path = container_log_path(c);
    sink->write(sink->arg, "", 0); /* the response begins, even if there is nothing to tell yet */
    const struct log_reader_options options = {
        .path = path, .framed = !c->tty, .logs = *o, .end_fd = w ? container_wait_fd(w) : -1};
    int r = log_read(e, &options, sink, err);
    container_wait_free(w);
    return r;
}
