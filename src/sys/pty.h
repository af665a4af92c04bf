/* Pseudoterminals. All return 0 or more, or -errno. */
#ifndef KEG_SYS_PTY_H
#define KEG_SYS_PTY_H

#include <stdint.h>

/* A new pair from an open directory of a devpts (its filesystem is checked: -ELOOP). The slave is had from
 * the master (TIOCGPTPEER), never by name. Both close-on-exec. */
int pty_open(int devpts, int *ret_master, int *ret_slave);
int pty_resize(int master, uint16_t rows, uint16_t columns);
/* Makes the slave the controlling terminal of the calling session leader. */
int pty_control(int slave);

#endif
