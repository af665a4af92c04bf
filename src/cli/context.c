/* The store of contexts. */
#include "cli/context.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/config.h"
#include "cli/endpoint.h"

enum { META_MAX = 1024 * 1024 };

const char *const context_tls_names[] = {"ca.pem", "cert.pem", "key.pem", NULL};

const char *context_current(struct cli *cli, struct err *err)
{
    const char *name = args_str(cli->global, "context");

    if (*name && *args_str(cli->global, "host")) {
        err_set(err, ERR_INVALID, "conflicting options: cannot specify both --host and --context");
        return NULL;
    }
    if (*name)
        return name;
    if (*args_str(cli->global, "host") || endpoint_override())
        return CONTEXT_DEFAULT;
    name = endpoint_environment("CONTEXT");
    if (!name)
        name = config_str(cli, "currentContext");
    return str_empty(name) ? CONTEXT_DEFAULT : name;
}

int context_check_name(const char *name, struct err *err)
{
    bool fits = isalnum((unsigned char)name[0]) && name[1];

    if (str_eq(name, CONTEXT_DEFAULT))
        return err_set(err, ERR_INVALID, "\"default\" is a reserved context name");
    for (const char *c = name; *c; c++)
        fits &= isalnum((unsigned char)*c) || strchr("_.+-", *c);
    return fits ? 0
                : err_set(err, ERR_INVALID,
                          "context name \"%s\" is invalid, names are validated against regexp "
                          "\"^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$\"",
                          name);
}

char *context_directory(struct cli *cli, const char *kind, const char *name)
{
    char hash[SHA256_HEX_SIZE];

    sha256_of(name, strlen(name), hash);
    return xasprintf("%s/contexts/%s/%s", config_directory(cli), kind, hash);
}

static char *meta_path(struct cli *cli, const char *name)
{
    _cleanup_free_ char *directory = context_directory(cli, "meta", name);

    return path_join(directory, "meta.json");
}

json_t *context_docker(const json_t *meta)
{
    return json_object_get(json_object_get(meta, "Endpoints"), "docker");
}

static json_t *default_context(struct cli *cli)
{
    _cleanup_free_ char *host = endpoint_default_host(cli);

    return json_pack("{s:s, s:{}, s:{s:{s:s, s:b}}}", "Name", CONTEXT_DEFAULT, "Metadata", "Endpoints",
                     "docker", "Host", host, "SkipTLSVerify", 0);
}

json_t *context_load(struct cli *cli, const char *name, struct err *err)
{
    _cleanup_free_ char *path = meta_path(cli, name);
    struct err why = {0};
    json_t *meta;

    if (str_eq(name, CONTEXT_DEFAULT))
        return default_context(cli);
    meta = json_load(AT_FDCWD, path, META_MAX, &why);
    if (meta)
        return meta;
    if (why.errnum == ENOENT)
        err_set(err, ERR_NOT_FOUND, "context \"%s\": context not found: open %s: no such file or directory",
                name, path);
    else
        err_set(err, why.kind, "context \"%s\": %s", name, why.message);
    return NULL;
}

bool context_exists(struct cli *cli, const char *name)
{
    _cleanup_free_ char *path = meta_path(cli, name);

    return access(path, F_OK) == 0;
}

static int write_file(const char *directory, const char *name, const void *data, size_t len, mode_t mode,
                      mode_t directory_mode, struct err *err)
{
    _cleanup_free_ char *path = path_join(directory, name);
    int r = path_mkdir_all(directory, directory_mode);

    if (r >= 0)
        r = file_replace(AT_FDCWD, path, data, len, mode, /* sync= */ false);
    return r < 0 ? err_errno(err, r, "cannot write %s", path) : 0;
}

int context_save(struct cli *cli, const json_t *meta, struct err *err)
{
    _cleanup_free_ char *directory = context_directory(cli, "meta", json_str_or(meta, "Name", ""));
    _cleanup_free_ char *text = json_text(meta);

    return write_file(directory, "meta.json", text, strlen(text), 0644, 0755, err);
}

int context_remove(struct cli *cli, const char *name, struct err *err)
{
    _cleanup_free_ char *directory = context_directory(cli, "meta", name);
    int r = path_remove_all(AT_FDCWD, directory);

    context_tls_reset(cli, name);
    return r < 0 ? err_errno(err, r, "cannot remove %s", directory) : 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **context_names(struct cli *cli)
{
    _cleanup_free_ char *path = xasprintf("%s/contexts/meta", config_directory(cli));
    DIR *directory = opendir(path);
    char **names = NULL;

    strv_push(&names, CONTEXT_DEFAULT);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        _cleanup_free_ char *file = xasprintf("%s/%s/meta.json", path, entry->d_name);
        _cleanup_json_ json_t *meta =
            entry->d_name[0] == '.' ? NULL : json_load(AT_FDCWD, file, META_MAX, NULL);

        if (json_str(meta, "Name"))
            strv_push(&names, json_str(meta, "Name"));
    }
    if (directory)
        closedir(directory);
    qsort(names, strv_len(names), sizeof(*names), compare_names);
    return names;
}

/* ---- TLS ---- */

static char *tls_directory(struct cli *cli, const char *name)
{
    _cleanup_free_ char *directory = context_directory(cli, "tls", name);

    return path_join(directory, "docker");
}

char *context_tls_file(struct cli *cli, const char *name, const char *file)
{
    _cleanup_free_ char *directory = tls_directory(cli, name);
    char *path = path_join(directory, file);

    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}

int context_tls_save(struct cli *cli, const char *name, const char *file, const void *data, size_t len,
                     struct err *err)
{
    _cleanup_free_ char *directory = tls_directory(cli, name);

    return write_file(directory, file, data, len, 0600, 0700, err);
}

void context_tls_reset(struct cli *cli, const char *name)
{
    _cleanup_free_ char *directory = context_directory(cli, "tls", name);

    path_remove_all(AT_FDCWD, directory);
}
