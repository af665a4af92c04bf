/* An open-addressing hash table of inodes. */
#include "storage/worker/link_map.h"

#include "base/cleanup.h"
#include "base/hash.h"

static struct link_map_slot *find(const struct link_map *m, dev_t dev, ino_t ino)
{
    const unsigned long long key[2] = {dev, ino};
    size_t i = (size_t)hash64(key, sizeof(key)) & (m->size - 1);

    while (m->slots[i].path && (m->slots[i].dev != dev || m->slots[i].ino != ino))
        i = (i + 1) & (m->size - 1);
    return &m->slots[i];
}

static void grow(struct link_map *m)
{
    struct link_map old = *m;

    m->size = old.size ? old.size * 2 : 256;
    m->slots = xcalloc(m->size, sizeof(*m->slots));
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].path)
            *find(m, old.slots[i].dev, old.slots[i].ino) = old.slots[i];
    free(old.slots);
}

const char *link_map_put(struct link_map *m, dev_t dev, ino_t ino, const char *path)
{
    struct link_map_slot *slot;

    if (m->used * 2 >= m->size)
        grow(m);
    slot = find(m, dev, ino);
    if (slot->path)
        return slot->path;
    *slot = (struct link_map_slot){dev, ino, xstrdup(path)};
    m->used++;
    return NULL;
}

bool link_map_has(const struct link_map *m, dev_t dev, ino_t ino)
{
    return m->size > 0 && find(m, dev, ino)->path;
}

void link_map_finish(struct link_map *m)
{
    for (size_t i = 0; i < m->size; i++)
        free(m->slots[i].path);
    free(m->slots);
    *m = (struct link_map){};
}
