/* hosts.toml (containerd's "registry host configuration"), checked: every key is known and every value of its type.
 *
 * To add a key: a row in hosts_file.c's table, and a line in docs/kegd.md. */
#ifndef KEG_IMAGE_WORKER_HOSTS_FILE_H
#define KEG_IMAGE_WORKER_HOSTS_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "image/worker/endpoint.h"

/* A host's table, or the file's top, which is about the registry itself. */
struct hosts_entry {
    char *url;    /* with its scheme; NULL: the top of a file that names no server */
    int line;     /* where the table begins */
    unsigned can; /* enum endpoint_ability; all where nothing is said */
    bool skip_verify;
    bool own_path;           /* the address holds what stands for "/v2" */
    unsigned dial_ms;        /* 0: nothing is said */
    char **headers;          /* "Name: value" */
    char **authorities;      /* files, absolute or beside hosts.toml */
    char *certificate, *key; /* files; NULL: none. The same one holds both where only one is named */
};

struct hosts_file {
    struct hosts_entry server;
    struct hosts_entry *hosts; /* in the file's order */
    size_t n_hosts;
};

/* `name` is the file's, for errors: ERR_INVALID, "FILE:LINE: KEY …". *ret is to be finished either way. */
int hosts_file_parse(const char *text, size_t len, const char *name, struct hosts_file *ret, struct err *err);
void hosts_file_finish(struct hosts_file *f);

#endif
