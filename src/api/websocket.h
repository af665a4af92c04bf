/* The handshake of WebSocket (RFC 6455), the server's side. Frames: base/websocket.h. */
#ifndef KEG_API_WEBSOCKET_H
#define KEG_API_WEBSOCKET_H

enum { WEBSOCKET_ACCEPT_SIZE = 29 };

/* Sec-WebSocket-Accept for the client's Sec-WebSocket-Key. 0, or -EINVAL: that is no key. */
int websocket_accept(const char *key, char ret[WEBSOCKET_ACCEPT_SIZE]);

#endif
