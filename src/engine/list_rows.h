/* A container's row in GET /containers/json. For src/engine/list.c. */
#ifndef KEG_ENGINE_LIST_ROWS_H
#define KEG_ENGINE_LIST_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/container.h"

/* One container while the list is made. */
struct list_row {
    struct container *c;
    struct container_snapshot s;
};

/* Neighbours in a list often have the same image: the last look-up of a name. */
struct list_memo {
    const char *ref, *id; /* the containers' own, for as long as the list is made */
    bool is_named;
    struct container *const *link_holders; /* links.h */
};

/* Its member "Ports", a new array. */
json_t *list_ports(const struct list_row *row);
/* A new object. */
json_t *list_row_json(const struct list_row *row, int64_t now, struct list_memo *memo);
/* Appends the same as text. All of it but "Status" is kept with the container until it changes. brief: engine_list_options
 * says what is left out. */
void list_row_text(const struct list_row *row, int64_t now, struct list_memo *memo, bool brief,
                   struct buf *out);

#endif
