/* The members of Docker's Config, HostConfig and EndpointSettings as tables: one row a member gives its type,
 * its default as inspect shows it, whether keg does it, and, of objects, the table of their own members. What a
 * container keeps are only the members that differ.
 *
 * To add one: a row in fields.c, in the order in which inspect shows it. */
#ifndef KEG_ENGINE_FIELDS_H
#define KEG_ENGINE_FIELDS_H

#include <jansson.h>

#include "base/err.h"

enum field_type {
    FIELD_STRING,
    FIELD_INT,
    FIELD_UINT,
    FIELD_UINT16,
    FIELD_BOOL,
    FIELD_STRINGS,    /* array of strings */
    FIELD_LISTS,      /* array of arrays of strings */
    FIELD_ARGS,       /* array of strings, or one string (kept as an array of one) */
    FIELD_STRING_MAP, /* object of strings */
    FIELD_SET,        /* object of objects or nulls: {"80/tcp":{}} */
    FIELD_OBJECT,
    FIELD_OBJECTS, /* array of objects */
    FIELD_INTS,    /* array of numbers */
    FIELD_PORTS,   /* object of arrays of objects, or nulls */
};

enum field_flag {
    FIELD_REFUSED = 1,    /* a value other than empty is ERR_NOT_IMPLEMENTED */
    FIELD_KEEP_EMPTY = 2, /* [] says something else than null */
    FIELD_DROPPED = 4,    /* accepted and forgotten, as Docker itself does */
};

struct field {
    const char *name;
    enum field_type type;
    const char *otherwise; /* JSON shown when it isn't set; NULL: not shown */
    unsigned flags;
    const struct field *members; /* of objects, also of those in lists and maps; NULL: any */
};

extern const struct field config_fields[], host_config_fields[], endpoint_fields[]; /* end at name NULL */
/* Of requests; request_fields.c. */
extern const struct field network_fields[], connect_fields[], disconnect_fields[], volume_fields[],
    exec_fields[], exec_start_fields[];

/* Checks types, refuses what keg doesn't do, and gives the compact copy: known members that are set. Unknown
 * members are passed over, names are known in capital and small letters, and null is an empty string where one is
 * to be, as Docker has it. `where` names the object in errors ("HostConfig"). object may be NULL; null is as well. */
json_t *fields_compact(const struct field *fields, const json_t *object, const char *where, struct err *err);
/* The full object, every default filled in, in the table's order. */
json_t *fields_expand(const struct field *fields, const json_t *compact);

#endif
