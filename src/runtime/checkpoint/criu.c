/* The process and the conversation. */
#include "runtime/checkpoint/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/checkpoint/protobuf.h"
#include "runtime/internal.h"
#include "runtime/sync.h"
#include "sys/pidfd.h"

enum { ANSWER_MAX = 64 * 1024, SOCKET_FD = 3 };

extern char **environ;

char *criu_find(const char *named, struct err *err)
{
    const char *path = getenv("PATH");
    _cleanup_strv_ char **directories = NULL;

    if (named && strchr(named, '/')) {
        if (access(named, X_OK) == 0)
            return xstrdup(named);
        err_set(err, ERR_NOT_IMPLEMENTED, "checkpoint and restore need criu: %s: %s", named, strerror(errno));
        return NULL;
    }
    directories =
        strv_split(path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ':');
    for (char **directory = directories; *directory; directory++) {
        _cleanup_free_ char *file =
            path_is_absolute(*directory) ? path_join(*directory, named ? named : "criu") : NULL;

        if (file && access(file, X_OK) == 0)
            return take_ptr(&file);
    }
    err_set(
        err, ERR_NOT_IMPLEMENTED,
        "checkpoint and restore need criu, which is not installed (package criu; --criu names it elsewhere)");
    return NULL;
}

/* In the child: the descriptors at their numbers, no other one but `sync`, which goes with execve(). */
static int arrange(int socket, const struct criu_process *p, int *sync)
{
    enum { ABOVE = CRIU_FIRST_FD + CRIU_FDS_MAX };
    int copies[CRIU_FDS_MAX + 1];

    *sync = fcntl(*sync, F_DUPFD_CLOEXEC, ABOVE);
    if (*sync < 0)
        return -errno;
    for (size_t i = 0; i <= p->fd_count; i++) { /* out of the way first */
        copies[i] = fcntl(i ? p->fds[i - 1] : socket, F_DUPFD_CLOEXEC, ABOVE);
        if (copies[i] < 0)
            return -errno;
    }
    for (size_t i = 0; i <= p->fd_count; i++)
        if (dup2(copies[i], SOCKET_FD + (int)i) < 0)
            return -errno;
    return close_range((unsigned)CRIU_FIRST_FD + (unsigned)p->fd_count, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? -errno
                                                                                                      : 0;
}

/* Makes the connection, whose other end goes to the parent: made here, its credentials are those of this process. */
static int connect_parent(int sync, int *ret, struct err *err)
{
    _cleanup_close_ int theirs = -EBADF;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, errno, "make a socket pair");
    *ret = pair[0];
    theirs = pair[1];
    return sync_send(sync, SYNC_READY, theirs) < 0 ? err_set(err, ERR_SYSTEM, "the caller went away") : 0;
}

static _noreturn_ void become(const char *program, int sync, struct criu_process *p)
{
    const char *const args[] = {"criu", "swrk", "3", NULL};
    struct err err = {0};
    int socket = -EBADF, result;

    process_reset_signals();
    if ((!p->prepare || p->prepare(p, &err) == 0) && connect_parent(sync, &socket, &err) == 0) {
        result = arrange(socket, p, &sync);
        if (result == 0) {
            execve(program, (char *const *)args, environ);
            result = -errno;
        }
        err_errno(&err, result, "execute %s", program);
    }
    sync_send_error(sync, &err);
    _exit(127);
}

int criu_start(struct criu *criu, const char *program, struct criu_process *process, struct err *err)
{
    _cleanup_close_ int sync = -EBADF, theirs = -EBADF;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, errno, "make a socket pair");
    sync = pair[0];
    theirs = pair[1];
    criu->pid = process_clone(0, -EBADF, &criu->pidfd);
    if (criu->pid == 0) {
        close_fd(&sync);
        become(program, theirs, process);
    }
    if (criu->pid < 0)
        return err_errno(err, criu->pid, "start %s", program);
    close_fd(&theirs);
    if (sync_expect(sync, SYNC_READY, &criu->socket, err) < 0)
        return -1;
    return sync_expect(sync, SYNC_END, NULL, err); /* closed by execve() */
}

static void copy_text(char *to, size_t size, const struct pb_field *f)
{
    size_t n = f->len < size ? f->len : size - 1;

    memcpy(to, f->data, n);
    to[n] = '\0';
}

static struct pb_reader reader_of(const struct pb_field *f)
{
    return (struct pb_reader){f->data, f->data + f->len};
}

/* criu_resp. */
struct response {
    int type, error;
    bool success;
    char message[160];
    struct criu_notice notice;
    struct criu_answer answer;
};

static int parse_notice(const struct pb_field *message, struct criu_notice *notice)
{
    struct pb_reader r = reader_of(message);
    struct pb_field f;
    int result;

    while ((result = pb_next(&r, &f)) > 0) {
        if (f.number == 1 && !f.is_int)
            copy_text(notice->script, sizeof(notice->script), &f);
        else if (f.number == 2 && f.is_int)
            notice->pid = (pid_t)f.value;
    }
    return result;
}

/* Messages of integers alone: the first `count` members. */
static int parse_numbers(const struct pb_field *message, int64_t *values, size_t count)
{
    struct pb_reader r = reader_of(message);
    struct pb_field f;
    int result;

    while ((result = pb_next(&r, &f)) > 0)
        if (f.is_int && f.number <= count)
            values[f.number - 1] = (int64_t)f.value;
    return result;
}

static int parse_response(const uint8_t *data, size_t len, struct response *ret)
{
    struct pb_reader r = {data, data + len};
    int64_t restore[1] = {0}, features[2] = {0}, version[4] = {0};
    struct pb_field f;
    int result;

    while ((result = pb_next(&r, &f)) > 0) {
        if (f.number == 1 && f.is_int)
            ret->type = (int)f.value;
        else if (f.number == 2 && f.is_int)
            ret->success = f.value;
        else if (f.number == 7 && f.is_int)
            ret->error = (int)f.value;
        else if (f.is_int)
            continue;
        else if (f.number == 4)
            result = parse_numbers(&f, restore, ARRAY_SIZE(restore));
        else if (f.number == 5)
            result = parse_notice(&f, &ret->notice);
        else if (f.number == 8)
            result = parse_numbers(&f, features, ARRAY_SIZE(features));
        else if (f.number == 9)
            copy_text(ret->message, sizeof(ret->message), &f);
        else if (f.number == 10)
            result = parse_numbers(&f, version, ARRAY_SIZE(version));
        if (result < 0)
            break;
    }
    ret->answer.pid = (pid_t)restore[0];
    ret->answer.memory_tracking = features[0];
    ret->answer.lazy = features[1];
    ret->answer.version = (int)(version[0] * 10000 + version[1] * 100 + version[3]);
    return result;
}

static int send_request(struct criu *criu, enum criu_request_type type, const struct buf *options,
                        bool notify_success, struct err *err)
{
    _cleanup_(buf_finish) struct buf request = BUF_INIT(CRIU_OPTIONS_MAX + 64), features = BUF_INIT(16);
    int result;

    pb_put_int(&request, 1, type);
    if (options)
        pb_put_message(&request, 2, options);
    if (notify_success)
        pb_put_int(&request, 3, 1);
    if (type == CRIU_FEATURE_CHECK) {
        pb_put_int(&features, 1, 1);
        pb_put_int(&features, 2, 1);
        pb_put_message(&request, 5, &features);
    }
    result = buf_failed(&request) ? request.error
                                  : fd_send_message(criu->socket, request.data, request.len, NULL, 0);
    return result < 0 ? err_errno(err, result, "send criu its request") : 0;
}

static int receive(struct criu *criu, struct response *ret, struct err *err)
{
    _cleanup_free_ uint8_t *data = xcalloc(1, ANSWER_MAX);
    size_t count = 0;
    int fd = -EBADF;
    ssize_t n = fd_receive_message(criu->socket, data, ANSWER_MAX, &fd, 1, &count);

    *ret = (struct response){.notice.fd = count ? fd : -EBADF};
    if (n <= 0)
        return n < 0 ? err_errno(err, (int)n, "read criu's answer")
                     : err_set(err, ERR_SYSTEM, "criu ended early");
    return parse_response(data, (size_t)n, ret) < 0 ? err_set(err, ERR_SYSTEM, "criu's answer can't be read")
                                                    : 0;
}

int criu_request(struct criu *criu, enum criu_request_type type, const struct buf *options,
                 criu_handler handler, void *arg, struct criu_answer *ret, struct err *err)
{
    if (send_request(criu, type, options, /* notify_success= */ false, err) < 0)
        return -1;
    for (;;) {
        struct response response;
        int result;

        if (receive(criu, &response, err) < 0)
            return -1;
        if (!response.success) {
            close_fd(&response.notice.fd);
            return err_set(err, ERR_SYSTEM, "criu failed: type %d errno %d%s%s", response.type,
                           response.error, *response.message ? ": " : "", response.message);
        }
        if (response.type != CRIU_NOTIFY) {
            close_fd(&response.notice.fd);
            *ret = response.answer;
            return response.type == (int)type ? 0 : err_set(err, ERR_SYSTEM, "criu answers another question");
        }
        result = handler ? handler(arg, &response.notice, err) : 0;
        close_fd(&response.notice.fd);
        if (result < 0 || send_request(criu, CRIU_NOTIFY, NULL, /* notify_success= */ true, err) < 0)
            return -1;
    }
}

int criu_finish(struct criu *criu, bool kill, struct err *err)
{
    int status = 0, result;

    close_fd(&criu->socket);
    if (criu->pidfd < 0)
        return 0;
    if (kill)
        pidfd_signal(criu->pidfd, SIGKILL);
    result = pidfd_reap(criu->pidfd, /* hang= */ true, &status);
    close_fd(&criu->pidfd);
    if (kill)
        return 0;
    if (result < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
        return err_set(err, ERR_SYSTEM, "criu failed: wait status %d", status);
    return 0;
}

static int ask_alone(const char *program, enum criu_request_type type, struct criu_answer *ret,
                     struct err *err)
{
    struct criu_process process = {0};
    struct criu criu = CRIU_INIT;
    int result = criu_start(&criu, program, &process, err);

    if (result == 0)
        result = criu_request(&criu, type, NULL, NULL, NULL, ret, err);
    criu_finish(&criu, /* kill= */ true, NULL);
    return result;
}

int criu_check_version(const char *program, struct err *err)
{
    struct criu_answer answer = {0};

    if (ask_alone(program, CRIU_VERSION, &answer, err) < 0)
        return err_wrap(err, "ask %s for its version", program);
    return answer.version >= CRIU_VERSION_NEEDED
               ? 0
               : err_set(err, ERR_NOT_IMPLEMENTED, "%s is version %d, and %d is needed at least", program,
                         answer.version, CRIU_VERSION_NEEDED);
}

int criu_check_features(const char *program, bool memory_tracking, bool lazy, struct err *err)
{
    struct criu_answer answer = {0};

    if (ask_alone(program, CRIU_FEATURE_CHECK, &answer, err) < 0)
        return err_wrap(err, "ask %s for its features", program);
    if (memory_tracking && !answer.memory_tracking)
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "CRIU is missing features: MemTrack (the kernel doesn't track which "
                       "memory changes)");
    if (lazy && !answer.lazy)
        return err_set(err, ERR_NOT_IMPLEMENTED, "CRIU is missing features: LazyPages (userfaultfd)");
    return 0;
}
