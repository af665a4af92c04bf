/* keg cp: files between here and a container, packed and unpacked by tar. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/client.h"

enum { PIECE = 256 * 1024 };

extern char **environ;

static const struct option_row cp_options[] = {
    {"archive", 'a', OPTION_BOOL, "Keep users and groups"},
    {"follow-link", 'L', OPTION_BOOL, "Follow a symbolic link in SRC_PATH"},
    {"quiet", 'q', OPTION_BOOL, "Don't show progress"},
    {NULL},
};

/* "container:path" in its parts (the caller frees); false for a local path. */
static bool split_container(const char *text, char **ret_container, const char **ret_path)
{
    const char *colon = strchr(text, ':');

    if (!colon || text[0] == '/' || text[0] == '.')
        return false;
    *ret_container = xstrndup(text, (size_t)(colon - text));
    *ret_path = colon + 1;
    return true;
}

/* Runs tar with our end of a pipe at its stdin (unpacking) or stdout (packing). The descriptor, or -1. */
static int run_tar(char *const *argv, bool packing, pid_t *ret_pid, struct err *err)
{
    posix_spawn_file_actions_t actions;
    int ends[2], ours = packing ? 0 : 1, r;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "cannot make a pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[!ours], packing ? STDOUT_FILENO : STDIN_FILENO);
    r = posix_spawnp(ret_pid, "tar", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[!ours]);
    if (r) {
        close(ends[ours]);
        return err_errno(err, r, "cannot run tar");
    }
    return ends[ours];
}

static int finish_tar(pid_t pid, struct err *err)
{
    int status;

    if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
        return err_set(err, ERR_SYSTEM, "tar failed");
    return 0;
}

/* "a/b/" → "a/" and "b"; the caller frees both. */
static void split_path(const char *path, char **ret_parent, char **ret_base)
{
    const char *end = path + strlen(path), *start;

    while (end > path + 1 && end[-1] == '/')
        end--;
    for (start = end; start > path && start[-1] != '/';)
        start--;
    *ret_parent = xstrndup(path, (size_t)(start - path));
    *ret_base = xstrndup(start, (size_t)(end - start));
}

static void append_quoted(struct buf *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (strchr(special, *text))
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

/* The option by which tar gives the top of what it (un)packs another name; the caller frees. */
static char *rename_rule(const char *from, const char *to)
{
    struct buf rule = BUF_INIT(64 * 1024);

    buf_puts(&rule, "--transform=s,^");
    append_quoted(&rule, from, ".*[]^$\\,");
    buf_putc(&rule, ',');
    append_quoted(&rule, to, "&\\,");
    buf_puts(&rule, ",S"); /* targets of symbolic links stay */
    return buf_take(&rule);
}

static int copy_down(struct http *http, int fd, struct err *err)
{
    _cleanup_free_ char *data = xmalloc(PIECE);
    ssize_t n;

    while ((n = http_read(http, data, PIECE, err)) > 0)
        if (fd_write_full(fd, data, (size_t)n) < 0)
            return 0; /* tar tells why */
    return (int)n;
}

static int from_container(struct cli *cli, const char *container, const char *path, const char *local,
                          struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {.method = "GET", .url = &url};
    _cleanup_(http_free_p) struct http *http = NULL;
    _cleanup_free_ char *above = NULL, *name = NULL, *parent = NULL, *target = NULL, *rule = NULL;
    char *argv[] = {
        (char *)"tar", (char *)"-x", (char *)"-C", NULL, (char *)"-f", (char *)"-", (char *)"--no-same-owner",
        NULL,          NULL,         NULL};
    struct stat st;
    bool into = stat(local, &st) == 0 && S_ISDIR(st.st_mode);
    _cleanup_close_ int pipe = -EBADF;
    pid_t pid;

    url_path(&url, "/containers/", container, "/archive", NULL);
    url_add(&url, "path", path);
    http = client_open(cli, &request, err);
    if (!http)
        return -1;
    if (str_eq(local, "-"))
        return copy_down(http, STDOUT_FILENO, err);
    split_path(path, &above, &name);
    split_path(local, &parent, &target);
    argv[3] = into ? (char *)local : *parent ? parent : (char *)".";
    if (!into && !str_eq(name, target))
        argv[7] = rule = rename_rule(name, target);
    pipe = run_tar(argv, /* packing= */ false, &pid, err);
    if (pipe < 0 || copy_down(http, pipe, err) < 0)
        return -1;
    close_fd(&pipe);
    return finish_tar(pid, err);
}

static int send_pipe(struct http *http, int fd, struct err *err)
{
    _cleanup_free_ char *data = xmalloc(PIECE);
    ssize_t n;

    do {
        n = read(fd, data, PIECE);
        if (n < 0)
            return err_errno(err, errno, "read what to copy");
        if (http_send_chunk(http, data, (size_t)n, err) < 0)
            return -1;
    } while (n > 0);
    return 0;
}

/* Whether the path is a directory in the container. */
static bool is_directory_there(struct cli *cli, const char *container, const char *path)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {.method = "HEAD", .url = &url};
    _cleanup_(http_free_p) struct http *http = NULL;

    url_path(&url, "/containers/", container, "/archive", NULL);
    url_add(&url, "path", path);
    http = client_open(cli, &request, NULL);
    return http && path[strlen(path) - 1] != '.' ? http_header(http, "X-Docker-Container-Path-Stat") != NULL
                                                 : http != NULL;
}

static int to_container(struct cli *cli, const char *local, const char *container, const char *path,
                        struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {
        .method = "PUT", .url = &url, .content_type = "application/x-tar", .stream = true};
    bool from_stdin = str_eq(local, "-"), exists = is_directory_there(cli, container, path);
    _cleanup_free_ char *source = NULL, *name = NULL, *parent = NULL, *target = NULL, *rule = NULL;
    char *argv[] = {(char *)"tar", (char *)"-c", (char *)"-f", (char *)"-", (char *)"-C",
                    NULL,          NULL,         NULL,         NULL};
    _cleanup_close_ int pipe = -EBADF;
    struct http *http;
    pid_t pid = 0;
    int r;

    split_path(local, &source, &name);
    split_path(path, &parent, &target);
    argv[5] = *source ? source : (char *)".";
    argv[6] = *name ? name : (char *)".";
    if (!exists && !from_stdin) /* the last part is the new name */
        argv[7] = rule = rename_rule(name, target);
    url_path(&url, "/containers/", container, "/archive", NULL);
    url_add(&url, "path", rule ? (*parent ? parent : "/") : path);
    url_add(&url, "noOverwriteDirNonDir", "true");
    pipe = from_stdin ? dup(STDIN_FILENO) : run_tar(argv, /* packing= */ true, &pid, err);
    http = pipe >= 0 ? client_open(cli, &request, err) : NULL;
    if (!http)
        return -1;
    r = send_pipe(http, pipe, err);
    if (r == 0)
        r = client_begin_reply(http, err);
    http_free(http);
    if (pid && r == 0)
        r = finish_tar(pid, err);
    return r;
}

static int cp_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_free_ char *from = NULL, *to = NULL;
    const char *from_path = NULL, *to_path = NULL;
    bool outside = split_container(args->rest[0], &from, &from_path);
    bool inside = split_container(args->rest[1], &to, &to_path);

    if (inside && outside)
        return err_set(err, ERR_INVALID, "copying between containers is not supported");
    if (!inside && !outside)
        return err_set(err, ERR_INVALID, "must specify at least one container source");
    if (outside)
        return from_container(cli, from, from_path, args->rest[1], err);
    return to_container(cli, args->rest[0], to, to_path, err);
}

const struct command cmd_cp = {
    .paths = "container cp,cp",
    .summary = "Copy files between a container and here",
    .arguments = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|- or SRC_PATH|- CONTAINER:DEST_PATH",
    .min_arguments = 2,
    .max_arguments = 2,
    .options = {cp_options},
    .run = cp_run,
};
