/* The store of contexts: named endpoints, in docker's own files below the directory of config.json, so that docker and keg
 * share them.
 *
 *     contexts/meta/<SHA-256 of the name>/meta.json     {"Name","Metadata":{"Description"},"Endpoints":{"docker":{"Host",
 *                                                       "SkipTLSVerify"}}}
 *     contexts/tls/<SHA-256 of the name>/docker/        ca.pem, cert.pem, key.pem
 *
 * "default" isn't in the store: it is what options and environment say. */
#ifndef KEG_CLI_CONTEXT_H
#define KEG_CLI_CONTEXT_H

#include "cli/cli.h"

#define CONTEXT_DEFAULT "default"

/* What a context may have for TLS, NULL-terminated. */
extern const char *const context_tls_names[];

/* The name of the context in use: --context, "default" where a host was named, KEG_CONTEXT or DOCKER_CONTEXT, config.json's
 * currentContext. NULL (ERR_INVALID) when both a host and a context were given as options. Borrowed. */
const char *context_current(struct cli *cli, struct err *err);
/* ERR_INVALID in docker's words for what can't be a name, or is "default". */
int context_check_name(const char *name, struct err *err);
/* Its meta.json (for "default" one as if it had one). ERR_NOT_FOUND. A new reference. */
json_t *context_load(struct cli *cli, const char *name, struct err *err);
/* The part of it that is about the docker endpoint; NULL allowed. Borrowed. */
json_t *context_docker(const json_t *meta);
/* Writes meta.json under the name that stands in it. */
int context_save(struct cli *cli, const json_t *meta, struct err *err);
int context_remove(struct cli *cli, const char *name, struct err *err);
/* Whether the store has it. */
bool context_exists(struct cli *cli, const char *name);
/* The names of the store, sorted, with "default" among them. The caller frees. */
char **context_names(struct cli *cli);

/* The path of one of its TLS files, NULL if it has none such. The caller frees. */
char *context_tls_file(struct cli *cli, const char *name, const char *file);
int context_tls_save(struct cli *cli, const char *name, const char *file, const void *data, size_t len,
                     struct err *err);
/* All its TLS files go. */
void context_tls_reset(struct cli *cli, const char *name);
/* "…/contexts/meta/<hash>", "…/contexts/tls/<hash>": kind is "meta" or "tls". The caller frees. */
char *context_directory(struct cli *cli, const char *kind, const char *name);

/* A context as a tar archive, as docker's: meta.json, tls/docker/…; and one from such an archive, under another name. */
int context_pack(struct cli *cli, const char *name, struct buf *out, struct err *err);
int context_unpack(struct cli *cli, const char *name, const char *archive, size_t len, struct err *err);

#endif
