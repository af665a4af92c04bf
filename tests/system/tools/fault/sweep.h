/* One command of the runtime, once for every kernel call it makes, with a failure or a kill at that call. */
#ifndef KEG_TESTS_FAULT_SWEEP_H
#define KEG_TESTS_FAULT_SWEEP_H

#include <stdbool.h>

#include "census.h"

struct options {
    const char *runtime;
    struct place place;
    unsigned variant;
    bool kill;           /* instead of failing */
    bool verbose;        /* every call with what came of it */
    int process, number; /* only there; -1, 0: everywhere */
};

/* Prints what is wrong, and a summary. 0 when nothing is. */
int sweep(const char *command, const struct options *options);

#endif
