/* Ways to a daemon. */
#include "cli/dial.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

enum { PORT_PLAIN = 2375, PORT_TLS = 2376, HELPERS_MAX = 64, WORDS_MAX = 4096 };

extern char **environ;

/* ---- programs that connect ---- */

static pid_t helpers[HELPERS_MAX]; /* not waited for yet; the newest last */
static size_t helper_count;

static void reap_helpers(void)
{
    size_t left = 0;

    for (size_t i = 0; i < helper_count; i++)
        if (waitpid(helpers[i], NULL, WNOHANG) == 0)
            helpers[left++] = helpers[i];
    helper_count = left;
}

/* In a session of its own: what the terminal sends is for the container. */
static int spawn(char *const *argv, int in, int out, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    r = posix_spawnp(ret, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return r;
}

/* Starts a program with one end of a new socket as standard input (and, without `status`, output). The other end. */
static int start_helper(char *const *argv, int status, struct err *err)
{
    _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
    int pair[2], r;
    pid_t pid;

    reap_helpers();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, errno, "start %s", argv[0]);
    ours = pair[0];
    theirs = pair[1];
    r = spawn(argv, theirs, status >= 0 ? status : theirs, &pid);
    if (r)
        return err_errno(err, r, "start %s", argv[0]);
    if (helper_count == HELPERS_MAX)
        memmove(helpers, helpers + 1, --helper_count * sizeof(*helpers));
    helpers[helper_count++] = pid;
    return take_fd(&ours);
}

/* ---- TCP ---- */

static int lost(int errnum, struct err *err, const char *host)
{
    err_errno(err, errnum, "connect to %s", host);
    if (err)
        err->kind = ERR_UNAVAILABLE;
    return -1;
}

/* "host:port", "[v6]:port", "host" and a path that is passed over. The caller frees both. */
static int split_address(const char *text, int otherwise, char **ret_name, char **ret_port, struct err *err)
{
    bool bracket = text[0] == '[';
    size_t len = bracket ? strcspn(text, "]") : strcspn(text, ":/");
    const char *rest = text + len + (bracket && text[len]);
    uint32_t port = (uint32_t)otherwise;
    char digits[8];

    snprintf(digits, sizeof(digits), "%.*s", *rest == ':' ? (int)strcspn(rest + 1, "/") : 0,
             rest + (*rest == ':'));
    if (*digits && (str_to_u32(digits, &port) < 0 || port == 0 || port > 65535))
        return err_set(err, ERR_INVALID, "tcp://%s: invalid port \"%s\"", text, digits);
    *ret_name = len > bracket ? xstrndup(text + bracket, len - bracket) : xstrdup("127.0.0.1");
    *ret_port = xasprintf("%u", port);
    return 0;
}

/* Without a resolver: a numeric address. -EADDRNOTAVAIL for a name. */
static int connect_number(const char *name, const char *port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_in in = {.sin_family = AF_INET};
    bool is_4 = inet_pton(AF_INET, name, &in.sin_addr) == 1;
    _cleanup_close_ int fd = -EBADF;
    uint32_t number = 0;
    int one = 1;

    if (!is_4 && inet_pton(AF_INET6, name, &in6.sin6_addr) != 1)
        return -EADDRNOTAVAIL;
    str_to_u32(port, &number);
    in.sin_port = in6.sin6_port = htons((uint16_t)number);
    fd = socket(is_4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, is_4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6,
                          is_4 ? sizeof(in) : sizeof(in6)) < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return take_fd(&fd);
}

static void add_file(char ***argv, const char *option, const char *path)
{
    if (path)
        strv_push_take(argv, xasprintf("--%s=%s", option, path));
}

/* keg-tls says nothing and lets go of the pipe, or says why it failed. */
static int connect_helper(const struct endpoint *e, const char *name, const char *port, struct err *err)
{
    _cleanup_(buf_finish) struct buf words = BUF_INIT(WORDS_MAX);
    _cleanup_free_ char *program = path_beside("keg-tls");
    _cleanup_close_ int said = -EBADF, say = -EBADF, fd = -EBADF;
    _cleanup_strv_ char **argv = NULL;
    int ends[2];

    if (!program)
        return err_set(err, ERR_SYSTEM, "keg-tls not found: it belongs beside keg or in ../libexec/keg");
    strv_push(&argv, program);
    strv_push(&argv, "dial");
    add_file(&argv, "ca", e->ca);
    add_file(&argv, "cert", e->cert);
    add_file(&argv, "key", e->key);
    if (!e->tls || e->verify)
        strv_push(&argv, e->tls ? "--verify" : "--plain");
    strv_push(&argv, name);
    strv_push(&argv, port);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    said = ends[0];
    say = ends[1];
    fd = start_helper(argv, say, err);
    close_fd(&say);
    if (fd < 0)
        return -1;
    if (fd_read_all(said, &words) < 0 || words.len)
        return err_set(err, ERR_UNAVAILABLE, "error during connect: %s: %s", e->host, buf_str(&words));
    return take_fd(&fd);
}

static int dial_tcp(const struct endpoint *e, const char *address, struct err *err)
{
    _cleanup_free_ char *name = NULL, *port = NULL;
    int fd = -EADDRNOTAVAIL;

    if (split_address(address, e->tls ? PORT_TLS : PORT_PLAIN, &name, &port, err) < 0)
        return -1;
    if (!e->tls)
        fd = connect_number(str_eq(name, "localhost") ? "127.0.0.1" : name, port);
    if (fd == -EADDRNOTAVAIL)
        return connect_helper(e, name, port, err);
    return fd < 0 ? lost(fd, err, e->host) : fd;
}

/* ---- SSH ---- */

/* "user@host:port/path": what ssh is told. The caller frees. */
static char **ssh_arguments(const char *address, struct err *err)
{
    _cleanup_free_ char *copy = xstrndup(address, strcspn(address, "/"));
    const char *path = address + strlen(copy);
    char *at = strrchr(copy, '@'), *host = at ? at + 1 : copy, *port = strrchr(host, ':');
    _cleanup_free_ char *option = strlen(path) > 1 ? xasprintf("--host unix://%s ", path) : xstrdup("");
    char **argv = NULL;

    if (port && strchr(port, ']'))
        port = NULL;
    if (at)
        *at = '\0';
    if (port)
        *port++ = '\0';
    if (!*host || *host == '-' || (at && strchr(copy, ':')) || strpbrk(path, "'\"$`\\ \n?#")) {
        err_set(err, ERR_INVALID,
                "unable to parse docker host `ssh://%s`: say ssh://[USER@]HOST[:PORT][/SOCKET]", address);
        return NULL;
    }
    strv_push(&argv, "ssh");
    strv_push(&argv, "-o");
    strv_push(&argv, "ConnectTimeout=30");
    strv_push(&argv, "-T");
    strv_push(&argv, at ? "-l" : "--");
    if (at)
        strv_push(&argv, copy);
    if (port) {
        strv_push(&argv, "-p");
        strv_push(&argv, port);
    }
    if (at || port)
        strv_push(&argv, "--");
    strv_push(&argv, host);
    strv_push_take(&argv,
                   xasprintf("sh -c 'command -v keg >/dev/null 2>&1 && exec keg %ssystem dial-stdio || "
                             "exec docker %ssystem dial-stdio'",
                             option, option));
    return argv;
}

static int dial_ssh(const char *address, struct err *err)
{
    _cleanup_strv_ char **argv = ssh_arguments(address, err);

    return argv ? start_helper(argv, -EBADF, err) : -1;
}

bool dial_explain(struct err *err)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    int status;

    for (int i = 0; helper_count && i < 50; i++) { /* it may still be saying why */
        pid_t pid = waitpid(helpers[helper_count - 1], &status, WNOHANG);

        if (pid > 0) {
            helper_count--;
            err_set(err, ERR_UNAVAILABLE,
                    "error during connect: ssh has exited with exit status %d, make sure the URL is valid, "
                    "and keg "
                    "or docker is installed on the remote host",
                    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

/* ---- */

int dial(const struct endpoint *e, struct err *err)
{
    const char *rest;
    int fd;

    if ((rest = str_after(e->host, "unix://"))) {
        fd = unix_connect(rest, SOCK_STREAM);
        return fd < 0 ? lost(fd, err, e->host) : fd;
    }
    if ((rest = str_after(e->host, "tcp://")) || (rest = str_after(e->host, "http://")))
        return dial_tcp(e, rest, err);
    if ((rest = str_after(e->host, "ssh://")))
        return dial_ssh(rest, err);
    return err_set(err, ERR_INVALID,
                   "unable to parse docker host `%s`: say unix://PATH, tcp://HOST:PORT or ssh://HOST",
                   e->host);
}
