/* Two large buffers that all of the monitor's streams share: it is single-threaded, and none of them keeps
 * anything here past its turn. Their pages cost memory only while there is traffic: scratch_release() gives
 * them back. */
#ifndef KEG_MONITOR_SCRATCH_H
#define KEG_MONITOR_SCRATCH_H

#include <stdbool.h>

enum { SCRATCH_INPUT_SIZE = 256 * 1024, SCRATCH_OUTPUT_SIZE = 768 * 1024 };

/* What was just read. */
char *scratch_input(void);
/* What was made of it. */
char *scratch_output(void);
/* True when one of them was handed out since the last release. */
bool scratch_used(void);
/* Gives the memory back to the kernel: both are empty after. */
void scratch_release(void);

#endif
