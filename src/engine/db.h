/* The database: SQLite in WAL mode at DATA/keg.db, one connection under one mutex, prepared statements.
 *
 * A definition acknowledged is a definition kept: every function that changes something is one transaction
 * and comes back when it is on disk, unless it was asked to be lazy (then it survives a killed kegd, not a
 * power cut). All are thread-safe and take microseconds (lazy) to a few milliseconds (synced). JSON values
 * are stored as text. ERR_CONFLICT for a taken name or id, ERR_NOT_FOUND where a row must exist, ERR_SYSTEM
 * for the rest.
 *
 * To change the schema: append a step to `migrations` in db.c; never edit one that was released. */
#ifndef KEG_ENGINE_DB_H
#define KEG_ENGINE_DB_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct db;

/* Opens or makes the database and migrates it forward. A database of a later version is ERR_INVALID. */
struct db *db_open(const char *path, struct err *err);
struct db *db_close(struct db *db);
DEFINE_CLEANUP_PTR(struct db, db_close)

enum db_durability { DB_SYNCED, DB_LAZY };

/* Tables whose rows are {key, name, json}: name is unique unless NULL. To add one: a row in db.c's table and
 * a migration. DB_CONTAINERS  key id,   name without "/" DB_IMAGES      key "sha256:…" (config digest), no
 * name; json: what images.c keeps about it DB_IMAGE_NAMES key "docker.io/library/busybox:latest" or
 * "…@sha256:…"; json {"Image":"sha256:…",…} DB_NETWORKS    key id,   name DB_VOLUMES     key name, no name
 *   DB_META        key, any json: small settings of the instance ("id", …) */
enum db_table { DB_CONTAINERS, DB_IMAGES, DB_IMAGE_NAMES, DB_NETWORKS, DB_VOLUMES, DB_META, DB_TABLE_COUNT };

/* Inserts; ERR_CONFLICT when key or name is taken. */
int db_insert(struct db *db, enum db_table t, const char *key, const char *name, const json_t *value,
              enum db_durability durability, struct err *err);
/* Inserts or replaces the row of that key. */
int db_put(struct db *db, enum db_table t, const char *key, const char *name, const json_t *value,
           enum db_durability durability, struct err *err);
/* Deletes; a missing row is success. */
int db_delete(struct db *db, enum db_table t, const char *key, enum db_durability durability,
              struct err *err);
/* The value of a key, a new reference; NULL and ERR_NOT_FOUND when there is none. */
json_t *db_get(struct db *db, enum db_table t, const char *key, struct err *err);
/* Calls row() for every row in key order until it returns non-zero. The database is locked meanwhile: row()
 * must not call back. name is NULL where there is none; value is borrowed. */
int db_each(struct db *db, enum db_table t,
            int (*row)(void *arg, const char *key, const char *name, json_t *value), void *arg,
            struct err *err);

/* Reads the whole file: ERR_SYSTEM says what is damaged. */
int db_check(struct db *db, struct err *err);

/* Several changes as one transaction: everything between is seen by this thread only, and kept or dropped
 * together. The database is locked from begin to commit or rollback, so nothing that waits may be done
 * between. */
int db_begin(struct db *db, struct err *err);
int db_commit(struct db *db, enum db_durability durability, struct err *err);
void db_rollback(struct db *db);

#endif
