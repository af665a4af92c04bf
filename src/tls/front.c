/* keg-tls serve: accepts, shakes hands, gives the plain ends to kegd.
 *
 * In order: the key is read, as root; the network, all rights and all files are given up; the first client is accepted. */
#include "tls/front.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "tls/confine.h"
#include "tls/relay.h"

enum { LISTENING = STDIN_FILENO, CONTROL = STDOUT_FILENO };

static volatile sig_atomic_t retiring; /* others accept now; the process ends with its last connection */

/* The plain end of a client who has passed; the other one is kegd's. */
static int make_plain(void *arg _unused_)
{
    _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    ours = pair[0];
    theirs = pair[1];
    if (fd_send_message(CONTROL, "c", 1, &theirs, 1) < 0)
        return -EPIPE;
    return take_fd(&ours);
}

static void accept_all(struct relay_loop *loop, SSL_CTX *context)
{
    int one = 1, fd;

    while ((fd = accept4(LISTENING, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        SSL *ssl = loop->count < FRONT_CONNECTIONS ? SSL_new(context) : NULL;

        if (!ssl) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        SSL_set_fd(ssl, fd);
        relay_add(loop, ssl, fd, -EBADF, make_plain, NULL);
    }
}

static SSL_CTX *prepare(const struct tls_options *o, struct relay_loop *loop, struct err *err)
{
    SSL_CTX *context = tls_context_new(o, /* server= */ true, err);
    struct rlimit files;
    int r;

    if (!context)
        return NULL;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    fd_set_nonblock(LISTENING, true);
    r = relay_loop_init(loop, LISTENING);
    if (r == 0 && tls_confine(err) == 0)
        return context;
    if (r < 0)
        err_errno(err, r, "watch the socket");
    SSL_CTX_free(context);
    return NULL;
}

static int tell(bool ready, const struct err *err)
{
    const char *words = ready ? "ready" : err->message;

    return fd_send_message(CONTROL, words, strlen(words), NULL, 0);
}

static void retire(int number _unused_)
{
    retiring = 1;
}

/* SIGHUP comes while the loop waits, and only then. */
static void hear_retirement(struct relay_loop *loop)
{
    static sigset_t none;
    sigset_t hup;

    sigemptyset(&none);
    sigemptyset(&hup);
    sigaddset(&hup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hup, NULL);
    signal(SIGHUP, retire);
    loop->signals = &none;
}

int front_check_run(const struct tls_options *o)
{
    struct err err = {0};
    SSL_CTX *context = tls_context_new(o, /* server= */ true, &err);

    return tell(context, &err) < 0 || !context;
}

int front_run(const struct tls_options *o)
{
    struct relay_loop loop;
    struct err err = {0};
    SSL_CTX *context = prepare(o, &loop, &err);
    int r = 0;

    hear_retirement(&loop);
    prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0); /* without kegd it serves nobody */
    if (tell(context, &err) < 0 || !context)
        return 1;
    while (r >= 0 && !retiring) {
        r = relay_turn(&loop, LISTENING);
        if (r > 0)
            accept_all(&loop, context);
    }
    epoll_ctl(loop.epoll, EPOLL_CTL_DEL, LISTENING, NULL);
    while (r >= 0 && loop.count)
        r = relay_turn(&loop, -EBADF);
    if (r >= 0)
        return 0;
    fprintf(stderr, "keg-tls: %s\n", strerror(-r));
    return 1;
}
