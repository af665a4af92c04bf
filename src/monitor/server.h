/* The monitor's protocol end: the control socket it was born with, and the connections to MONITOR_SOCKET.
 *
 * Replies and events are queued a connection and never waited for; a peer that lets more than its share pile
 * up is dropped (it can come back and ask for the state). */
#ifndef KEG_MONITOR_SERVER_H
#define KEG_MONITOR_SERVER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/fd.h"
#include "monitor/loop.h"

struct server;
struct connection;

struct request {
    struct connection *from;
    json_t *body;         /* an object with a string "op" */
    int fds[FD_PASS_MAX]; /* the handler takes what it keeps with take_fd(); the rest is closed */
    size_t nfds;
};

/* Handles one request; it must lead to one connection_reply…() call, now or later. */
typedef void server_handler(void *arg, struct request *request);
/* A connection has gone; called from server_sweep(). Replies to it must not be sent any more. */
typedef void server_gone(void *arg, struct connection *c);

struct server *server_new(struct loop *loop, server_handler *handler, server_gone *gone, void *arg);
struct server *server_free(struct server *s);
DEFINE_CLEANUP_PTR(struct server, server_free)

/* Listens on `path`, for peers of the own uid. */
int server_listen(struct server *s, const char *path, struct err *err);
/* Stops listening; connections stay. */
void server_stop_listening(struct server *s);
/* Takes over a connected socket, which hears every event. */
struct connection *server_adopt(struct server *s, int fd);
/* Sends to every watcher. Takes the object. True when at least one was there. */
bool server_event(struct server *s, json_t *event_take);
/* Whether anybody would hear it. */
bool server_is_watched(const struct server *s);
/* Frees the connections that have gone: to be called between two turns of the loop. */
void server_sweep(struct server *s);
/* True when nothing is queued. */
bool server_flushed(const struct server *s);

/* {"ok": result}; takes the object, NULL stands for {}. */
void connection_reply(struct connection *c, json_t *result_take);
void connection_reply_error(struct connection *c, const struct err *err);
/* Sends an event with descriptors to this connection only, at once. 0 or -errno. */
int connection_event(struct connection *c, json_t *event_take, const int *fds, size_t nfds);
/* This connection hears events from now on. */
void connection_watch(struct connection *c);

#endif
