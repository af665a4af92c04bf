/* The database over SQLite.
 *
 * SQLite runs with synchronous=NORMAL, so a commit is one append to the write-ahead log. What has to outlast
 * a power cut is followed by an fdatasync() of that log, outside the lock: concurrent writers share the
 * disk's flushes, and a reader never waits for one. */
#include "engine/db.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

enum {
    LOG_ROOM = 4 << 20
}; /* of the write-ahead log: 1,000 pages, then it is written back and begins again */

enum db_operation { OP_INSERT, OP_PUT, OP_DELETE, OP_GET, OP_EACH, OP_COUNT };

static const char *const table_names[DB_TABLE_COUNT] = {
    [DB_CONTAINERS] = "containers", [DB_IMAGES] = "images",   [DB_IMAGE_NAMES] = "image_names",
    [DB_NETWORKS] = "networks",     [DB_VOLUMES] = "volumes", [DB_META] = "meta",
};

static const char *const operation_sql[OP_COUNT] = {
    [OP_INSERT] = "INSERT INTO %s (key, name, json) VALUES (?1, ?2, ?3)",
    [OP_PUT] = "INSERT INTO %s (key, name, json) VALUES (?1, ?2, ?3) "
               "ON CONFLICT (key) DO UPDATE SET name = excluded.name, json = excluded.json",
    [OP_DELETE] = "DELETE FROM %s WHERE key = ?1",
    [OP_GET] = "SELECT json FROM %s WHERE key = ?1",
    [OP_EACH] = "SELECT key, name, json FROM %s ORDER BY key",
};

#define TABLE_SQL(table)                                                                                     \
    "CREATE TABLE " table " (key TEXT PRIMARY KEY NOT NULL, name TEXT UNIQUE, json TEXT NOT NULL);"

/* Step n brings a database of version n to n + 1. */
static const char *const migrations[] = {
    TABLE_SQL("containers") TABLE_SQL("images") TABLE_SQL("image_names") TABLE_SQL("networks")
        TABLE_SQL("volumes") TABLE_SQL("meta"),
};

struct db {
    sqlite3 *handle;
    pthread_mutex_t lock; /* recursive: held from db_begin() to its end */
    bool in_transaction;
    int log_fd; /* the write-ahead log */
    sqlite3_stmt *statements[DB_TABLE_COUNT][OP_COUNT];
};

static int db_error(struct db *db, struct err *err, const char *what)
{
    int code = sqlite3_errcode(db->handle), errnum = sqlite3_system_errno(db->handle);

    /* SQLite may have forgotten by now what the kernel said: it says it again */
    if (code == SQLITE_IOERR && errnum == 0)
        errnum = fallocate(db->log_fd, FALLOC_FL_KEEP_SIZE, 0, LOG_ROOM) < 0 ? errno : EIO;
    if (code == SQLITE_FULL && errnum != EDQUOT)
        errnum = ENOSPC;
    else if (code == SQLITE_READONLY)
        errnum = EROFS;
    else if (code != SQLITE_FULL && code != SQLITE_IOERR && code != SQLITE_CANTOPEN)
        errnum = 0;
    return errnum ? err_errno(err, errnum, "database: %s", what)
                  : err_set(err, ERR_SYSTEM, "database: %s: %s", what, sqlite3_errmsg(db->handle));
}

static int db_run(struct db *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_error(db, err, sql);
}

/* ---- opening ---- */

static int db_version(struct db *db, int64_t *ret, struct err *err)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(db->handle, "SELECT version FROM schema_version", -1, &st, NULL) != SQLITE_OK)
        return db_error(db, err, "read the schema's version");
    *ret = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return 0;
}

static int db_migrate(struct db *db, struct err *err)
{
    int64_t version = 0, newest = (int64_t)ARRAY_SIZE(migrations);
    if (db_run(db, "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)", err) < 0 ||
        db_version(db, &version, err) < 0)
        return -1;
    if (version > newest)
        return err_set(err, ERR_INVALID,
                       "the database has version %lld, which a later keg made; this one knows up to %lld",
                       (long long)version, (long long)newest);
    for (; version < newest; version++) {
        char set[96];
        sqlite3_snprintf((int)sizeof(set), set,
                         "DELETE FROM schema_version; INSERT INTO schema_version VALUES (%lld)",
                         (long long)version + 1);
        if (db_run(db, "BEGIN IMMEDIATE", err) < 0)
            return -1;
        if (db_run(db, migrations[version], err) < 0 || db_run(db, set, err) < 0 ||
            db_run(db, "COMMIT", err) < 0) {
            sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
            return err_wrap(err, "migrate the database to version %lld", (long long)version + 1);
        }
    }
    return 0;
}

static const char *const open_sql[] = {
    /* exclusive: this connection is the only one, so the log's index needs no shared memory */
    "PRAGMA locking_mode = EXCLUSIVE",     "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL",
    "PRAGMA journal_size_limit = 4194304", "PRAGMA cache_size = -512",  "PRAGMA temp_store = MEMORY",
};

/* The files of the database may be new: their names have to last before anything in them is said to. */
static int db_sync_names(const char *path)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *directory = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
    _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

struct db *db_open(const char *path, struct err *err)
{
    struct db *db = xcalloc(1, sizeof(*db));
    db->log_fd = -EBADF;
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&db->lock, &attr);
    pthread_mutexattr_destroy(&attr);

    /* environments of containers are nobody else's; WAL files take the mode over */
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        fchmod(fd, 0600);
    close_fd(&fd); /* before SQLite has locks on it, which a close would drop */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK) {
        db_error(db, err, path);
        return db_close(db);
    }
    sqlite3_busy_timeout(db->handle, 2000);
    for (size_t i = 0; i < ARRAY_SIZE(open_sql); i++)
        if (db_run(db, open_sql[i], err) < 0)
            return db_close(db);
    if (db_migrate(db, err) < 0)
        return db_close(db);

    _cleanup_free_ char *log = xasprintf("%s-wal", path);
    db->log_fd = open(log, O_RDWR | O_CLOEXEC | O_CREAT, 0600);
    if (db->log_fd < 0 || db_sync_names(path) < 0) {
        err_errno(err, errno, "open %s", log);
        return db_close(db);
    }
    /* Room for what it grows to, so that a full disk doesn't keep anything from being removed; without, it has to do */
    (void)fallocate(db->log_fd, FALLOC_FL_KEEP_SIZE, 0, LOG_ROOM);
    return db;
}

struct db *db_close(struct db *db)
{
    if (!db)
        return NULL;
    for (size_t t = 0; t < DB_TABLE_COUNT; t++)
        for (size_t op = 0; op < OP_COUNT; op++)
            sqlite3_finalize(db->statements[t][op]);
    sqlite3_close(db->handle);
    close_fd(&db->log_fd);
    pthread_mutex_destroy(&db->lock);
    free(db);
    return NULL;
}

/* ---- transactions ---- */

static int db_sync(struct db *db, enum db_durability durability, struct err *err)
{
    if (durability == DB_SYNCED && fdatasync(db->log_fd) < 0)
        return err_errno(err, errno, "database: write to disk");
    return 0;
}

int db_begin(struct db *db, struct err *err)
{
    pthread_mutex_lock(&db->lock);
    if (db_run(db, "BEGIN IMMEDIATE", err) < 0) {
        pthread_mutex_unlock(&db->lock);
        return -1;
    }
    db->in_transaction = true;
    return 0;
}

int db_commit(struct db *db, enum db_durability durability, struct err *err)
{
    if (db_run(db, "COMMIT", err) < 0) {
        db_rollback(db);
        return -1;
    }
    db->in_transaction = false;
    pthread_mutex_unlock(&db->lock);
    return db_sync(db, durability, err);
}

void db_rollback(struct db *db)
{
    sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    db->in_transaction = false;
    pthread_mutex_unlock(&db->lock);
}

/* ---- statements ---- */

/* The statement with its key bound; the lock must be held. */
static sqlite3_stmt *db_statement(struct db *db, enum db_table t, enum db_operation op, const char *key,
                                  struct err *err)
{
    sqlite3_stmt **st = &db->statements[t][op];
    if (!*st) {
        char sql[256];
        sqlite3_snprintf((int)sizeof(sql), sql, operation_sql[op], table_names[t]);
        if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, st, NULL) != SQLITE_OK) {
            db_error(db, err, sql);
            return NULL;
        }
    }
    if (key)
        sqlite3_bind_text(*st, 1, key, -1, SQLITE_STATIC);
    return *st;
}

static void db_done(sqlite3_stmt *st)
{
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
}

static int db_write(struct db *db, enum db_table t, enum db_operation op, const char *key, const char *name,
                    const char *text, struct err *err)
{
    sqlite3_stmt *st = db_statement(db, t, op, key, err);
    if (!st)
        return -1;
    if (op != OP_DELETE) {
        if (name)
            sqlite3_bind_text(st, 2, name, -1, SQLITE_STATIC);
        sqlite3_bind_text(st, 3, text, -1, SQLITE_STATIC);
    }
    int rc = sqlite3_step(st), r = 0;
    if (rc == SQLITE_CONSTRAINT)
        r = err_set(err, ERR_CONFLICT, "%s: %s is taken", table_names[t], name ? name : key);
    else if (rc != SQLITE_DONE)
        r = db_error(db, err, table_names[t]);
    db_done(st);
    return r;
}

static int db_change(struct db *db, enum db_table t, enum db_operation op, const char *key, const char *name,
                     const json_t *value, enum db_durability durability, struct err *err)
{
    _cleanup_free_ char *text = value ? json_text(value) : NULL;
    if (op != OP_DELETE && !text)
        return err_set(err, ERR_INVALID, "%s: %s cannot be stored as JSON", table_names[t], key);
    pthread_mutex_lock(&db->lock);
    bool nested = db->in_transaction;
    int r = db_write(db, t, op, key, name, text, err); /* on its own, one statement is one transaction */
    pthread_mutex_unlock(&db->lock);
    return r < 0 || nested ? r : db_sync(db, durability, err);
}

int db_insert(struct db *db, enum db_table t, const char *key, const char *name, const json_t *value,
              enum db_durability durability, struct err *err)
{
    return db_change(db, t, OP_INSERT, key, name, value, durability, err);
}

int db_put(struct db *db, enum db_table t, const char *key, const char *name, const json_t *value,
           enum db_durability durability, struct err *err)
{
    return db_change(db, t, OP_PUT, key, name, value, durability, err);
}

int db_delete(struct db *db, enum db_table t, const char *key, enum db_durability durability, struct err *err)
{
    return db_change(db, t, OP_DELETE, key, NULL, NULL, durability, err);
}

static json_t *db_column_json(sqlite3_stmt *st, int column, const char *what, struct err *err)
{
    const char *text = (const char *)sqlite3_column_text(st, column);
    return json_parse(text ? text : "", (size_t)sqlite3_column_bytes(st, column), what, err);
}

json_t *db_get(struct db *db, enum db_table t, const char *key, struct err *err)
{
    json_t *value = NULL;
    pthread_mutex_lock(&db->lock);
    sqlite3_stmt *st = db_statement(db, t, OP_GET, key, err);
    if (st) {
        int rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
            value = db_column_json(st, 0, key, err);
        else if (rc == SQLITE_DONE)
            err_set(err, ERR_NOT_FOUND, "%s: no such row: %s", table_names[t], key);
        else
            db_error(db, err, table_names[t]);
        db_done(st);
    }
    pthread_mutex_unlock(&db->lock);
    return value;
}

int db_each(struct db *db, enum db_table t,
            int (*row)(void *arg, const char *key, const char *name, json_t *value), void *arg,
            struct err *err)
{
    pthread_mutex_lock(&db->lock);
    sqlite3_stmt *st = db_statement(db, t, OP_EACH, NULL, err);
    int r = st ? 0 : -1, rc = SQLITE_DONE;
    while (r == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(st, 0);
        _cleanup_json_ json_t *value = db_column_json(st, 2, key, err);
        if (!value)
            r = -1;
        else if (row(arg, key, (const char *)sqlite3_column_text(st, 1), value) != 0)
            break;
    }
    if (r == 0 && rc != SQLITE_DONE && rc != SQLITE_ROW)
        r = db_error(db, err, table_names[t]);
    if (st)
        db_done(st);
    pthread_mutex_unlock(&db->lock);
    return r;
}

int db_check(struct db *db, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int r = -1;

    pthread_mutex_lock(&db->lock);
    if (sqlite3_prepare_v2(db->handle, "PRAGMA integrity_check(1)", -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW)
        db_error(db, err, "check");
    else if (str_eq((const char *)sqlite3_column_text(st, 0), "ok"))
        r = 0;
    else
        err_set(err, ERR_SYSTEM, "%s", (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    pthread_mutex_unlock(&db->lock);
    return r;
}
