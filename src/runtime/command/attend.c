/* Standing by while a process runs: signals go to it, a terminal is connected with ours, its end gives our status. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/command/command.h"
#include "runtime/command/notify.h"
#include "sys/pidfd.h"
#include "sys/pty.h"

bool command_terminal_size(uint16_t *ret_rows, uint16_t *ret_columns)
{
    struct winsize size;

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
        return false;
    *ret_rows = size.ws_row;
    *ret_columns = size.ws_col;
    return true;
}

static void copy_size(int console)
{
    uint16_t rows, columns;

    if (command_terminal_size(&rows, &columns))
        (void)pty_resize(console, rows, columns);
}

void command_prepare_console(int console)
{
    if (console < 0)
        return;
    copy_size(console);
    (void)pty_leave_line_ends(console);
}

/* Our terminal leaves everything to the container's, but for the line ends of what is printed. */
static bool make_raw(struct termios *before)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, before) < 0)
        return false;
    raw = *before;
    cfmakeraw(&raw);
    raw.c_oflag = before->c_oflag;
    return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void forward_signal(int signals, int pidfd, int console)
{
    struct signalfd_siginfo info;

    if (read(signals, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGWINCH && console >= 0)
        copy_size(console);
    else if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGPIPE && info.ssi_signo != SIGURG)
        pidfd_signal(pidfd, (int)info.ssi_signo);
}

/* One piece; false at the end. */
static bool copy(int from, int to)
{
    char data[16384];
    ssize_t n = read(from, data, sizeof(data));

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    return n > 0 && fd_write_full(to, data, (size_t)n) == 0;
}

static void loop(int pidfd, int signals, int console, struct notify *notify)
{
    enum { PROCESS, SIGNALS, TERMINAL, INPUT, NOTIFY };
    struct pollfd p[] = {
        [PROCESS] = {.fd = pidfd, .events = POLLIN},
        [SIGNALS] = {.fd = signals, .events = POLLIN},
        [TERMINAL] = {.fd = console, .events = POLLIN},
        [INPUT] = {.fd = console >= 0 ? STDIN_FILENO : -1, .events = POLLIN},
        [NOTIFY] = {.fd = notify ? notify->proxy : -1, .events = POLLIN},
    };

    while (p[PROCESS].fd >= 0 || p[TERMINAL].fd >= 0) {
        /* after its end only what the terminal still holds is awaited */
        int n = poll(p, sizeof(p) / sizeof(p[0]), p[PROCESS].fd < 0 ? 100 : -1);

        if (n < 0 && errno != EINTR)
            return;
        if (n == 0)
            return;
        if (p[SIGNALS].revents)
            forward_signal(signals, pidfd, console);
        if (p[INPUT].revents && !copy(STDIN_FILENO, console))
            p[INPUT].fd = -1;
        if (p[TERMINAL].revents && !copy(console, STDOUT_FILENO))
            p[TERMINAL].fd = -1;
        if (p[NOTIFY].revents && notify_forward(notify, /* pid= */ 0))
            p[NOTIFY].fd = -1;
        if (p[PROCESS].revents)
            p[PROCESS].fd = -1;
    }
}

int command_attend(int pidfd, int console, struct notify *notify, struct err *err)
{
    _cleanup_close_ int signals = -EBADF;
    struct termios before;
    bool raw = false;
    sigset_t all;
    int status = 0, result;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (console >= 0)
        raw = make_raw(&before);
    loop(pidfd, signals, console, notify);
    if (raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    result = pidfd_reap(pidfd, /* hang= */ true, &status);
    if (result < 0)
        return err_errno(err, result, "wait for the process");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
