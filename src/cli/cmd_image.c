/* Images in and out: load, import, save, export, tag, rmi, commit. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/progress.h"
#include "cli/reference.h"
#include "cli/terminal.h"

enum { PIECE = 256 * 1024 };

/* Sends everything of a descriptor as the request's body. 0 or -1. */
static int send_file(struct http *http, int fd, const char *name, struct err *err)
{
    _cleanup_free_ char *data = xmalloc(PIECE);

    for (;;) {
        ssize_t n = read(fd, data, PIECE);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "read %s", name);
        if (http_send_chunk(http, data, (size_t)n, err) < 0)
            return n ? 0 : -1; /* the daemon stopped reading: its answer says why */
        if (n == 0)
            return 0;
    }
}

/* POSTs a file (or stdin for NULL and "-") and shows the progress that comes back. */
static int upload(struct cli *cli, const struct buf *url, const char *path, bool quiet, struct err *err)
{
    struct client_request request = {
        .method = "POST", .url = url, .content_type = "application/x-tar", .stream = true};
    bool from_stdin = str_empty(path) || str_eq(path, "-");
    _cleanup_close_ int file = from_stdin ? -EBADF : open(path, O_RDONLY | O_CLOEXEC);
    struct http *http;
    int r;

    if (!from_stdin && file < 0)
        return err_set(err, ERR_INVALID, "open %s: %s", path, strerror(errno));
    http = client_open(cli, &request, err);
    if (!http)
        return -1;
    r = send_file(http, from_stdin ? STDIN_FILENO : file, from_stdin ? "stdin" : path, err);
    if (r == 0)
        r = client_begin_reply(http, err);
    if (r == 0)
        r = progress_show(http, stdout, quiet, err);
    client_end(cli, http);
    return r;
}

/* Copies an answer to a new file (in place only when whole) or to stdout. */
static int download(struct cli *cli, const struct buf *url, const char *path, struct err *err)
{
    struct client_request request = {.method = "GET", .url = url};
    _cleanup_free_ char *data = xmalloc(PIECE),
                        *partial = *path ? xasprintf("%s.partial-%d", path, getpid()) : NULL;
    _cleanup_close_ int file = -EBADF;
    struct http *http;
    ssize_t n;
    int r = 0;

    if (!*path && terminal_is(STDOUT_FILENO))
        return err_set(err, ERR_INVALID,
                       "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    http = client_open(cli, &request, err);
    if (!http)
        return -1;
    if (partial && (file = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        r = err_errno(err, errno, "failed to save: %s", partial);
    while (r == 0 && (n = http_read(http, data, PIECE, err)) != 0) {
        r = n < 0 ? -1 : fd_write_full(file >= 0 ? file : STDOUT_FILENO, data, (size_t)n);
        if (n > 0 && r < 0)
            r = err_errno(err, r, "write %s", *path ? path : "stdout");
    }
    client_end(cli, http);
    if (file >= 0 && r == 0 && rename(partial, path) < 0)
        r = err_errno(err, errno, "write %s", path);
    if (file >= 0 && r < 0)
        unlink(partial);
    return r;
}

/* ---- load, import ---- */

static const struct option_row load_options[] = {
    {"input", 'i', OPTION_STRING, "Read this file instead of STDIN"},
    {"platform", 0, OPTION_STRING, "Load only this platform (os/arch)"},
    {"quiet", 'q', OPTION_BOOL, "Don't show progress"},
    {NULL},
};

static int load_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    const char *input = args_str(args, "input");
    bool quiet = args_bool(args, "quiet") || !terminal_is(STDOUT_FILENO);

    if (!*input && terminal_is(STDIN_FILENO))
        return err_set(err, ERR_INVALID, "requested load from stdin, but stdin is empty");
    url_path(&url, "/images/load", NULL);
    url_add(&url, "quiet", quiet ? "1" : "0");
    if (url_add_platform(&url, "platform", args_str(args, "platform"), err) < 0)
        return -1;
    return upload(cli, &url, input, /* quiet= */ false, err);
}

const struct command cmd_load = {
    .paths = "image load,load",
    .summary = "Load images from an archive",
    .arguments = "[OPTIONS]",
    .options = {load_options},
    .run = load_run,
};

static const struct option_row import_options[] = {
    {"change", 'c', OPTION_LIST, "Apply a Dockerfile instruction to the image"},
    {"message", 'm', OPTION_STRING, "Message for the image's history"},
    {"platform", 0, OPTION_STRING, "Platform of the image (os/arch)"},
    {NULL},
};

static int import_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    const char *source = args->rest[0];
    bool remote = str_starts(source, "http://") || str_starts(source, "https://");

    url_path(&url, "/images/create", NULL);
    url_add(&url, "fromSrc", remote ? source : "-");
    url_add(&url, "repo", args->rest_count > 1 ? args->rest[1] : NULL);
    url_add(&url, "message", args_str(args, "message"));
    url_add(&url, "platform", args_str(args, "platform"));
    for (char **c = args_list(args, "change"); c && *c; c++)
        url_add(&url, "changes", *c);
    return upload(cli, &url, remote ? "/dev/null" : source, /* quiet= */ false, err);
}

const struct command cmd_import = {
    .paths = "image import,import",
    .summary = "Make an image from an archive of a filesystem",
    .arguments = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    .min_arguments = 1,
    .max_arguments = 2,
    .options = {import_options},
    .run = import_run,
};

/* ---- save, export ---- */

static const struct option_row save_options[] = {
    {"output", 'o', OPTION_STRING, "Write to a file instead of STDOUT"},
    {"platform", 0, OPTION_STRING, "Save only this platform (os/arch)"},
    {NULL},
};
static const struct option_row export_options[] = {
    {"output", 'o', OPTION_STRING, "Write to a file instead of STDOUT"},
    {NULL},
};

static int save_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;

    url_path(&url, "/images/get", NULL);
    for (size_t i = 0; i < args->rest_count; i++)
        url_add(&url, "names", args->rest[i]);
    if (url_add_platform(&url, "platform", args_str(args, "platform"), err) < 0)
        return -1;
    return download(cli, &url, args_str(args, "output"), err);
}

const struct command cmd_save = {
    .paths = "image save,save",
    .summary = "Save images to an archive (on STDOUT by default)",
    .arguments = "[OPTIONS] IMAGE [IMAGE...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = {save_options},
    .run = save_run,
};

static int export_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;

    url_path(&url, "/containers/", args->rest[0], "/export", NULL);
    return download(cli, &url, args_str(args, "output"), err);
}

const struct command cmd_export = {
    .paths = "container export,export",
    .summary = "Write a container's filesystem as an archive",
    .arguments = "[OPTIONS] CONTAINER",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = {export_options},
    .run = export_run,
};

/* ---- tag, rmi ---- */

static int tag_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(reference_finish) struct reference ref = {0};
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_free_ char *name = NULL;

    if (reference_parse(args->rest[1], &ref, err) < 0)
        return err_wrap(err, "Error parsing reference: \"%s\" is not a valid repository/tag", args->rest[1]);
    if (ref.digest)
        return err_set(err, ERR_INVALID, "refusing to create a tag with a digest reference");
    name = reference_name(&ref);
    url_path(&url, "/images/", args->rest[0], "/tag", NULL);
    url_add(&url, "repo", name);
    url_add(&url, "tag", ref.tag ? ref.tag : "latest");
    return client_call(cli, "POST", &url, NULL, NULL, err);
}

const struct command cmd_tag = {
    .paths = "image tag,tag",
    .summary = "Give an image another name",
    .arguments = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    .min_arguments = 2,
    .max_arguments = 2,
    .run = tag_run,
};

static const struct option_row rmi_options[] = {
    {"force", 'f', OPTION_BOOL, "Remove it even if containers use it"},
    {"no-prune", 0, OPTION_BOOL, "Keep parents without a name"},
    {"platform", 0, OPTION_STRINGS, "Remove only this platform (os/arch)"},
    {NULL},
};

static int rmi_run(struct cli *cli, const struct args *args, struct err *err)
{
    int code = 0;

    for (size_t i = 0; i < args->rest_count; i++) {
        _cleanup_(buf_finish) struct buf url = URL_INIT;
        _cleanup_json_ json_t *removed = NULL;
        struct err why = {0};
        const json_t *item;
        size_t j;

        url_path(&url, "/images/", args->rest[i], NULL);
        url_add_bool(&url, "force", args_bool(args, "force"));
        url_add_bool(&url, "noprune", args_bool(args, "no-prune"));
        for (char **p = args_list(args, "platform"); p && *p; p++)
            if (url_add_platform(&url, "platforms", *p, err) < 0)
                return -1;
        if (client_call(cli, "DELETE", &url, NULL, &removed, &why) < 0) {
            bool forgiven = args_bool(args, "force") && why.kind == ERR_NOT_FOUND;

            cli_complain(&why);
            code = forgiven ? code : 1;
        }
        json_array_foreach (removed, j, item) {
            const char *untagged = json_str(item, "Untagged");

            printf("%s: %s\n", untagged ? "Untagged" : "Deleted",
                   untagged ? untagged : json_str_or(item, "Deleted", ""));
        }
    }
    return code;
}

const struct command cmd_rmi = {
    .paths = "image rm,image remove,rmi",
    .summary = "Remove images",
    .arguments = "[OPTIONS] IMAGE [IMAGE...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = {rmi_options},
    .run = rmi_run,
};

/* ---- commit ---- */

static const struct option_row commit_options[] = {
    {"author", 'a', OPTION_STRING, "Author"},
    {"change", 'c', OPTION_LIST, "Apply a Dockerfile instruction to the image"},
    {"message", 'm', OPTION_STRING, "Message for the image's history"},
    {"pause", 'p', OPTION_BOOL, "Freeze the container meanwhile", "true"},
    {NULL},
};

static int commit_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(reference_finish) struct reference ref = {0};
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_free_ char *name = NULL;
    _cleanup_json_ json_t *answer = NULL;

    if (args->rest_count > 1 && reference_parse(args->rest[1], &ref, err) < 0)
        return -1;
    if (ref.digest)
        return err_set(err, ERR_INVALID, "refusing to create a tag with a digest reference");
    name = args->rest_count > 1 ? reference_name(&ref) : NULL;
    url_path(&url, "/commit", NULL);
    url_add(&url, "container", args->rest[0]);
    url_add(&url, "repo", name);
    url_add(&url, "tag", ref.tag ? ref.tag : name ? "latest" : NULL);
    url_add(&url, "comment", args_str(args, "message"));
    url_add(&url, "author", args_str(args, "author"));
    url_add(&url, "pause", args_bool(args, "pause") ? NULL : "0");
    for (char **c = args_list(args, "change"); c && *c; c++)
        url_add(&url, "changes", *c);
    if (client_call(cli, "POST", &url, NULL, &answer, err) < 0)
        return -1;
    puts(json_str_or(answer, "Id", ""));
    return 0;
}

const struct command cmd_commit = {
    .paths = "container commit,commit",
    .summary = "Make an image of a container's changes",
    .arguments = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    .min_arguments = 1,
    .max_arguments = 2,
    .options = {commit_options},
    .run = commit_run,
};
