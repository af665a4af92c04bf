/* Remembers files with several names: the first name of each. */
#ifndef KEG_STORAGE_WORKER_LINK_MAP_H
#define KEG_STORAGE_WORKER_LINK_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct link_map_slot {
    dev_t dev;
    ino_t ino;
    char *path; /* NULL: free */
};

/* Zeroed: empty. */
struct link_map {
    struct link_map_slot *slots; /* a power of two */
    size_t size, used;
};

/* The path that was put for this file before; NULL when this is the first one, which is then remembered. */
const char *link_map_put(struct link_map *m, dev_t dev, ino_t ino, const char *path);
bool link_map_has(const struct link_map *m, dev_t dev, ino_t ino);
void link_map_finish(struct link_map *m);

#endif
