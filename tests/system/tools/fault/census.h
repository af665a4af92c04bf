/* What a container leaves behind on the host, if anything. */
#ifndef KEG_TESTS_FAULT_CENSUS_H
#define KEG_TESTS_FAULT_CENSUS_H

#include <stdbool.h>
#include <stddef.h>

struct place {
    const char *id, *cgroup; /* the container's, its cgroup's name at the top of each hierarchy */
    const char *state;       /* the runtime's --root */
    const char *bundle;      /* nothing is to be made there */
};

/* Takes down what is there now; orphans become the caller's children from here on. */
void census_begin(const struct place *place);
/* One line for each thing that is there and wasn't: waits for a second for it to go. True when there is none. */
bool census_is_clean(const struct place *place, char *ret_left, size_t size);
/* Children that are dead or alive: the latter's number. */
unsigned census_children(void);
/* Processes in the container's cgroup. */
unsigned census_processes(const struct place *place);
/* Session keyrings named after containers (kernel memory that a lost reference would keep). */
unsigned census_keyrings(void);

#endif
