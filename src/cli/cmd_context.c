/* keg context, but for create and update. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/config.h"
#include "cli/context.h"
#include "cli/endpoint.h"
#include "cli/format.h"
#include "cli/inspect.h"
#include "cli/output.h"

enum { ARCHIVE_MAX = 10 * 1024 * 1024 };

/* ---- ls ---- */

static json_t *ls_name(const struct format_row *row)
{
    bool current = json_bool_or(row->data, "Current", false), marked = row->extra != NULL;

    return format_take(xasprintf("%s%s", json_str_or(row->data, "Name", ""), current && marked ? " *" : ""));
}

static json_t *ls_member(const struct format_row *row, const char *key, size_t width)
{
    const char *text = json_str_or(row->data, key, "");

    return format_take(row->truncate && width ? ellipsis(text, width) : xstrdup(text));
}

static json_t *ls_description(const struct format_row *row)
{
    return ls_member(row, "Description", row->extra ? 60 : 0);
}

static json_t *ls_endpoint(const struct format_row *row)
{
    return ls_member(row, "DockerEndpoint", 0);
}

static json_t *ls_error(const struct format_row *row)
{
    return ls_member(row, "Error", row->extra ? 45 : 0);
}

static json_t *ls_current(const struct format_row *row)
{
    return json_boolean(json_bool_or(row->data, "Current", false));
}

static const struct format_column ls_columns[] = {
    {"Current", "CURRENT", ls_current},
    {"Description", "DESCRIPTION", ls_description},
    {"DockerEndpoint", "DOCKER ENDPOINT", ls_endpoint},
    {"Error", "ERROR", ls_error},
    {"Name", "NAME", ls_name},
    {NULL},
};
static const struct format_view ls_view = {"*formatter.clientContextContext",
                                           "{{.Name}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}",
                                           "{{.Name}}", ls_columns};

static const struct option_row ls_options[] = {
    {"format", 0, OPTION_STRING, format_help_table},
    {"quiet", 'q', OPTION_BOOL, "Print only names"},
    {NULL},
};

static void warn_of_override(const char *instead)
{
    if (endpoint_override())
        fprintf(
            stderr,
            "Warning: %s environment variable overrides the active context. To use %s, either set the global "
            "--context flag, or unset %s environment variable.\n",
            endpoint_override(), instead, endpoint_override());
}

static void list_context(struct cli *cli, json_t *rows, const char *name, const char *current)
{
    bool is_default = str_eq(name, CONTEXT_DEFAULT);
    struct err why = {0};
    _cleanup_json_ json_t *meta = context_load(cli, name, &why);
    const char *description = json_str_or(json_object_get(meta, "Metadata"), "Description", "");

    json_array_append_new(rows,
                          json_pack("{s:s, s:s, s:s, s:s, s:b}", "Name", name, "Description",
                                    is_default ? "Current DOCKER_HOST based configuration" : description,
                                    "DockerEndpoint", json_str_or(context_docker(meta), "Host", ""), "Error",
                                    meta ? "" : why.message, "Current", str_eq(name, current)));
}

static int ls_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_json_ json_t *rows = json_array(), *marked = json_true();
    const char *format = args_str(args, "format"), *current = context_current(cli, err);
    bool table = !*format || str_starts(format, "table");
    struct format_wish wish = {
        .format = format, .quiet = args_bool(args, "quiet"), .extra = table ? marked : NULL};
    _cleanup_strv_ char **names = current ? context_names(cli) : NULL;

    if (!current)
        return -1;
    if (wish.quiet)
        wish.extra = NULL;
    for (char **name = names; name && *name; name++)
        list_context(cli, rows, *name, current);
    if (!strv_contains(names, current) && !wish.quiet) /* named, and not there: shown with the reason */
        list_context(cli, rows, current, current);
    if (format_print(&ls_view, &wish, rows, err) < 0)
        return -1;
    fflush(stdout);
    if (!args_given(cli->global, "context") && !args_given(cli->global, "host"))
        warn_of_override("a context");
    return 0;
}

const struct command cmd_context_ls = {
    .paths = "context ls,context list",
    .summary = "List contexts",
    .arguments = "[OPTIONS]",
    .options = {ls_options},
    .run = ls_run,
};

/* ---- inspect, show ---- */

static json_t *tls_material(struct cli *cli, const char *name)
{
    json_t *material = json_object(), *files = json_array();

    for (const char *const *file = context_tls_names; *file; file++) {
        _cleanup_free_ char *path = context_tls_file(cli, name, *file);

        if (path)
            json_array_append_new(files, json_string(*file));
    }
    if (json_array_size(files))
        json_object_set(material, "docker", files);
    json_decref(files);
    return material;
}

static int fetch_context(struct cli *cli, const struct args *args _unused_, const char *name, struct buf *out,
                         struct err *err)
{
    _cleanup_json_ json_t *meta = context_load(cli, name, err);
    _cleanup_free_ char *meta_directory = context_directory(cli, "meta", name),
                        *tls_directory = context_directory(cli, "tls", name);
    bool is_default = str_eq(name, CONTEXT_DEFAULT);

    if (!meta)
        return -1;
    json_object_set_new(meta, "TLSMaterial", is_default ? json_object() : tls_material(cli, name));
    json_object_set_new(meta, "Storage",
                        json_pack("{s:s, s:s}", "MetadataPath", is_default ? "<IN MEMORY>" : meta_directory,
                                  "TLSPath", is_default ? "<IN MEMORY>" : tls_directory));
    json_append(out, meta);
    return 0;
}

static int inspect_contexts(struct cli *cli, const struct args *args, struct err *err)
{
    struct args current = *args;
    const char *name = context_current(cli, err);
    char *names[] = {(char *)name, NULL};

    if (!name)
        return -1;
    if (args->rest_count)
        return inspect_print(cli, args, fetch_context, err);
    current.rest = names;
    current.rest_count = 1;
    return inspect_print(cli, &current, fetch_context, err);
}

static const struct option_row inspect_context_options[] = {
    {"format", 'f', OPTION_STRING, format_help_plain},
    {NULL},
};

const struct command cmd_context_inspect = {
    .paths = "context inspect",
    .summary = "Show all that is known about contexts",
    .arguments = "[OPTIONS] [CONTEXT] [CONTEXT...]",
    .max_arguments = -1,
    .options = {inspect_context_options},
    .run = inspect_contexts,
};

static int show_run(struct cli *cli, const struct args *args _unused_, struct err *err)
{
    const char *name = context_current(cli, err);

    return name ? (puts(name), 0) : -1;
}

const struct command cmd_context_show = {
    .paths = "context show",
    .summary = "Print the name of the context in use",
    .run = show_run,
};

/* ---- use, rm ---- */

static int set_current(struct cli *cli, const char *name, struct err *err)
{
    json_t *config = (json_t *)config_get(cli);

    if (str_eq(name, CONTEXT_DEFAULT))
        json_object_del(config, "currentContext");
    else
        json_set_str(config, "currentContext", name);
    return config_save(cli, err);
}

static int use_run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *name = args->rest[0];
    _cleanup_json_ json_t *meta = context_load(cli, name, err);
    _cleanup_free_ char *quoted = xasprintf("\"%s\"", name);

    if (!meta || set_current(cli, name, err) < 0)
        return -1;
    puts(name);
    fflush(stdout);
    fprintf(stderr, "Current context is now \"%s\"\n", name);
    if (!str_eq(name, CONTEXT_DEFAULT))
        warn_of_override(quoted);
    return 0;
}

const struct command cmd_context_use = {
    .paths = "context use",
    .summary = "Set the context that is used from now on",
    .arguments = "CONTEXT",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = use_run,
};

static const struct option_row rm_options[] = {
    {"force", 'f', OPTION_BOOL, "Remove it also when it is in use"},
    {NULL},
};

static int remove_one(struct cli *cli, const struct args *args, const char *name, struct err *err)
{
    bool force = args_bool(args, "force");
    const char *current = config_str(cli, "currentContext");

    if (str_eq(name, CONTEXT_DEFAULT))
        return err_set(err, ERR_INVALID, "context \"default\" cannot be removed");
    if (!context_exists(cli, name) && !force)
        return err_set(err, ERR_NOT_FOUND, "context \"%s\" does not exist", name);
    if (str_eq(name, current) && !force)
        return err_set(err, ERR_CONFLICT, "context \"%s\" is in use, set -f flag to force remove", name);
    if (str_eq(name, current) && set_current(cli, CONTEXT_DEFAULT, err) < 0)
        return -1;
    return context_remove(cli, name, err);
}

static int rm_run(struct cli *cli, const struct args *args, struct err *err _unused_)
{
    return cli_for_each(cli, args, remove_one);
}

const struct command cmd_context_rm = {
    .paths = "context rm,context remove",
    .summary = "Remove contexts",
    .arguments = "CONTEXT [CONTEXT...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = {rm_options},
    .run = rm_run,
};

/* ---- export, import ---- */

static int export_run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *name = args->rest[0], *given = args->rest_count > 1 ? args->rest[1] : NULL;
    _cleanup_free_ char *path = given ? xstrdup(given) : xasprintf("%s.dockercontext", name);
    _cleanup_(buf_finish) struct buf archive = BUF_INIT(ARCHIVE_MAX);
    _cleanup_close_ int fd = -EBADF;
    int r;

    if (context_pack(cli, name, &archive, err) < 0)
        return -1;
    if (str_eq(path, "-")) {
        if (isatty(STDOUT_FILENO))
            return err_set(err, ERR_INVALID,
                           "cowardly refusing to export to a terminal, specify a file path");
        return fd_write_full(STDOUT_FILENO, archive.data, archive.len) < 0 ? 1 : 0;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_CONFLICT, "open %s: file exists", path);
    r = fd < 0 ? -errno : fd_write_full(fd, archive.data, archive.len);
    if (r < 0)
        return err_errno(err, r, "open %s", path);
    fprintf(stderr, "Written file \"%s\"\n", path);
    return 0;
}

const struct command cmd_context_export = {
    .paths = "context export",
    .summary = "Export a context as a tar archive",
    .arguments = "[OPTIONS] CONTEXT [FILE|-]",
    .min_arguments = 1,
    .max_arguments = 2,
    .run = export_run,
};

static int import_run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *name = args->rest[0], *path = args->rest[1];
    _cleanup_(buf_finish) struct buf archive = BUF_INIT(ARCHIVE_MAX);
    _cleanup_close_ int fd = -EBADF;
    int r;

    if (context_check_name(name, err) < 0)
        return -1;
    if (context_exists(cli, name))
        return err_set(err, ERR_CONFLICT, "context \"%s\" already exists", name);
    fd = str_eq(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "open %s: no such file or directory", path);
    r = fd < 0 ? -errno : fd_read_all(fd, &archive);
    if (r < 0)
        return err_errno(err, r, "read %s", path);
    if (context_unpack(cli, name, buf_str(&archive), archive.len, err) < 0)
        return -1;
    puts(name);
    fflush(stdout);
    fprintf(stderr, "Successfully imported context \"%s\"\n", name);
    return 0;
}

const struct command cmd_context_import = {
    .paths = "context import",
    .summary = "Import a context from a tar archive",
    .arguments = "CONTEXT FILE|-",
    .min_arguments = 2,
    .max_arguments = 2,
    .run = import_run,
};
