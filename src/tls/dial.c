/* keg-tls dial: one connection, for one keg. */
#include "tls/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "tls/confine.h"
#include "tls/relay.h"

enum { CONNECT_S = 30 };

static int connect_one(const struct addrinfo *a)
{
    _cleanup_close_ int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = {.tv_sec = CONNECT_S};
    int one = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
        connect(fd, a->ai_addr, a->ai_addrlen) < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    return take_fd(&fd);
}

static int connect_any(const char *host, const char *port, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int r = getaddrinfo(host, port, &hints, &found), fd = -EADDRNOTAVAIL;

    if (r != 0)
        return err_set(err, ERR_UNAVAILABLE, "lookup %s: %s", host, gai_strerror(r));
    for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
        fd = connect_one(a);
    freeaddrinfo(found);
    return fd < 0 ? err_errno(err, fd, "connect to %s:%s", host, port) : fd;
}

/* The peer has to be the one that was asked for, by name or address. */
static void expect_name(SSL *ssl, const char *host, bool verify)
{
    struct in6_addr any;
    bool address = inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;

    if (!address)
        SSL_set_tlsext_host_name(ssl, host);
    if (!verify)
        return;
    if (address)
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    else
        SSL_set1_host(ssl, host);
}

static int shake_hands(SSL *ssl, const char *host, struct err *err)
{
    const struct timeval limit = {.tv_sec = CONNECT_S};
    char reason[200];
    long verdict;

    setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (SSL_connect(ssl) == 1)
        return 0;
    verdict = SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE)
        return err_set(err, ERR_UNAVAILABLE, "tls: failed to verify certificate of %s: %s", host,
                       X509_verify_cert_error_string(verdict));
    tls_reason(reason, sizeof(reason));
    return err_set(err, ERR_UNAVAILABLE, "tls: %s",
                   *reason ? reason : "the other end broke the handshake off: does it speak TLS?");
}

/* The connected SSL, or NULL for a plain connection or (with err set, *net < 0) a failure. */
static SSL *open_connection(const struct tls_options *o, const char *host, const char *port, int *net,
                            struct err *err)
{
    SSL_CTX *context = o->plain ? NULL : tls_context_new(o, /* server= */ false, err);
    SSL *ssl = NULL;

    *net = -EBADF;
    if (!o->plain && !context)
        return NULL;
    *net = connect_any(host, port, err);
    if (*net < 0 || o->plain)
        return NULL;
    ssl = SSL_new(context);
    SSL_CTX_free(context); /* the connection keeps it */
    expect_name(ssl, host, o->verify);
    SSL_set_fd(ssl, *net);
    if (shake_hands(ssl, host, err) == 0)
        return ssl;
    SSL_free(ssl);
    close_fd(net);
    return NULL;
}

int dial_run(const struct tls_options *o, const char *host, const char *port)
{
    struct relay_loop loop;
    struct err err = {0};
    int net, r;
    SSL *ssl = open_connection(o, host, port, &net, &err);

    if (net >= 0 && o->confine && tls_confine(&err) < 0)
        close_fd(&net);
    if (net < 0) {
        (void)fd_write_full(STDOUT_FILENO, err.message, strlen(err.message));
        return 1;
    }
    close(STDOUT_FILENO); /* the caller goes on */
    r = relay_loop_init(&loop, -EBADF);
    if (r < 0)
        return 1;
    relay_add(&loop, ssl, net, STDIN_FILENO, NULL, NULL);
    while (loop.count && r >= 0)
        r = relay_turn(&loop, -EBADF);
    return r < 0;
}
