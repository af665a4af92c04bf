/* keg context create, update. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/context.h"

enum { FILE_MAX = 1024 * 1024 };

static const struct option_row change_options[] = {
    {"description", 0, OPTION_STRING, "Description of the context"},
    {"docker", 0, OPTION_PAIRS,
     "The endpoint: host=ADDRESS, ca=FILE, cert=FILE, key=FILE, skip-tls-verify=BOOL, from=CONTEXT", "[]"},
    {NULL},
};
static const struct option_row from_options[] = {
    {"from", 0, OPTION_STRING, "Create it as a copy of this context"},
    {NULL},
};

/* The value of a key in --docker, NULL if it isn't there. */
static const char *setting(char *const *pairs, const char *key)
{
    const char *value = NULL;

    for (; pairs && *pairs; pairs++) {
        const char *rest = str_after(*pairs, key);

        if (rest && *rest == '=')
            value = rest + 1;
    }
    return value;
}

static int check_settings(char *const *pairs, struct err *err)
{
    static const char *const known[] = {"from", "host", "ca", "cert", "key", "skip-tls-verify"};

    for (; pairs && *pairs; pairs++) {
        size_t len = strcspn(*pairs, "=");
        bool found = false;

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
            found |= strlen(known[i]) == len && strncmp(known[i], *pairs, len) == 0;
        if (!found)
            return err_set(err, ERR_INVALID, "unrecognized config key: %.*s", (int)len, *pairs);
    }
    return 0;
}

static int check_host(const char *host, struct err *err)
{
    if (*host && !strstr(host, "://"))
        return err_set(err, ERR_INVALID,
                       "unable to apply docker endpoint options: unable to parse docker host `%s`", host);
    return 0;
}

/* One of the files that --docker names. */
static int save_tls_file(struct cli *cli, const char *name, const char *file, const char *path,
                         struct err *err)
{
    _cleanup_(buf_finish) struct buf data = BUF_INIT(FILE_MAX);
    int r = file_read(AT_FDCWD, path, &data);

    if (r == -ENOENT)
        return err_set(err, ERR_NOT_FOUND, "open %s: no such file or directory", path);
    if (r < 0)
        return err_errno(err, r, "open %s", path);
    if (!strstr(buf_str(&data), "-----BEGIN"))
        return err_set(
            err, ERR_INVALID,
            "invalid docker endpoint options: failed to retrieve context tls info: %s seems invalid", file);
    return context_tls_save(cli, name, file, buf_str(&data), data.len, err);
}

static int copy_tls(struct cli *cli, const char *from, const char *to, struct err *err)
{
    for (const char *const *file = context_tls_names; *file; file++) {
        _cleanup_free_ char *path = context_tls_file(cli, from, *file);

        if (path && save_tls_file(cli, to, *file, path, err) < 0)
            return -1;
    }
    return 0;
}

/* The endpoint that --docker describes; its TLS files are put under `name`. A new reference, or NULL. */
static json_t *make_endpoint(struct cli *cli, const char *name, char *const *pairs, struct err *err)
{
    const char *from = setting(pairs, "from"), *host = setting(pairs, "host");
    const char *files[] = {setting(pairs, "ca"), setting(pairs, "cert"), setting(pairs, "key")};
    _cleanup_json_ json_t *other = from ? context_load(cli, from, err) : NULL, *endpoint = json_object();
    const char *skip_text = setting(pairs, "skip-tls-verify");
    bool skip = false;

    if (from && !other)
        return NULL;
    if (from)
        return copy_tls(cli, from, name, err) < 0 ? NULL : json_deep_copy(context_docker(other));
    if (check_settings(pairs, err) < 0 || check_host(host ? host : "", err) < 0)
        return NULL;
    if (!str_empty(skip_text) && str_to_bool(skip_text, &skip) < 0) {
        err_set(err, ERR_INVALID, "skip-tls-verify: strconv.ParseBool: parsing \"%s\": invalid syntax",
                skip_text);
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (!str_empty(files[i]) && save_tls_file(cli, name, context_tls_names[i], files[i], err) < 0)
            return NULL;
    if (!str_empty(host))
        json_set_str(endpoint, "Host", host);
    json_set_bool(endpoint, "SkipTLSVerify", skip);
    return json_incref(endpoint);
}

static int announce(const char *name, const char *verb)
{
    puts(name);
    fflush(stdout);
    fprintf(stderr, "Successfully %s context \"%s\"\n", verb, name);
    return 0;
}

static void set_description(json_t *meta, const struct args *args)
{
    if (*args_str(args, "description"))
        json_set_str(json_object_get(meta, "Metadata"), "Description", args_str(args, "description"));
}

/* A new context's meta.json: of --docker, or as the context it is made from. */
static json_t *new_context(struct cli *cli, const struct args *args, struct err *err)
{
    const char *name = args->rest[0], *from = args_str(args, "from");
    json_t *meta, *endpoint;

    if (args_given(args, "docker")) {
        endpoint = make_endpoint(cli, name, args_list(args, "docker"), err);
        if (!endpoint)
            err_wrap(err, "unable to create docker endpoint config");
        return endpoint ? json_pack("{s:s, s:{}, s:{s:o}}", "Name", name, "Metadata", "Endpoints", "docker",
                                    endpoint)
                        : NULL;
    }
    if (!*from)
        from = context_current(cli, err);
    meta = from ? context_load(cli, from, err) : NULL;
    if (!meta || copy_tls(cli, from, name, err) < 0) {
        json_decref(meta);
        return NULL;
    }
    json_set_str(meta, "Name", name);
    return meta;
}

static int create_run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *name = args->rest[0];
    json_t *meta;
    int r;

    if (context_check_name(name, err) < 0)
        return -1;
    if (context_exists(cli, name))
        return err_set(err, ERR_CONFLICT, "context \"%s\" already exists", name);
    if (args_given(args, "docker") && *args_str(args, "from"))
        return err_set(err, ERR_INVALID, "cannot use --docker flag when --from is set");
    meta = new_context(cli, args, err);
    if (!meta) {
        context_tls_reset(cli, name);
        return -1;
    }
    set_description(meta, args);
    r = context_save(cli, meta, err);
    json_decref(meta);
    return r < 0 ? -1 : announce(name, "created");
}

const struct command cmd_context_create = {
    .paths = "context create",
    .summary = "Create a context",
    .arguments = "[OPTIONS] CONTEXT",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = {change_options, from_options},
    .run = create_run,
};

static int update_run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *name = args->rest[0];
    _cleanup_json_ json_t *meta = NULL;
    json_t *endpoint;

    if (context_check_name(name, err) < 0)
        return -1;
    meta = context_load(cli, name, err);
    if (!meta)
        return -1;
    set_description(meta, args);
    if (args_given(args, "docker")) {
        context_tls_reset(cli, name);
        endpoint = make_endpoint(cli, name, args_list(args, "docker"), err);
        if (!endpoint)
            return err_wrap(err, "unable to create docker endpoint config");
        json_object_set_new(json_object_get(meta, "Endpoints"), "docker", endpoint);
    }
    return context_save(cli, meta, err) < 0 ? -1 : announce(name, "updated");
}

const struct command cmd_context_update = {
    .paths = "context update",
    .summary = "Change a context",
    .arguments = "[OPTIONS] CONTEXT",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = {change_options},
    .run = update_run,
};
