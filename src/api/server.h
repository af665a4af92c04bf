/* The HTTP server: libmicrohttpd with a thread per connection, so that handlers are plain blocking code.
 *
 * How a request goes: when its head is there, the route is found. A JSON body is collected (bounded), then
 * the handler runs in the connection's thread. Where the body is a stream (ROUTE_UPLOAD), the handler runs in
 * a thread of its own while the connection's thread feeds its pipe. A document is answered through
 * libmicrohttpd, and the connection goes on; a stream is written straight to the socket, which libmicrohttpd
 * leaves alone meanwhile, and the connection ends with it. A hijacked connection is upgraded (the client
 * asked: 101) or simply taken (200); the socket then belongs to whoever duplicated it. */
#ifndef KEG_API_SERVER_H
#define KEG_API_SERVER_H

#include "api/front.h"
#include "engine/engine.h"

struct server;

struct server_options {
    struct engine *engine;
    unsigned connection_limit; /* of a socket; 0: 4,096 */
    int64_t
        request_timeout_ms; /* until a whole request is there, see deadline.h; 0: five minutes, as dockerd's */
};

struct server *server_new(const struct server_options *options);
/* Serves what connects to a listening socket (unix or TCP), which is the server's from here on. May be called
 * again for further ones. */
int server_listen(struct server *s, int fd, struct err *err);
/* The same with TLS: ERR_INVALID says what is wrong with its files. */
int server_listen_tls(struct server *s, int fd, const struct front_tls *tls, struct err *err);
/* Has the files of TLS read again for those who connect from now on; on error the earlier ones stay. */
int server_reload_tls(struct server *s, const struct front_tls *tls, struct err *err);
/* Accepts nothing new, ends what is under way (the engine must have been interrupted), frees everything. */
struct server *server_free(struct server *s);
DEFINE_CLEANUP_PTR(struct server, server_free)

#endif
