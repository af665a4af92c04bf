/* Raw mode, sizes, secrets. */
#include "cli/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"

static struct termios saved;
static bool is_raw;

bool terminal_is(int fd)
{
    return isatty(fd) == 1;
}

int terminal_raw(void)
{
    static bool registered;
    struct termios raw;

    if (is_raw)
        return 0;
    if (tcgetattr(STDIN_FILENO, &saved) < 0)
        return -errno;
    raw = saved;
    cfmakeraw(&raw);
    if (!registered)
        atexit(terminal_restore);
    registered = true;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
        return -errno;
    is_raw = true;
    return 0;
}

void terminal_restore(void)
{
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
    is_raw = false;
}

bool terminal_size(unsigned *ret_rows, unsigned *ret_columns)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
        return false;
    *ret_rows = size.ws_row;
    *ret_columns = size.ws_col;
    return true;
}

char *terminal_read_secret(const char *prompt)
{
    struct termios before, silent;
    char line[4096];
    char *got;

    fputs(prompt, stdout);
    fflush(stdout);
    if (tcgetattr(STDIN_FILENO, &before) == 0) {
        silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &silent);
        got = fgets(line, sizeof(line), stdin);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
        putchar('\n');
    } else {
        got = fgets(line, sizeof(line), stdin);
    }
    if (!got)
        return NULL;
    line[strcspn(line, "\r\n")] = '\0';
    return xstrdup(line);
}
