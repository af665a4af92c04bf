/* A conversation with a container's standard streams over an upgraded connection: the terminal, detaching, resizing
 * and forwarding of signals. One thread, one poll() loop. */
#ifndef KEG_CLI_SESSION_H
#define KEG_CLI_SESSION_H

#include "cli/cli.h"
#include "cli/http.h"

struct session {
    struct cli *cli;
    struct http *stream; /* upgraded */
    bool tty;            /* the stream is a terminal's: raw; else it is multiplexed */
    bool input;          /* stdin is sent */
    bool output, errors; /* which of ours get what arrives */
    bool forward_signals;
    unsigned terminations;   /* SIGINT and SIGTERM that came so far */
    const char *kind;        /* "containers" or "exec": whose terminal is resized */
    const char *id;          /* of it */
    const char *detach_keys; /* "" for ctrl-p,ctrl-q */
};

enum session_end {
    SESSION_FAILED = -1,
    SESSION_CLOSED,   /* the other side ended it */
    SESSION_DETACHED, /* the detach keys were typed */
};

/* Blocks the signals that a session handles: before the container starts, so that none is lost. */
void session_prepare(void);
/* Tells the daemon our terminal's size. Failures don't matter. */
void session_resize(const struct session *s);
/* Says another size and then ours, so that what runs there draws its screen or prompt anew: for an attach to what runs already. */
void session_redraw(const struct session *s);
enum session_end session_run(struct session *s, struct err *err);
/* Reads the answer of a wait call, forwarding signals meanwhile. When the daemon goes before it has answered, asks the next
 * one. The exit code, or -1. */
int session_wait(struct session *s, struct http *wait, struct err *err);

/* "ctrl-p,ctrl-q" → bytes; "" gives the default. The number of bytes, or -1. */
int detach_keys_parse(const char *text, unsigned char *out, size_t size, struct err *err);

/* Copies a multiplexed (or with `tty` raw) stream to stdout and stderr until its end. */
int stream_copy(struct http *http, bool tty, struct err *err);

#endif
