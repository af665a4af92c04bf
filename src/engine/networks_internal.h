/* What the files of networks share: the table of networks. All under its lock. */
#ifndef KEG_ENGINE_NETWORKS_INTERNAL_H
#define KEG_ENGINE_NETWORKS_INTERNAL_H

#include "engine/internal.h"
#include "engine/networks.h"

/* What docker's options of the same meaning are called among a driver's. */
#define NETWORKS_OPTION_IPV4 "com.docker.network.enable_ipv4"
#define NETWORKS_OPTION_IPV6 "com.docker.network.enable_ipv6"

struct network_entry {
    struct network_entry *next;
    char id[65];
    char *name, *driver;
    json_t *
        row; /* Docker's shape with Containers empty; "Chosen": [{"Subnet","Gateway"}] of src/network, "Own": the
                    subnets that the user said */
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
/* Not "host" or "none". */
bool networks_has_state(const struct network_entry *n);
/* networks_up.c: the network of src/network that a row describes, with these subnets (rows of IPAM.Config). */
struct network *networks_bring_up(struct engine *e, const struct network_entry *n, const json_t *subnets,
                                  struct err *err);
/* The subnets it had before, as networks_bring_up() takes them. A new array. */
json_t *networks_chosen(const struct network_entry *n);
/* Puts what src/network chose into the row, "Chosen" alone; and where it is shown, beside what was asked for. */
void networks_note_choice(struct network_entry *n);
void networks_show_choice(struct network_entry *n);
/* The subnets that the user said, of families that the network hasn't as well. */
char **networks_own(const struct network_entry *n);
/* The default bridge follows kegd's options; what it chose for itself it keeps as long as it can. */
int networks_start_default(struct engine *e, struct network_entry *n, struct err *err);
/* A family is wanted by the body's member, or by an option of the driver. */
bool networks_wants(const json_t *body, const char *member, const char *option, bool otherwise);
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
