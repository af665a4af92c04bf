/* One attached client of a session: its output queue, its input, its detach keys. Internal to sessions. */
#ifndef KEG_MONITOR_CLIENT_H
#define KEG_MONITOR_CLIENT_H

#include "monitor/session.h"

struct client {
    struct client *next;
    struct session *session;
    struct loop_source source;
    unsigned streams;
    enum session_framing framing;
    struct websocket_reader *websocket; /* NULL: it is none */
    bool hung;      /* the peer is gone: output is pointless, input may still be there */
    bool deserts;   /* … or has ended the input of a terminal: left without detaching */
    bool input_end; /* no more input will come */
    bool closing;   /* to be closed when the queue is empty */
    struct buf queue;
    size_t queue_at; /* what is sent of it */
    struct buf early;
    struct detach detach;
};

/* Takes over *fd. NULL and *err on failure. */
struct client *client_new(struct session *s, int *fd, const struct session_client_options *options,
                          struct err *err);
/* Ends the stream properly and closes it. */
struct client *client_free(struct client *c);
/* Sends or queues a piece of output. */
void client_send(struct client *c, enum session_stream stream, const char *data, size_t len);
/* Takes input as long as the program wants it and there is some. */
void client_pull(struct client *c);
/* True when it can be freed. */
bool client_finished(const struct client *c);
bool client_backlogged(const struct client *c);
/* Nothing more is sent to it: it goes when it has what is queued. */
void client_close(struct client *c);
/* Waits for what it can use now. */
void client_update(struct client *c);

#endif
