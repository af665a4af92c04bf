/* The poll loop between our terminal and a container's streams. */
#include "cli/session.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/demux.h"
#include "cli/terminal.h"

enum { PIECE = 32 * 1024, KEYS_MAX = 16, RETRIES = 50, RETRY_MS = 100 };

/* The signals that are passed on to the container; SIGWINCH resizes its terminal. */
static const struct {
    int number;
    const char *name;
} forwarded[] = {{SIGHUP, "HUP"},   {SIGINT, "INT"},   {SIGQUIT, "QUIT"},
                 {SIGTERM, "TERM"}, {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"},
                 {SIGALRM, "ALRM"}, {SIGCONT, "CONT"}, {SIGTSTP, "TSTP"}};

/* What runs while a session does. */
struct loop {
    struct session *session;
    struct demux demux;
    int signals;
    bool input_open;
    unsigned char pending[PIECE + KEYS_MAX]; /* input on its way to the container: [start, end) */
    size_t start, end;
    unsigned char keys[KEYS_MAX]; /* the detach sequence */
    size_t key_count, keys_seen;
    bool detached;
};

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGWINCH);
    for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
        sigaddset(set, forwarded[i].number);
}

void session_prepare(void)
{
    sigset_t set;

    signal_set(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void resize(const struct session *s, unsigned more)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    unsigned rows, columns;

    if (!s->tty || !terminal_size(&rows, &columns) || !rows || !columns)
        return;
    url_path(&url, "/", s->kind, "/", s->id, "/resize", NULL);
    buf_printf(&url, "?h=%u&w=%u", rows + more, columns + more);
    client_call(s->cli, "POST", &url, NULL, NULL, NULL);
}

void session_resize(const struct session *s)
{
    resize(s, 0);
}

void session_redraw(const struct session *s)
{
    resize(s, 1);
    resize(s, 0);
}

static void forward_signal(const struct session *s, int number)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
        if (forwarded[i].number == number) {
            url_path(&url, "/containers/", s->id, "/kill", NULL);
            url_add(&url, "signal", forwarded[i].name);
            client_call(s->cli, "POST", &url, NULL, NULL, NULL);
        }
}

/* A signal that isn't the container's does to us what it would have done. */
static void suffer_signal(int number)
{
    sigset_t set;

    terminal_restore();
    sigemptyset(&set);
    sigaddset(&set, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    sigprocmask(SIG_BLOCK, &set, NULL); /* SIGCONT and SIGTSTP come back here */
}

/* A user who presses ^C for the third time wants out, whatever the container does with it. */
static void count_termination(struct session *s, int number)
{
    if ((number != SIGINT && number != SIGTERM) || ++s->terminations < 3)
        return;
    terminal_restore();
    fflush(stdout);
    fputs("\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n", stderr);
    _exit(1);
}

static void handle_signal(struct session *s, int signals)
{
    struct signalfd_siginfo info;

    if (read(signals, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGWINCH)
        session_resize(s);
    else if (s->forward_signals && str_eq(s->kind, "containers")) {
        forward_signal(s, (int)info.ssi_signo);
        count_termination(s, (int)info.ssi_signo);
    } else
        suffer_signal((int)info.ssi_signo);
}

static int open_signals(void)
{
    sigset_t set;

    signal_set(&set);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- detaching ---- */

int detach_keys_parse(const char *text, unsigned char *out, size_t size, struct err *err)
{
    _cleanup_strv_ char **keys = strv_split(str_empty(text) ? "ctrl-p,ctrl-q" : text, ',');
    static const char symbols[] = "@[\\]^_";
    size_t n = 0;

    for (char **k = keys; *k; k++) {
        const char *letter = str_after(*k, "ctrl-");
        int code = -1;

        if (letter && strlen(letter) == 1 && *letter >= 'a' && *letter <= 'z')
            code = *letter - 'a' + 1;
        else if (letter && strlen(letter) == 1 && strchr(symbols, *letter))
            code = *letter == '@' ? 0 : *letter - '[' + 27;
        else if (!letter && strlen(*k) == 1)
            code = **k & 0x80 ? -1 : **k;
        if (code < 0 || n == size)
            return err_set(err, ERR_INVALID, "Invalid escape keys (%s) provided", text);
        out[n++] = (unsigned char)code;
    }
    return (int)n;
}

/* What was seen of the detach sequence. */
static void take_keys(struct loop *l)
{
    memcpy(l->pending + l->end, l->keys, l->keys_seen);
    l->end += l->keys_seen;
}

/* Puts typed bytes into pending, holding back what may be the detach sequence. */
static void filter_input(struct loop *l, const unsigned char *data, size_t len)
{
    for (size_t i = 0; i < len && !l->detached; i++) {
        if (l->key_count && data[i] == l->keys[l->keys_seen]) {
            l->detached = ++l->keys_seen == l->key_count;
            if (l->detached) /* the other side is to know that this is no client that vanished */
                take_keys(l);
            continue;
        }
        if (l->keys_seen) { /* it was none: what was held back goes on its way */
            take_keys(l);
            l->keys_seen = l->key_count && data[i] == l->keys[0];
            if (l->keys_seen)
                continue;
        }
        l->pending[l->end++] = data[i];
    }
}

/* ---- the loop ---- */

static void close_input(struct loop *l)
{
    l->input_open = false;
    shutdown(http_fd(l->session->stream), SHUT_WR);
}

static void read_input(struct loop *l)
{
    unsigned char data[PIECE / 2];
    ssize_t n = read(STDIN_FILENO, data, sizeof(data));

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0)
        close_input(l);
    else
        filter_input(l, data, (size_t)n);
}

static void send_pending(struct loop *l)
{
    ssize_t n = send(http_fd(l->session->stream), l->pending + l->start, l->end - l->start,
                     MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR)
        l->input_open = false; /* the other side reads no more */
    if (n > 0)
        l->start += (size_t)n;
    if (l->start == l->end || !l->input_open)
        l->start = l->end = 0;
}

/* 1 while there is more, 0 at the end, -1. */
static int read_output(struct loop *l, struct err *err)
{
    char data[PIECE];
    ssize_t n = http_raw_read(l->session->stream, data, sizeof(data));

    if (n == -EAGAIN || n == -EINTR)
        return 1;
    if (n == 0 || n == -ECONNRESET)
        return 0;
    if (n < 0)
        return err_errno(err, (int)n, "read from the container");
    return demux_feed(&l->demux, data, (size_t)n, err) < 0 ? -1 : 1;
}

static enum session_end loop_run(struct loop *l, struct err *err)
{
    int stream = http_fd(l->session->stream);

    for (;;) {
        bool sending = l->end > l->start;
        struct pollfd polled[] = {{stream, (short)(POLLIN | (sending ? POLLOUT : 0)), 0},
                                  {l->signals, POLLIN, 0},
                                  {l->input_open && !sending ? STDIN_FILENO : -1, POLLIN, 0}};
        int r = 1;

        if (!http_pending(l->session->stream) && poll(polled, ARRAY_SIZE(polled), -1) < 0 && errno != EINTR) {
            err_errno(err, errno, "poll");
            return SESSION_FAILED;
        }
        if (polled[1].revents)
            handle_signal(l->session, l->signals);
        if (polled[2].revents)
            read_input(l);
        if (l->end > l->start)
            send_pending(l);
        if (l->detached)
            return SESSION_DETACHED;
        if (polled[0].revents & (POLLIN | POLLHUP | POLLERR) || http_pending(l->session->stream))
            r = read_output(l, err);
        if (r <= 0)
            return r < 0 ? SESSION_FAILED : SESSION_CLOSED;
    }
}

enum session_end session_run(struct session *s, struct err *err)
{
    _cleanup_free_ struct loop *l = xcalloc(1, sizeof(*l));
    bool typed = s->input && s->tty && terminal_is(STDIN_FILENO);
    enum session_end end;

    l->session = s;
    l->demux = (struct demux){.raw = s->tty, .output = s->output, .errors = s->errors};
    l->input_open = s->input;
    if (typed) {
        int n = detach_keys_parse(s->detach_keys, l->keys, sizeof(l->keys), err);

        if (n < 0)
            return SESSION_FAILED;
        l->key_count = (size_t)n;
        terminal_raw();
    }
    fflush(stdout);
    fd_set_nonblock(http_fd(s->stream), true);
    session_prepare();
    l->signals = open_signals();
    end = loop_run(l, err);
    close_p(&l->signals);
    terminal_restore();
    return end;
}

/* Waits for the answer, passing signals on meanwhile. */
static int await_exit(struct session *s, struct http *wait, struct buf *ret_body, struct err *err)
{
    _cleanup_close_ int signals = open_signals();

    while (!http_pending(wait)) {
        struct pollfd polled[] = {{http_fd(wait), POLLIN, 0}, {signals, POLLIN, 0}};

        if (poll(polled, ARRAY_SIZE(polled), -1) < 0 && errno != EINTR)
            break;
        if (polled[1].revents)
            handle_signal(s, signals);
        if (polled[0].revents)
            break;
    }
    return http_read_all(wait, ret_body, err);
}

/* The daemon that was asked has gone: the next one knows the exit as well, once it is there. */
static int ask_again(struct session *s, struct buf *ret_body)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {.method = "POST", .url = &url};

    url_path(&url, "/containers/", s->id, "/wait", NULL);
    for (int i = 0; i < RETRIES; i++) {
        struct err why = {0};
        _cleanup_(http_free_p) struct http *wait = client_open(s->cli, &request, &why);

        if (wait && await_exit(s, wait, ret_body, &why) == 0)
            return 0;
        if (why.kind == ERR_NOT_FOUND)
            return -1;
        buf_reset(ret_body);
        poll(NULL, 0, RETRY_MS);
    }
    return -1;
}

int session_wait(struct session *s, struct http *wait, struct err *err)
{
    _cleanup_(buf_finish) struct buf body = BUF_INIT(1024 * 1024);
    _cleanup_json_ json_t *answer = NULL;
    struct err why = {0};
    const char *failure;

    if (await_exit(s, wait, &body, &why) < 0) {
        buf_reset(&body);
        if (ask_again(s, &body) < 0)
            return err_pass(err, &why);
    }
    answer = json_parse(buf_str(&body), body.len, "the daemon's answer", err);
    failure = json_str(json_object_get(answer, "Error"), "Message");
    if (failure && *failure)
        return err_set(err, ERR_SYSTEM, "Error waiting for container: %s", failure);
    return answer ? (int)json_int_or(answer, "StatusCode", 125) : -1;
}

int stream_copy(struct http *http, bool tty, struct err *err)
{
    struct demux demux = {.raw = tty, .output = true, .errors = true};
    char data[PIECE];
    ssize_t n;

    fflush(stdout);
    while ((n = http_read(http, data, sizeof(data), err)) > 0)
        if (demux_feed(&demux, data, (size_t)n, err) < 0)
            return -1;
    return (int)n;
}
