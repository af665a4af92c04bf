/* keg cp: files between here and a container. What is here is packed and unpacked by copy_*.c; what is there, by the daemon. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/copy.h"
#include "cli/output.h"
#include "cli/terminal.h"

enum { PIECE = 256 * 1024, PROGRESS_NS = 200 * 1000 * 1000, LINKS_MAX = 10 };

#define GO_MODE_DIR  (1LL << 31)
#define GO_MODE_LINK (1LL << 27)

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
    char *told; /* what path was before links were followed; NULL: the same */
    bool exists, directory;
};

struct copy {
    struct cli *cli;
    bool follow, archive, tell;
    int64_t bytes;
    const char *header; /* "Copying to container", or NULL */
    int64_t shown;      /* when the progress was looked at last */
    bool drawn;         /* it is on the terminal */
};

static void side_finish(struct side *s)
{
    free(s->container);
    free(s->path);
    free(s->told);
}

/* "container:path", or a local path. */
static void side_parse(const char *text, struct side *ret)
{
    const char *colon = strchr(text, ':');

    *ret = (struct side){0};
    if (colon && colon != text && *text != '/' && *text != '.') {
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

/* Local paths are absolute in messages, as docker's; what they end in stays: "/." and "/" mean something. The caller frees. */
static char *absolute(const char *path)
{
    char here[PATH_MAX];
    size_t len = strlen(path);
    const char *end = len > 1 && str_eq(path + len - 2, "/.") ? "/."
                      : len && path[len - 1] == '/'           ? "/"
                      : str_eq(path, ".")                     ? "/."
                                                              : "";
    _cleanup_free_ char *joined = *path == '/'                 ? xstrdup(path)
                                  : getcwd(here, sizeof(here)) ? path_join(here, path)
                                                               : xstrdup(path);
    _cleanup_free_ char *clean = path_clean(joined);

    return str_eq(clean, "/") ? xasprintf("/%s", str_eq(end, "/.") ? "." : "")
                              : xasprintf("%s%s", clean, end);
}

/* ---- progress ---- */

/* On a terminal, how far it is, a few times a second. */
static void show_progress(struct copy *c)
{
    int64_t now = clock_monotonic();
    char size[SIZE_TEXT];

    if (!c->tell || !c->header || !terminal_is(STDERR_FILENO) || now - c->shown < PROGRESS_NS)
        return;
    if (c->shown)
        fprintf(stderr, "\r\033[K%s - %s", c->header, human_size((double)c->bytes, 4, size));
    c->drawn |= c->shown != 0;
    c->shown = now;
}

static void clear_progress(struct copy *c)
{
    if (c->drawn)
        fputs("\r\033[K", stderr);
    c->drawn = false;
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
    for (size_t len = strlen(*ret_dir); len > 1 && (*ret_dir)[len - 1] == '/';)
        (*ret_dir)[--len] = '\0';
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
                to->container ? to->container : "", to->container ? ":" : "", to->told ? to->told : to->path);
}

/* ---- out of a container ---- */

/* The answer's body, as the tar reader takes it. */
struct download {
    struct copy *copy;
    struct http *http;
    uint8_t *data; /* PIECE */
    size_t len, at;
};

static ssize_t download_span(void *arg, const uint8_t **data, struct err *err)
{
    struct download *d = arg;
    ssize_t n;

    if (d->at == d->len) {
        n = http_read(d->http, d->data, PIECE, err);
        if (n <= 0)
            return n;
        d->len = (size_t)n;
        d->at = 0;
        d->copy->bytes += n;
        show_progress(d->copy);
    }
    *data = d->data + d->at;
    return (ssize_t)(d->len - d->at);
}

static void download_consume(void *arg, size_t n)
{
    ((struct download *)arg)->at += n;
}

static int write_out(struct http *http, struct err *err)
{
    _cleanup_free_ char *data = xmalloc(PIECE);
    ssize_t n;

    while ((n = http_read(http, data, PIECE, err)) > 0) {
        int r = fd_write_full(STDOUT_FILENO, data, (size_t)n);

        if (r < 0)
            return err_errno(err, r, "write stdout");
    }
    return (int)n;
}

static int unpack_here(struct copy *c, struct http *http, const char *dir, const char *base, const char *name,
                       struct err *err)
{
    _cleanup_free_ uint8_t *data = xmalloc(PIECE);
    struct download d = {.copy = c, .http = http, .data = data};
    struct tar_input input = {download_span, download_consume, &d};
    _cleanup_free_ char *shown =
        xstrndup(dir, strlen(dir) - (str_ends(dir, "/.") && strlen(dir) > 2 ? 2 : 0));
    int r;

    c->header = "Copying from container";
    r = copy_unpack(&input, shown, str_eq(base, ".") ? "" : base, name && !str_eq(base, name) ? name : NULL,
                    err);
    clear_progress(c);
    return r;
}

/* A link as the destination stays: what it leads to is written, which perhaps doesn't exist yet. The caller frees. */
static char *follow_here(const char *path, struct err *err)
{
    _cleanup_free_ char *at = xstrdup(path);
    char target[PATH_MAX];
    ssize_t n;

    for (int hops = 0; (n = readlink(at, target, sizeof(target) - 1)) >= 0; hops++) {
        _cleanup_free_ char *parent = NULL, *base = NULL;
        char *next;

        if (hops == LINKS_MAX) {
            err_set(err, ERR_INVALID, "too many symbolic links in \"%s\"", path);
            return NULL;
        }
        target[n] = '\0';
        split_path(at, &parent, &base);
        next = *target == '/' ? xstrdup(target) : path_join(*parent ? parent : ".", target);
        free(at);
        at = next;
    }
    return take_ptr(&at);
}

static int look_here(struct side *to, struct err *err)
{
    _cleanup_free_ char *parent = NULL, *base = NULL;
    struct stat st;
    char *path = follow_here(to->path, err);

    if (!path)
        return -1;
    to->told = to->path;
    to->path = path;
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
        _cleanup_json_ json_t *link_stat =
            ask_stat(c->cli, from, NULL); /* what is wrong the answer to GET says */

        if (json_int_or(link_stat, "mode", 0) & GO_MODE_LINK)
            split_path(from->path, &above, &link); /* which keeps its name */
        follow_there(from, link_stat);
    }
    archive_url(&url, from, from->path);
    http = client_open(c->cli, &request, err);
    if (!http)
        return -1;
    if (out)
        return write_out(http, err);
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

/* The request's body, piece by piece. */
struct upload {
    struct copy *copy;
    struct http *http;
};

static int upload_take(void *arg, const void *data, size_t len, struct err *err)
{
    struct upload *u = arg;

    u->copy->bytes += (int64_t)len;
    show_progress(u->copy);
    return http_send_chunk(u->http, data, len, err);
}

/* What is copied in: a file's tree under a name, or, without a path, stdin as it is. */
struct content {
    const char *path, *name;
};

static int send_content(struct upload *u, const struct content *what, struct err *err)
{
    struct sink sink;
    int r;

    if (what->path) {
        sink_init_taker(&sink, upload_take, u);
        r = copy_pack(&sink, what->path, what->name, err);
        sink_finish(&sink);
    } else {
        _cleanup_free_ char *data = xmalloc(PIECE);
        ssize_t n;

        while ((n = read(STDIN_FILENO, data, PIECE)) > 0 || (n < 0 && errno == EINTR))
            if (n > 0 && upload_take(u, data, (size_t)n, err) < 0)
                return -1;
        r = n < 0 ? err_errno(err, errno, "read what to copy") : 0;
    }
    return r < 0 ? -1 : http_send_chunk(u->http, "", 0, err);
}

/* Sends a tar stream to the directory. */
static int put(struct copy *c, const struct content *what, const struct side *to, const char *dir,
               struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    struct client_request request = {
        .method = "PUT", .url = &url, .content_type = "application/x-tar", .stream = true};
    struct upload u = {.copy = c};
    struct err sending = {0};
    int r, sent;

    archive_url(&url, to, dir);
    url_add(&url, "noOverwriteDirNonDir", "true");
    if (c->archive)
        url_add(&url, "copyUIDGID", "true");
    u.http = client_open(c->cli, &request, err);
    if (!u.http)
        return -1;
    c->header = what->path ? "Copying to container" : NULL;
    sent = send_content(&u, what, &sending);
    clear_progress(c);
    if (sent < 0 &&
        sending.kind != ERR_UNAVAILABLE) { /* what was to be copied is at fault, not the connection */
        http_free(u.http);
        return err_pass(err, &sending);
    }
    r = client_begin_reply(u.http,
                           err); /* what the daemon says counts for more than that it stopped reading */
    http_free(u.http);
    if (r == 0 && sent < 0)
        r = err_pass(err, &sending);
    return r;
}

static int pack_here(struct copy *c, struct side *from, struct side *to, const char *dir, const char *name,
                     struct err *err)
{
    _cleanup_free_ char *parent = NULL, *base = NULL;
    struct content what = {.path = from->path};

    split_path(from->path, &parent, &base);
    what.name = name ? name : *base ? base : ".";
    return put(c, &what, to, dir, err);
}

static int look_at_source(const struct copy *c, struct side *from, struct err *err)
{
    char target[PATH_MAX];
    struct stat st;

    if (lstat(from->path, &st) < 0 && errno == ENOTDIR && asserts_directory(from->path))
        return err_set(err, ERR_INVALID, "not a directory");
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
        return put(c, &(struct content){0}, to, to->path, err);
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
    struct side *here;
    struct copy c = {
        .cli = cli, .follow = args_bool(args, "follow-link"), .archive = args_bool(args, "archive")};

    side_parse(args->rest[0], &from);
    side_parse(args->rest[1], &to);
    c.tell = args_given(args, "quiet") ? !args_bool(args, "quiet") : terminal_is(STDOUT_FILENO);
    if (!*args->rest[0])
        return err_set(err, ERR_INVALID, "source can not be empty");
    if (!*args->rest[1])
        return err_set(err, ERR_INVALID, "destination can not be empty");
    if (from.container && to.container)
        return err_set(err, ERR_INVALID, "copying between containers is not supported");
    if (!from.container && !to.container)
        return err_set(err, ERR_INVALID, "must specify at least one container source");
    here = from.container ? &to : &from;
    if (!str_eq(here->path, "-")) {
        char *whole = absolute(here->path);

        free(here->path);
        here->path = whole;
    }
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
