/* What server.c and reply.c share about one request in flight. */
#ifndef KEG_API_INTERNAL_H
#define KEG_API_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>

#include "api/deadline.h"
#include "api/front.h"
#include "api/request.h"
#include "api/route.h"

enum {
    SERVER_BODY_MAX = 16 * 1024 * 1024, /* of a JSON body */
    SERVER_POOL_SIZE = 64 * 1024,       /* of a connection: its head must fit */
    SERVER_STACK_SIZE = 512 * 1024,     /* of a thread: untouched pages cost nothing */
    SERVER_IDLE_TIMEOUT_S = 300,        /* of a connection that says nothing, or brings no whole request */
    SERVER_UPLOAD_PIPE_SIZE = 1024 * 1024,
};

struct server {
    struct engine *engine;
    unsigned connection_limit;
    int64_t request_timeout_ms;
    struct deadlines *deadlines; /* of all connections of all sockets */
    struct MHD_Daemon **daemons; /* one a listening socket */
    size_t n_daemons;
    struct front **fronts; /* one a socket with TLS */
    size_t n_fronts;
};

struct exchange {
    struct request request; /* first: one is found from the other */
    struct err refused;     /* kind set: why the request won't reach its handler */
    struct buf collected;   /* a JSON body so far */
    int upload;             /* the pipe's write end, -EBADF: none */
    pthread_t worker;
    bool working;              /* worker is to be joined */
    int64_t started;           /* monotonic ns */
    struct deadline *deadline; /* the connection's */
};

/* Sends a document or an upgrade by way of libmicrohttpd. */
enum MHD_Result reply_queue(struct exchange *x);
/* Ends a stream that was written straight to the socket. */
void reply_finish(struct request *r);
/* The whole answer straight to the socket, for a request whose connection has left libmicrohttpd. */
void reply_send(struct request *r);
/* A connection that is taken without an upgrade: header, hand-over, placeholder. */
void reply_take(struct request *r);

#endif
