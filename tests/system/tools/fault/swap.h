/* The runtime runs a container while somebody exchanges directories and files with links to elsewhere, at the worst
 * moment: before each call that takes a path, once until after the call, and once until the end. */
#ifndef KEG_TESTS_FAULT_SWAP_H
#define KEG_TESTS_FAULT_SWAP_H

#include "sweep.h"

enum { SWAP_PAIRS_MAX = 16 };

struct swap {
    const char *pairs[SWAP_PAIRS_MAX][2]; /* what is exchanged, all at once */
    unsigned count;
    const char *sentinel; /* stands for the host: must stay what it is, and nowhere appear in the container */
    unsigned first;       /* the first process at whose calls it happens: 1 is the container's init */
};

/* Prints what is wrong, and a summary. 0 when nothing is. */
int swap_sweep(const struct options *options, const struct swap *swap);
/* Prints the calls of init up to pivot_root() that take a path: name, flags, descriptor, path. 0, or 2. */
int swap_print_paths(const struct options *options);

#endif
