/* A session: one program's stdio (the container's own, or an exec's) and the clients attached to it.
 *
 * Output goes to the log, when there is one, and to every client that asked for the stream. A client that
 * doesn't keep up holds the program back, as a terminal would, and so does a log that can't get rid of its records: nothing is read from the program while a
 * client has a backlog, so no attached client loses a byte and no queue grows past one reading. A client that
 * has gone is dropped at once. After the program's end its last output is taken whole (at most what a pipe or
 * pty holds) and queued, whatever the backlog.
 *
 * Input comes from any client that asked for stdin, and is taken only while the program has taken what came
 * before. As with Docker, the end of a client's input closes the program's stdin with stdin_once and no
 * terminal, and takes the client off otherwise; detach keys are looked for with a terminal only.
 *
 * Life: session_new, attach …, session_make_stdio, session_begin, …, session_drain, session_close, ended().
 */
#ifndef KEG_MONITOR_SESSION_H
#define KEG_MONITOR_SESSION_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "monitor/detach.h"
#include "monitor/logger.h"
#include "monitor/loop.h"

struct client;
struct session;

/* What stands before each piece of output: nothing, Docker's 8 bytes, or what makes it a frame of a websocket, whose client
 * writes in frames, too. */
enum session_framing { SESSION_RAW, SESSION_HEADERS, SESSION_WEBSOCKET_TEXT, SESSION_WEBSOCKET_BINARY };
enum session_stream { SESSION_STDIN = 1 << 0, SESSION_STDOUT = 1 << 1, SESSION_STDERR = 1 << 2 };

struct session_events {
    void (*attached)(struct session *s);
    void (*detached)(struct session *s); /* by its detach keys */
    void (*deserted)(struct session *s); /* its last client hung up, not by detach keys. NULL: nothing depends on it */
    void (*ended)(struct session *s);    /* closed, and the last client has gone. May free the session */
    void (*output)(struct session *s, const char *data, size_t len); /* NULL: log and clients suffice */
};

struct session_output {
    struct loop_source source; /* pipe or pty master */
    struct session *session;
    enum log_stream stream;
    bool enlarged; /* the pipe has been given its full size */
};

struct session_input {
    struct loop_source source; /* pipe or duplicate of the pty master */
    struct session *session;
    struct buf queue; /* what the program hasn't taken yet */
    bool finishing;   /* to be closed when the queue is empty */
};

struct session {
    struct session *next; /* the owner's list */
    struct loop *loop;
    const struct session_events *events;
    void *owner;
    char *id; /* of the exec; NULL for the container's own program */
    bool tty, open_stdin, stdin_once;
    bool begun, closed, deserted;
    bool running;
    pid_t pid;
    int exit_code;
    int peer; /* an end of the pty held open, so that the program may close all of its own */
    struct session_input input;
    struct session_output outputs[2];
    struct logger *log; /* borrowed, or NULL */
    struct client *clients;
};

struct session_client_options {
    unsigned streams; /* of enum session_stream */
    enum session_framing framing;
    const char *detach_keys;
    const char *early; /* input already read from the client */
    size_t early_len;
};

/* id is copied, NULL allowed. */
struct session *session_new(struct loop *loop, const char *id, const struct session_events *events,
                            void *owner);
/* Closes everything and drops the clients. */
struct session *session_free(struct session *s);
DEFINE_CLEANUP_PTR(struct session, session_free)

/* Takes a client's stream socket over, also before the program runs. On failure the descriptor stays the
 * caller's. */
int session_attach(struct session *s, int *fd, const struct session_client_options *options, struct err *err);

/* Without a terminal: makes the pipes. child[3] become the program's 0, 1, 2: the caller closes them after
 * the start. With `outputs` false, and for stdin without open_stdin, they are /dev/null. */
int session_make_stdio(struct session *s, bool outputs, int child[3], struct err *err);
/* With a terminal: takes the pty master over. */
int session_take_console(struct session *s, int *master, struct err *err);
/* Starts the traffic. */
void session_begin(struct session *s);
/* With a terminal only (ERR_INVALID otherwise). */
int session_resize(struct session *s, unsigned height, unsigned width, struct err *err);

/* Closes the program's side, whatever is in it: no program has run. */
void session_discard(struct session *s);
/* After the program's end: takes the output that is there, then closes the program's side. */
void session_drain(struct session *s);
/* After that: clients are let go as soon as they have everything; then ended() is called, maybe at once. */
void session_close(struct session *s);

/* For client.c. Passes input on; only when session_wants_input(). */
void session_input(struct session *s, const char *data, size_t len);
bool session_wants_input(const struct session *s);
/* A client's input has ended. */
void session_input_ended(struct session *s, struct client *c);
/* Brings everything in line with what just changed: drops clients that are done, holds the program back or
 * lets it go on. The last thing that a handler does: the session may be gone after it. */
void session_settle(struct session *s);

#endif
