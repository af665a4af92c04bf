/* What the files of networks share: the table of networks. All under its lock. */
#ifndef KEG_ENGINE_NETWORKS_INTERNAL_H
#define KEG_ENGINE_NETWORKS_INTERNAL_H

#include "engine/internal.h"
#include "engine/networks.h"

struct network_entry {
    struct network_entry *next;
    char id[65];
    char *name, *driver;
    json_t *row; /* Docker's shape with Containers empty, and "Chosen": {"Subnet","Gateway"} of src/network */
    struct network *network; /* NULL: a driver without state, or a bridge that couldn't be brought back */
    json_t *containers;      /* {container id: as inspect shows it}: endpoints that are up */
    json_t *names;           /* {container id: its line in the zone}; see zones.h */
    unsigned references;
};

struct engine_networks {
    pthread_mutex_t lock; /* outside the database's and src/network's */
    struct network_entry *first;
    bool settled; /* zones are written */
};

/* "bridge", "host", "none" */
bool networks_is_predefined(const char *name);
/* By name, id, id prefix; with the lock held. */
struct network_entry *networks_lookup(struct engine *e, const char *ref, struct err *err);
/* The network of src/network that a row describes. chosen: with the addresses it had before. */
struct network *networks_bring_up(struct engine *e, const struct network_entry *n, bool chosen,
                                  struct err *err);
/* Puts what src/network chose into the row. */
void networks_note_choice(struct network_entry *n);
/* networks_check.c: whether a network can be made of the API's body; the lock is held. */
int networks_check(struct engine *e, const json_t *body, const char *driver, struct err *err);
/* Adds to the table. */
struct network_entry *networks_add(struct engine *e, const char *id, json_t *row);
/* Takes it out and frees it. */
void networks_drop(struct engine *e, struct network_entry *n);
/* The document of a new network; options and labels are objects or NULL, config an array or NULL: references taken. */
json_t *networks_document(const char *id, const char *name, const char *driver, json_t *config,
                          json_t *options, json_t *labels);

#endif
