/* The terminal on the standard descriptors: raw mode that is undone however the program ends, and its size. */
#ifndef KEG_CLI_TERMINAL_H
#define KEG_CLI_TERMINAL_H

#include <stdbool.h>

bool terminal_is(int fd);
/* Puts stdin's terminal into raw mode until terminal_restore() or the exit. 0 or -errno. */
int terminal_raw(void);
void terminal_restore(void);
/* The size of the terminal on stdout (or stdin); false when there is none. */
bool terminal_size(unsigned *ret_rows, unsigned *ret_columns);
/* Reads a line from the terminal without showing it; the caller frees. NULL at the end of input. */
char *terminal_read_secret(const char *prompt);

#endif
