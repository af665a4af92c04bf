/* Images in and out: load, import, save, export, tag, rmi, commit. */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static struct http *open_upload(struct cli *cli, const struct buf *url, int fd, const char *name,
                                struct err *err)
{
    const struct client_request request = {
        .method = "POST", .url = url, .content_type = "application/x-tar", .stream = true};
    struct http *http = client_hand_over(cli, url, fd);

    if (http)
        return http;
    http = client_open(cli, &request, err);
    if (!http || send_file(http, fd, name, err) == 0)
        return http;
    http_free(http);
    return NULL;
}

/* POSTs a file (or stdin for NULL and "-") and shows the progress that comes back. */
static int upload(struct cli *cli, const struct buf *url, const char *path, bool quiet, struct err *err)
{
    bool from_stdin = str_empty(path) || str_eq(path, "-");
    _cleanup_close_ int file = from_stdin ? -EBADF : open(path, O_RDONLY | O_CLOEXEC);
    struct http *http;
    int r;

    if (!from_stdin && file < 0)
        return err_errno(err, errno, "open %s", path);
    http = open_upload(cli, url, from_stdin ? STDIN_FILENO : file, from_stdin ? "stdin" : path, err);
    if (!http)
        return -1;
    r = client_begin_reply(http, err);
    if (r == 0)
        r = progress_show(http, stdout, quiet, err);
    client_end(cli, http);
    return r;
}

/* ---- save, export ---- */

/* Where an answer goes: stdout, or a file that has no name until it is whole, so that nothing is left of one that was cut
 * off. What is no regular file (a pipe) is written to in place. */
struct output {
    char *path, *partial; /* partial: its name meanwhile, where the file system can't do without one */
    int fd;
    bool in_place;
};

static void output_finish(struct output *o)
{
    if (o->partial)
        unlink(o->partial);
    if (o->fd != STDOUT_FILENO)
        close_fd(&o->fd);
    free(o->partial);
    free(o->path);
}

static int output_open(const char *path, struct output *ret, struct err *err)
{
    _cleanup_free_ char *copy = xstrdup(path);
    struct stat st;
    const char *directory = dirname(copy);

    *ret = (struct output){.fd = STDOUT_FILENO, .in_place = true};
    if (!*path && terminal_is(STDOUT_FILENO))
        return err_set(err, ERR_INVALID,
                       "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    if (!*path)
        return 0;
    ret->path = realpath(path, NULL); /* the file, not a symlink to it, is replaced */
    ret->path = ret->path ? ret->path : xstrdup(path);
    if (stat(ret->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        if (S_ISDIR(st.st_mode))
            return err_set(err, ERR_INVALID, "cannot write to a directory");
        if (!S_ISFIFO(st.st_mode))
            return err_set(err, ERR_INVALID, "invalid output path: \"%s\" must be a regular file", path);
        ret->fd = open(ret->path, O_WRONLY | O_CLOEXEC);
    } else {
        ret->in_place = false;
        ret->fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
        if (ret->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
            ret->partial = xasprintf("%s.partial-%d", ret->path, getpid());
            ret->fd = open(ret->partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        }
    }
    if (ret->fd < 0)
        return err_errno(err, errno, "invalid output path: %s%s", errno == ENOENT ? "stat " : "",
                         ret->in_place ? path : directory);
    return 0;
}

/* Gives the whole file its name. */
static int output_keep(struct output *o, struct err *err)
{
    char link[40];

    if (o->in_place)
        return 0;
    if (!o->partial) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", o->fd);
        o->partial = xasprintf("%s.partial-%d", o->path, getpid());
        if (linkat(AT_FDCWD, link, AT_FDCWD, o->partial, AT_SYMLINK_FOLLOW) < 0)
            return err_errno(err, errno, "write %s", o->path);
    }
    return rename(o->partial, o->path) < 0 ? err_errno(err, errno, "write %s", o->path) : 0;
}

/* Copies an answer to a new file (there only when whole) or to stdout. */
static int download(struct cli *cli, const struct buf *url, const char *path, const char *what,
                    struct err *err)
{
    struct client_request request = {.method = "GET", .url = url};
    _cleanup_free_ char *data = xmalloc(PIECE);
    _cleanup_(output_finish) struct output output;
    struct http *http;
    ssize_t n;
    int r;

    if (output_open(path, &output, err) < 0)
        return *path ? err_wrap(err, "failed to %s", what) : -1;
    http = client_open(cli, &request, err);
    if (!http)
        return -1;
    while ((n = http_read(http, data, PIECE, err)) > 0) {
        r = fd_write_full(output.fd, data, (size_t)n);
        if (r < 0) {
            n = err_errno(err, r, "write %s", *path ? path : "stdout");
            break;
        }
    }
    client_end(cli, http);
    return n < 0 ? -1 : output_keep(&output, err);
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

    _cleanup_(reference_finish) struct reference ref = {0};

    if (args->rest_count > 1 && reference_parse(args->rest[1], &ref, err) < 0)
        return -1;
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
    .max_arguments = -1,
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
    return download(cli, &url, args_str(args, "output"), "save image", err);
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
    return download(cli, &url, args_str(args, "output"), "export container", err);
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

    for (size_t i = 0; i < 2; i++)
        if ((i || !*args->rest[i]) && reference_parse(args->rest[i], &ref, err) < 0)
            return err_wrap(err, "Error parsing reference: \"%s\" is not a valid repository/tag",
                            args->rest[i]);
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

    if (!*args->rest[0])
        return err_set(err, ERR_INVALID, "invalid container name or ID: value is empty");
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
