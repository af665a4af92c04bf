/* Pseudoterminals of any devpts instance. */
#include "sys/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "sys/mount.h"

int pty_open(int devpts, int *ret_master, int *ret_slave)
{
    _cleanup_close_ int master = path_open_in_root(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, 0);
    int r, slave, unlock = 0;

    if (master < 0)
        return master;
    r = mount_is_type(master, DEVPTS_SUPER_MAGIC);
    if (r <= 0)
        return r < 0 ? r : -ELOOP;
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
        return -errno;
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return -errno;
    *ret_slave = slave;
    *ret_master = take_fd(&master);
    return 0;
}

int pty_resize(int master, uint16_t rows, uint16_t columns)
{
    struct winsize size = {.ws_row = rows, .ws_col = columns};

    return ioctl(master, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int pty_control(int slave)
{
    return ioctl(slave, TIOCSCTTY, 0) < 0 ? -errno : 0;
}

int pty_leave_line_ends(int pty)
{
    struct termios t;

    if (tcgetattr(pty, &t) < 0)
        return -errno;
    t.c_oflag &= ~(tcflag_t)ONLCR;
    return tcsetattr(pty, TCSANOW, &t) < 0 ? -errno : 0;
}
