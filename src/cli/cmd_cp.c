/* keg cp: files between here and a container. What is here is packed and unpacked by tar; what is there, by the daemon. */
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/terminal.h"

enum { PIECE = 256 * 1024 };

#define GO_MODE_DIR  (1LL << 31)
#define GO_MODE_LINK (1LL << 27)

extern char **environ;

static const struct option_row cp_options[] = {
    {"archive", 'a', OPTION_BOOL, "Archive mode: what comes in belongs to the container's user"},
    {"follow-link", 'L', OPTION_BOOL, "Follow a symbolic link in SRC_PATH"},
    {"quiet", 'q', OPTION_BOOL, "Don't say what was copied"},
    {NULL},
};

/* One side of a copy. */
struct side {
    char *container; /* NULL: here */
    char *path;
    bool exists, directory;
};

struct copy {
    struct cli *cli;
    bool follow, archive, tell;
    int64_t bytes;
};

static void side_finish(struct side *s)
{
    free(s->container);
    free(s->path);
}

/* "container:path", or a local path. */
static void side_parse(const char *text, struct side *ret)
{
    const char *colon = strchr(text, ':');

    *ret = (struct side){0};
    if (colon && *text != '/' && *text != '.') {
        ret->container = xstrndup(text, (size_t)(colon - text));
        text = colon + 1;
    }
    ret->path = xstrdup(text);
}

static bool asserts_directory(const char *path)
{
    size_t len = strlen(path);

    return len > 0 &&
           (path[len - 1] == '/' || str_eq(path, ".") || (len > 1 && str_eq(path + len - 2, "/.")));
}

/* "a/b/" → "a/" (or "") and "b"; "a/." → "a/" and ".". The caller frees both. */
static void split_path(const char *path, char **ret_parent, char **ret_base)
{
    const char *end = path + strlen(path), *start;

    while (end > path && end[-1] == '/')
        end--;
    for (start = end; start > path && start[-1] != '/';)
        start--;
    *ret_parent = xstrndup(path, (size_t)(start - path));
    *ret_base = xstrndup(start, (size_t)(end - start));
}

/* ---- tar ---- */

static void append_quoted(struct buf *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (strchr(special, *text))
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

/* The option by which tar gives the top of what it (un)packs another name; "" is the root. The caller frees. */
static char *rename_rule(const char *from, const char *to)
{
    struct buf rule = BUF_INIT(64 * 1024);

    buf_puts(&rule, "--transform=s,^");
    append_quoted(&rule, from, ".*[]^$\\,");
    buf_puts(&rule, *from ? "," : "/*,");
    append_quoted(&rule, to, "&\\,");
    buf_puts(&rule, *from ? ",S" : "/,S"); /* targets of symbolic links stay */
    return buf_take(&rule);
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

/* ---- the container's side ---- */

static void archive_url(struct buf *url, const struct side *there, const char *path)
{
    url_path(url, "/containers/", there->container, "/archive", NULL);
    url_add(url, "path", path);
}

/* What the daemon says of a path, or NULL: the header's object. */
static json_t *stat_of(struct http *http)
{
    const char *header = http_header(http, "X-Docker-Container-Path-Stat");
    _cleanup_free_ char *text = header ? base64_decode(header) : NULL;

    return text ? json_parse(text, strlen(text), "the path's description", NULL) : NULL;
}

static json_t *ask_stat(struct cli *cli, const struct side *there, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {.method = "HEAD", .url = &url};
    struct http *http;
    json_t *stat;

    archive_url(&url, there, there->path);
    http = client_open(cli, &request, err);
    if (!http)
        return NULL;
    stat = stat_of(http);
    http_free(http);
    if (!stat)
        err_set(err, ERR_SYSTEM, "the daemon doesn't say what %s is", there->path);
    return stat;
}

/* A symbolic link gives way to what it leads to. *stat is what was said of it. */
static void follow_there(struct side *there, const json_t *stat)
{
    const char *target = json_str_or(stat, "linkTarget", "");
    bool slash = asserts_directory(there->path);

    if (!(json_int_or(stat, "mode", 0) & GO_MODE_LINK) || !*target)
        return;
    free(there->path);
    there->path = xasprintf("%s%s", target, slash ? "/" : "");
}

/* Where something shall go in a container. */
static void look_there(struct cli *cli, struct side *there)
{
    _cleanup_json_ json_t *stat = ask_stat(cli, there, NULL);

    if (stat && json_int_or(stat, "mode", 0) & GO_MODE_LINK) {
        follow_there(there, stat);
        json_decref(stat);
        stat = ask_stat(cli, there, NULL);
    }
    there->exists = stat != NULL;
    there->directory = json_int_or(stat, "mode", 0) & GO_MODE_DIR;
}

/* ---- what goes where ---- */

/* The directory it goes into and the name it gets there (NULL: it keeps its own). The caller frees both. */
static int choose_place(const struct side *from, const struct side *to, char **ret_dir, char **ret_name,
                        struct err *err)
{
    *ret_name = NULL;
    if (to->exists && to->directory) {
        *ret_dir = xstrdup(to->path);
        return 0;
    }
    if (to->exists && from->directory)
        return err_set(err, ERR_INVALID, "cannot copy directory");
    if (!to->exists && !from->directory && asserts_directory(to->path))
        return err_set(err, ERR_INVALID, "no such directory");
    split_path(to->path, ret_dir, ret_name);
    if (!**ret_dir) {
        free(*ret_dir);
        *ret_dir = xstrdup(to->container ? "/" : ".");
    }
    return 0;
}

static void tell(const struct copy *c, const struct side *to)
{
    char size[SIZE_TEXT];

    if (c->tell)
        fprintf(stderr, "Successfully copied %s to %s%s%s\n", human_size((double)c->bytes, 3, size),
                to->container ? to->container : "", to->container ? ":" : "", to->path);
}

/* ---- out of a container ---- */

static int copy_down(struct copy *c, struct http *http, int fd, struct err *err)
{
    _cleanup_free_ char *data = xmalloc(PIECE);
    ssize_t n;

    while ((n = http_read(http, data, PIECE, err)) > 0) {
        c->bytes += n;
        if (fd_write_full(fd, data, (size_t)n) < 0)
            return 0; /* tar tells why */
    }
    return (int)n;
}

static int unpack_here(struct copy *c, struct http *http, const char *dir, const char *base, const char *name,
                       struct err *err)
{
    _cleanup_free_ char *rule = name && !str_eq(base, name) ? rename_rule(base, name) : NULL;
    char *argv[] = {(char *)"tar",
                    (char *)"-x",
                    (char *)"-p",
                    (char *)"-C",
                    (char *)dir,
                    (char *)"-f",
                    (char *)"-",
                    (char *)"--no-same-owner",
                    (char *)"--warning=no-timestamp",
                    rule,
                    NULL};
    _cleanup_close_ int pipe = -EBADF;
    pid_t pid;
    int r;

    pipe = run_tar(argv, /* packing= */ false, &pid, err);
    if (pipe < 0)
        return -1;
    r = copy_down(c, http, pipe, err);
    close_fd(&pipe);
    return finish_tar(pid, r < 0 ? NULL : err) < 0 ? -1 : r;
}

static int look_here(struct side *to, struct err *err)
{
    _cleanup_free_ char *parent = NULL, *base = NULL;
    struct stat st;

    to->exists = stat(to->path, &st) == 0;
    to->directory = to->exists && S_ISDIR(st.st_mode);
    split_path(to->path, &parent, &base);
    if (!to->exists && *parent && stat(parent, &st) < 0) {
        _cleanup_free_ char *clean = path_clean(parent);

        return err_set(err, ERR_NOT_FOUND, "invalid output path: directory \"%s\" does not exist", clean);
    }
    return 0;
}

static int from_container(struct copy *c, struct side *from, struct side *to, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {.method = "GET", .url = &url};
    _cleanup_(http_free_p) struct http *http = NULL;
    _cleanup_free_ char *above = NULL, *base = NULL, *link = NULL, *dir = NULL, *name = NULL;
    _cleanup_json_ json_t *stat = NULL;
    bool out = str_eq(to->path, "-");

    if (!out && look_here(to, err) < 0)
        return -1;
    if (c->follow) {
        _cleanup_json_ json_t *link_stat = ask_stat(c->cli, from, err);

        if (!link_stat)
            return -1;
        if (json_int_or(link_stat, "mode", 0) & GO_MODE_LINK)
            split_path(from->path, &above, &link); /* which keeps its name */
        follow_there(from, link_stat);
    }
    archive_url(&url, from, from->path);
    http = client_open(c->cli, &request, err);
    if (!http)
        return -1;
    if (out)
        return copy_down(c, http, STDOUT_FILENO, err);
    stat = stat_of(http);
    from->directory = json_int_or(stat, "mode", 0) & GO_MODE_DIR;
    free(above);
    split_path(from->path, &above, &base);
    if (choose_place(from, to, &dir, &name, err) < 0 ||
        unpack_here(c, http, dir, base, name ? name : link, err) < 0)
        return -1;
    tell(c, to);
    return 0;
}

/* ---- into a container ---- */

static int send_pipe(struct copy *c, struct http *http, int fd, struct err *err)
{
    _cleanup_free_ char *data = xmalloc(PIECE);
    ssize_t n;

    do {
        n = read(fd, data, PIECE);
        if (n < 0)
            return err_errno(err, errno, "read what to copy");
        c->bytes += n;
        if (http_send_chunk(http, data, (size_t)n, err) < 0)
            return -1;
    } while (n > 0);
    return 0;
}

/* Sends a tar stream from fd into the directory. */
static int put(struct copy *c, int fd, const struct side *to, const char *dir, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {
        .method = "PUT", .url = &url, .content_type = "application/x-tar", .stream = true};
    struct err sending = {0};
    struct http *http;
    int r, sent;

    archive_url(&url, to, dir);
    url_add(&url, "noOverwriteDirNonDir", "true");
    if (c->archive)
        url_add(&url, "copyUIDGID", "true");
    http = client_open(c->cli, &request, err);
    if (!http)
        return -1;
    sent = send_pipe(c, http, fd, &sending);
    r = client_begin_reply(http, err); /* what the daemon says counts for more than that it stopped reading */
    http_free(http);
    if (r == 0 && sent < 0)
        r = err_pass(err, &sending);
    return r;
}

static int pack_here(struct copy *c, struct side *from, struct side *to, const char *dir, const char *name,
                     struct err *err)
{
    _cleanup_free_ char *parent = NULL, *base = NULL, *rule = NULL;
    _cleanup_close_ int pipe = -EBADF;
    char *argv[] = {(char *)"tar",
                    (char *)"-c",
                    (char *)"-f",
                    (char *)"-",
                    (char *)"--numeric-owner",
                    (char *)"-C",
                    NULL,
                    (char *)"--transform=s,^\\./\\./,./,S",
                    NULL,
                    NULL,
                    NULL,
                    NULL};
    size_t n = 8;
    pid_t pid;
    int r;

    split_path(from->path, &parent, &base);
    argv[6] = *parent ? parent : (char *)".";
    if (name && !str_eq(name, base))
        argv[n++] = rule = rename_rule(*base ? base : ".", name);
    argv[n++] = (char *)"--";
    argv[n++] = *base ? base : (char *)".";
    pipe = run_tar(argv, /* packing= */ true, &pid, err);
    if (pipe < 0)
        return -1;
    r = put(c, pipe, to, dir, err);
    close_fd(&pipe);
    return finish_tar(pid, r < 0 ? NULL : err) < 0 ? -1 : r;
}

static int look_at_source(const struct copy *c, struct side *from, struct err *err)
{
    char target[PATH_MAX];
    struct stat st;

    if (lstat(from->path, &st) < 0)
        return err_set(err, ERR_NOT_FOUND, "lstat %s: %s", from->path,
                       errno == ENOENT ? "no such file or directory" : strerror(errno));
    if (c->follow && S_ISLNK(st.st_mode)) {
        if (!realpath(from->path, target) || lstat(target, &st) < 0)
            return err_errno(err, errno, "%s", from->path);
        free(from->path);
        from->path = xstrdup(target);
    }
    from->exists = true;
    from->directory = S_ISDIR(st.st_mode);
    return 0;
}

static int to_container(struct copy *c, struct side *from, struct side *to, struct err *err)
{
    _cleanup_free_ char *dir = NULL, *name = NULL, *given = NULL, *above = NULL;
    bool in = str_eq(from->path, "-");

    split_path(from->path, &above, &given);
    if (!in && look_at_source(c, from, err) < 0)
        return -1;
    look_there(c->cli, to);
    if (in && !to->directory)
        return err_set(err, ERR_INVALID, "destination \"%s:%s\" must be a directory", to->container,
                       to->path);
    if (in)
        return put(c, STDIN_FILENO, to, to->path, err);
    if (choose_place(from, to, &dir, &name, err) < 0)
        return -1;
    if (pack_here(c, from, to, dir,
                  name                                         ? name
                  : c->follow && *given && !str_eq(given, ".") ? given
                                                               : NULL,
                  err) < 0)
        return -1;
    tell(c, to);
    return 0;
}

static int cp_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(side_finish) struct side from, to;
    struct copy c = {
        .cli = cli, .follow = args_bool(args, "follow-link"), .archive = args_bool(args, "archive")};

    side_parse(args->rest[0], &from);
    side_parse(args->rest[1], &to);
    c.tell = !args_bool(args, "quiet") && terminal_is(STDOUT_FILENO);
    if (!*args->rest[0])
        return err_set(err, ERR_INVALID, "source can not be empty");
    if (!*args->rest[1])
        return err_set(err, ERR_INVALID, "destination can not be empty");
    if (from.container && to.container)
        return err_set(err, ERR_INVALID, "copying between containers is not supported");
    if (!from.container && !to.container)
        return err_set(err, ERR_INVALID, "must specify at least one container source");
    return from.container ? from_container(&c, &from, &to, err) : to_container(&c, &from, &to, err);
}

const struct command cmd_cp = {
    .paths = "container cp,cp",
    .summary = "Copy files between a container and here",
    .arguments =
        "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tkeg cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    .min_arguments = 2,
    .max_arguments = 2,
    .options = {cp_options},
    .run = cp_run,
};
