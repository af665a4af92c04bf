/* The sockets that the API is served on. */
#include "api/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

enum { LISTEN_FDS_START = 3 };

const char *listen_unix_path(const char *host)
{
    const char *path = str_after(host, "unix://");

    if (!path && host[0] == '/')
        path = host;
    return path;
}

/* ---- unix ---- */

/* /etc/group itself: the name service switch would bring libraries along that cost more memory than all of the API.
 * It is asked for a group that was named and isn't there. */
static bool listen_group_in_file(const char *name, gid_t *ret)
{
    FILE *file = fopen("/etc/group", "re");
    const struct group *group;
    bool found = false;

    while (file && !found && (group = fgetgrent(file)))
        if ((found = str_eq(group->gr_name, name)))
            *ret = group->gr_gid;
    if (file)
        fclose(file);
    return found;
}

int listen_group(const char *wanted, gid_t *ret, struct err *err)
{
    const char *name = wanted ? wanted : "keg";
    const struct group *group;
    uint32_t number;

    *ret = 0;
    if (!*name)
        return 0;
    if (str_to_u32(name, &number) == 0)
        *ret = number;
    else if (!listen_group_in_file(name, ret) && wanted) {
        group = getgrnam(wanted);
        if (!group)
            return err_set(err, ERR_INVALID,
                           "group %s not found: create it with groupadd, or leave --group out", wanted);
        *ret = group->gr_gid;
    }
    return 0;
}

/* Of a path where a socket is to be. */
static int listen_check_path(const char *path, struct err *err)
{
    struct sockaddr_un address;

    if (path[0] != '/')
        return err_set(err, ERR_INVALID,
                       "invalid socket path \"%s\": it must be absolute, as unix:///run/keg/keg.sock", path);
    if (strlen(path) >= sizeof(address.sun_path))
        return err_set(err, ERR_INVALID, "invalid socket path \"%s\": longer than %zu bytes", path,
                       sizeof(address.sun_path) - 1);
    return 0;
}

static int listen_unix(const char *path, const struct listen_options *options, struct err *err)
{
    _cleanup_close_ int fd = -EBADF, other = -EBADF;
    gid_t gid;

    if (listen_check_path(path, err) < 0 || listen_group(options->group, &gid, err) < 0)
        return -1;
    other = unix_connect(path, SOCK_STREAM);
    if (other >= 0)
        return err_set(err, ERR_CONFLICT, "%s is in use: another daemon answers there", path);
    fd = unix_listen(path, SOCK_STREAM, gid ? 0660 : 0600);
    if (fd < 0)
        return err_errno(err, fd, "cannot listen on %s", path);
    if (gid && lchown(path, 0, gid) < 0)
        return err_errno(err, errno, "cannot give %s to its group", path);
    if (listen(fd, SOMAXCONN) < 0)
        return err_errno(err, errno, "cannot listen on %s", path);
    return take_fd(&fd);
}

/* ---- TCP ---- */

/* "ADDRESS[:PORT]", numbers or "localhost". The caller frees with freeaddrinfo(). */
static struct addrinfo *listen_tcp_parse(const char *address, bool tls, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    _cleanup_free_ char *host = xstrdup(address);
    const char *bracket = strchr(host, ']'), *port = tls ? "2376" : "2375";
    char *colon = strrchr(bracket ? bracket : host, ':'), *name = host;
    struct addrinfo *found = NULL;
    uint32_t number;

    if (strchr(address, '/')) {
        err_set(err, ERR_INVALID, "invalid bind address (tcp://%s): should not contain a path element",
                address);
        return NULL;
    }
    if (colon) {
        *colon = '\0';
        port = colon + 1;
    }
    if (name[0] == '[' && str_ends(name, "]")) {
        name[strlen(name) - 1] = '\0';
        name++;
    }
    if (str_to_u32(port, &number) < 0 || number > 65535)
        err_set(err, ERR_INVALID, "invalid bind address (tcp://%s): \"%s\" is no port: 1 to 65535", address,
                port);
    else if (getaddrinfo(str_eq(name, "localhost") ? "127.0.0.1"
                         : *name                   ? name
                                                   : NULL,
                         port, &hints, &found) != 0)
        err_set(err, ERR_INVALID,
                "invalid bind address (tcp://%s): \"%s\" is no address: say tcp://ADDRESS:PORT, in numbers",
                address, name);
    return found;
}

static int listen_tcp(const char *address, bool tls, struct err *err)
{
    struct addrinfo *found = listen_tcp_parse(address, tls, err);
    _cleanup_close_ int fd = -EBADF;
    int r, one = 1;

    if (!found)
        return -1;
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    r = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
                setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) < 0 ||
                bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0
            ? errno
            : 0;
    freeaddrinfo(found);
    if (r != 0)
        return err_errno(err, r, "cannot listen on tcp://%s", address);
    return take_fd(&fd);
}

/* ---- inherited ---- */

static bool listen_wanted(const char *which, size_t i, char *const *names)
{
    uint32_t number;

    if (*which == '\0' || str_eq(which, "*"))
        return true;
    if (str_to_u32(which, &number) == 0)
        return number == LISTEN_FDS_START + i;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): NULL has length 0 */
    return i < strv_len(names) && str_eq(names[i], which);
}

static int listen_inherited(const char *which, int *fds, size_t max, struct err *err)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"), *name = getenv("LISTEN_FDNAMES");
    _cleanup_strv_ char **names = name ? strv_split(name, ':') : NULL;
    uint32_t owner, n = 0;
    size_t found = 0;

    if (!pid || str_to_u32(pid, &owner) < 0 || owner != (uint32_t)getpid() || !count ||
        str_to_u32(count, &n) < 0 || n > LISTEN_MAX)
        n = 0;
    for (size_t i = 0; i < n && found < max; i++) {
        int fd = LISTEN_FDS_START + (int)i;

        if (!listen_wanted(which, i, names) || fd_set_cloexec(fd, true) < 0)
            continue;
        fds[found++] = fd;
    }
    if (found == 0)
        return err_set(err, ERR_INVALID,
                       "no sockets found via socket activation: make sure the service was started by "
                       "its socket unit");
    return (int)found;
}

/* ---- */

static int listen_refuse(const char *host, struct err *err)
{
    const char *end = strstr(host, "://");

    if (end)
        return err_set(err, ERR_INVALID,
                       "invalid bind address (%s): unsupported proto '%.*s': say unix://PATH, "
                       "tcp://ADDRESS:PORT or fd://",
                       host, (int)(end - host), host);
    return err_set(err, ERR_INVALID,
                   "invalid bind address (%s): say unix://PATH, tcp://ADDRESS:PORT or fd://", host);
}

int listen_check(const char *host, struct err *err)
{
    const char *rest;
    struct addrinfo *found;

    if ((rest = listen_unix_path(host)))
        return listen_check_path(rest, err);
    if (str_starts(host, "fd://"))
        return 0;
    rest = str_after(host, "tcp://");
    if (!rest)
        return listen_refuse(host, err);
    found = listen_tcp_parse(rest, /* tls= */ false, err);
    if (found)
        freeaddrinfo(found);
    return found ? 0 : -1;
}

int listen_open(const char *host, const struct listen_options *options, int *fds, size_t max, struct err *err)
{
    const char *rest;

    if (max == 0)
        return err_set(err, ERR_INVALID, "too many hosts");
    if ((rest = listen_unix_path(host)))
        fds[0] = listen_unix(rest, options, err);
    else if ((rest = str_after(host, "tcp://")))
        fds[0] = listen_tcp(rest, options->tls, err);
    else if ((rest = str_after(host, "fd://")))
        return listen_inherited(rest, fds, max, err);
    else
        return listen_refuse(host, err);
    return fds[0] < 0 ? -1 : 1;
}

bool listen_is_tcp(int fd)
{
    int family = AF_UNSPEC;
    socklen_t len = sizeof(family);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 &&
           (family == AF_INET || family == AF_INET6);
}

void listen_remove(const char *host)
{
    const char *path = listen_unix_path(host);

    if (path)
        unlink(path);
}
