/* keg-tls: between a TLS connection and a plain one, so that no other program links a TLS library.
 *
 *     keg-tls dial [OPTIONS] HOST PORT     for keg: connects; standard input is the plain end, a unix socket.
 *                                          Standard output gets nothing and is closed when the connection stands, or else gets
 *                                          why not. --plain: without TLS, for names that need a resolver.
 *                                          --confine: gives up root then; so monitors send logs away.
 *     keg-tls serve --ca --cert --key      for kegd: standard input is a listening socket, standard output a SEQPACKET one.
 *                                          The first message there is "ready" when it serves, or what was wrong; each further
 *                                          one has the plain end of a client that has shown what was asked of it.
 *     keg-tls check --ca --cert --key      whether serve could use these files: "ready", or what is wrong
 *
 * The server reads its key, then gives up root, the network and the right to have any of it back: what clients send meets
 * nobody's process. One thread, one epoll. */
#ifndef KEG_TLS_TLS_H
#define KEG_TLS_TLS_H

int tls_main(int argc, char **argv);

#endif
