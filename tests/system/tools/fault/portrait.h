/* What a process can tell of its surroundings, in a text that is the same for every container of one configuration. */
#ifndef KEG_TESTS_FAULT_PORTRAIT_H
#define KEG_TESTS_FAULT_PORTRAIT_H

/* Prints it; 0. To be run as the container's program. */
int portrait(void);

#endif
