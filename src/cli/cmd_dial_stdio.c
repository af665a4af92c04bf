/* keg system dial-stdio: standard input and output become a connection to the daemon, for ssh on the other side. */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/client.h"

enum { PIECE = 64 * 1024 };

/* Moves a piece. 1, 0 at the end, -errno. */
static int move(int from, int to, char *piece)
{
    ssize_t n = read(from, piece, PIECE);

    if (n < 0)
        return errno == EINTR ? 1 : -errno;
    return n == 0 ? 0 : fd_write_full(to, piece, (size_t)n) < 0 ? -EPIPE : 1;
}

static int dial_stdio_run(struct cli *cli, const struct args *args _unused_, struct err *err)
{
    _cleanup_close_ int fd = client_dial(cli, err);
    char piece[PIECE];
    int r = fd < 0 ? -1 : 1;

    while (r > 0) { /* until the daemon has closed: what comes after the end of the input is its answer */
        struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};

        if (poll(p, 2, -1) < 0)
            continue;
        if (p[1].revents && move(STDIN_FILENO, fd, piece) <= 0) {
            shutdown(fd, SHUT_WR);
            break;
        }
        if (p[0].revents)
            r = move(fd, STDOUT_FILENO, piece);
    }
    while (r > 0)
        r = move(fd, STDOUT_FILENO, piece);
    if (fd < 0)
        return -1;
    return r < 0 ? err_errno(err, r, "relay to the daemon") : 0;
}

const struct command cmd_system_dial_stdio = {
    .paths = "system dial-stdio",
    .summary = "Connect standard input and output to the daemon",
    .flags = COMMAND_HIDDEN,
    .run = dial_stdio_run,
};
