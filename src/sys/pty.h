/* Pseudoterminals. All return 0 or more, or -errno. */
#ifndef KEG_SYS_PTY_H
#define KEG_SYS_PTY_H

#include <stdint.h>

/* A new pair from an open directory of a devpts (its filesystem is checked: -ELOOP). The slave is had from
 * the master (TIOCGPTPEER), never by name. Both close-on-exec. */
int pty_open(int devpts, int *ret_master, int *ret_slave);
int pty_resize(int master, uint16_t rows, uint16_t columns);
/* Line feeds stay what they are (ONLCR off): for one whose output is shown by another terminal, which makes them for the eye,
 * or read by something that wants them plain. */
int pty_leave_line_ends(int pty);
/* Makes the slave the controlling terminal of the calling session leader. */
int pty_control(int slave);

#endif
