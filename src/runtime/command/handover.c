/* What others are handed when a process is there: its id, its descriptor, its terminal. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/command/command.h"

int command_write_pid(const struct request *request, pid_t pid, struct err *err)
{
    char text[16];
    int result;

    if (!request->pid_file)
        return 0;
    snprintf(text, sizeof(text), "%d", pid);
    result = file_replace(AT_FDCWD, request->pid_file, text, strlen(text), 0644, /* sync= */ false);
    return result < 0 ? err_errno(err, result, "write %s", request->pid_file) : 0;
}

/* Who listens is often started just before this program, and other runtimes take long enough for it to be ready. */
static int connect_soon(const char *path)
{
    enum { TRIES = 50 };
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    int socket = -ENOENT;

    for (int i = 0; i < TRIES; i++) {
        socket =
            unix_connect(path, SOCK_STREAM | SOCK_NONBLOCK); /* a queue that is full would hold us for ever */
        if (socket != -ENOENT && socket != -ECONNREFUSED && socket != -EAGAIN)
            break;
        nanosleep(&pause, NULL);
    }
    if (socket >= 0)
        fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) & ~O_NONBLOCK);
    return socket;
}

/* The text beside the descriptor names it; receivers ask for no more than 4096 bytes of it. */
static int send_descriptor(const char *path, const char *name, int fd)
{
    _cleanup_close_ int socket = connect_soon(path);

    return socket < 0 ? socket : fd_send_message(socket, name, strlen(name), &fd, 1);
}

int command_send_pidfd(const char *socket, int pidfd, struct err *err)
{
    int result = socket ? send_descriptor(socket, "pidfd", pidfd) : 0;

    return result < 0 ? err_errno(err, result, "send the process's descriptor to %s", socket) : 0;
}

int command_send_console(const struct request *request, int console, struct err *err)
{
    _cleanup_close_ int master = console;
    int result = send_descriptor(request->console_socket, "/dev/ptmx", master);

    return result < 0 ? err_errno(err, result, "send the terminal to %s", request->console_socket) : 0;
}

int command_check_console(const struct request *request, bool terminal, bool detached, struct err *err)
{
    if (terminal && detached && !request->console_socket)
        return err_set(err, ERR_INVALID,
                       "cannot allocate tty if %s will detach without setting console socket "
                       "(use --console-socket)",
                       request->program);
    if (!(terminal && detached) && request->console_socket)
        return err_set(err, ERR_INVALID, "cannot use console socket if %s will not detach or allocate tty",
                       request->program);
    return 0;
}
