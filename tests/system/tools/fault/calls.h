/* What is known about kernel calls: where their paths are, how they may fail. */
#ifndef KEG_TESTS_FAULT_CALLS_H
#define KEG_TESTS_FAULT_CALLS_H

#include <stdbool.h>

/* Whether there is any error that a correct program could meet. */
bool call_can_fail(long nr);
/* The variant-th error to be expected of it. */
int call_error(long nr, unsigned variant);
/* Whether a failure leaves it done all the same: close(2). */
bool call_is_done_anyway(long nr);
/* The places of a path and the descriptor it starts from, -1: none. False for a call without a path. */
bool call_path_arguments(long nr, int *ret_dirfd, int *ret_path);

#endif
