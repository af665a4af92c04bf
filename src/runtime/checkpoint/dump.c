/* Checkpoint. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/checkpoint/common.h"
#include "runtime/checkpoint/protobuf.h"

#define LOG "dump.log"

static int check_parent(const struct checkpoint_options *o, struct err *err)
{
    _cleanup_free_ char *parent = NULL;
    struct stat st;

    if (!o->parent_path)
        return 0;
    if (path_is_absolute(o->parent_path))
        return err_set(err, ERR_INVALID, "--parent-path must be relative");
    parent = path_join(o->image_path, o->parent_path);
    if (stat(parent, &st) < 0)
        return err_errno(err, errno, "invalid --parent-path: %s", parent);
    return S_ISDIR(st.st_mode)
               ? 0
               : err_set(err, ERR_INVALID, "invalid --parent-path: %s: not a directory", parent);
}

static int put_page_server(struct buf *b, const char *text, struct err *err)
{
    _cleanup_(buf_finish) struct buf server = BUF_INIT(1024);
    const char *colon = strrchr(text, ':');
    _cleanup_free_ char *address = colon ? xstrndup(text, (size_t)(colon - text)) : NULL;
    size_t len = address ? strlen(address) : 0;
    uint32_t port;

    if (str_empty(address) || !colon[1])
        return err_set(err, ERR_INVALID, "Use --page-server ADDRESS:PORT to specify page server");
    if (str_to_u32(colon + 1, &port) < 0 || port == 0 || port > UINT16_MAX)
        return err_set(err, ERR_INVALID, "--page-server: \"%s\" is no port", colon + 1);
    if (len > 2 && address[0] == '[' && address[len - 1] == ']') { /* IPv6's way to be told from the port */
        memmove(address, address + 1, len - 2);
        address[len - 2] = '\0';
    }
    pb_put_string(&server, 1, address);
    pb_put_int(&server, 2, port);
    pb_put_message(b, CRIU_PAGE_SERVER, &server);
    return 0;
}

static int put_namespaces(struct buf *b, const struct runtime_container *c, struct err *err)
{
    for (int kind = 0; kind < NAMESPACE_COUNT; kind++) {
        const char *path = c->spec->namespaces[kind].path, *name = checkpoint_external_namespace(kind);
        char text[96];
        struct stat st;

        if (!path || !name)
            continue;
        if (stat(path, &st) < 0)
            return err_errno(err, errno, "open the %s namespace %s", namespaces[kind].name, path);
        snprintf(text, sizeof(text), "%s[%llu]:%s", namespaces[kind].file, (unsigned long long)st.st_ino,
                 name);
        pb_put_string(b, CRIU_EXTERNAL, text);
    }
    return 0;
}

/* CRIU stops the processes by their cgroup, where there is a freezer. */
static void put_freezer(struct buf *b, const struct runtime_container *c)
{
    size_t count;
    const struct cgroup_hierarchy *hierarchies = cgroup_hierarchies(&count);

    for (size_t i = 0; c->cgroup && i < count; i++) {
        bool freezes = hierarchies[i].v2 ? cgroup_mode() == CGROUP_MODE_UNIFIED
                                         : str_eq(hierarchies[i].options, "freezer");
        _cleanup_free_ char *directory = freezes ? cgroup_directory(c->cgroup, i) : NULL;

        if (directory)
            pb_put_string(b, CRIU_FREEZE_CGROUP, directory);
    }
}

static int compose(struct buf *b, const struct runtime_container *c, const struct checkpoint_options *o,
                   struct err *err)
{
    _cleanup_free_ char *root = path_is_absolute(c->spec->root_path) || !c->bundle
                                    ? xstrdup(c->spec->root_path ? c->spec->root_path : "/")
                                    : path_join(c->bundle, c->spec->root_path);

    if (checkpoint_put_options(b, c, o, LOG, err) < 0 || put_namespaces(b, c, err) < 0)
        return -1;
    pb_put_string(b, CRIU_ROOT, root);
    pb_put_int(b, CRIU_PID, c->pid);
    pb_put_int(b, CRIU_LEAVE_RUNNING, o->leave_running);
    pb_put_int(b, CRIU_TCP_SKIP_IN_FLIGHT, o->tcp_skip_in_flight);
    pb_put_int(b, CRIU_LINK_REMAP, o->link_remap);
    put_freezer(b, c);
    if (o->page_server && put_page_server(b, o->page_server, err) < 0)
        return -1;
    if (o->parent_path) {
        pb_put_string(b, CRIU_PARENT_IMG, o->parent_path);
        pb_put_int(b, CRIU_TRACK_MEM, 1);
    }
    return o->pre_dump ? 0 : checkpoint_put_mounts(b, c, /* restoring= */ false, err);
}

static int save_descriptors(const struct runtime_container *c, const struct checkpoint_files *f,
                            struct err *err)
{
    _cleanup_json_ json_t *all = checkpoint_descriptors(c->pid);
    _cleanup_free_ char *text = json_text(all);
    int result = file_replace(f->images, DESCRIPTORS_FILE, text, strlen(text), 0600, /* sync= */ false);

    return result < 0 ? err_errno(err, result, "write %s", DESCRIPTORS_FILE) : 0;
}

static int check_status_fd(const struct checkpoint_options *o, struct err *err)
{
    int flags;

    if (o->status_fd < 0)
        return 0;
    flags = fcntl(o->status_fd, F_GETFL);
    if (flags < 0)
        return err_errno(err, errno, "invalid --status-fd argument %d", o->status_fd);
    return (flags & O_ACCMODE) != O_RDONLY
               ? 0
               : err_set(err, ERR_INVALID, "invalid --status-fd argument %d: not writable", o->status_fd);
}

static int notified(void *arg, struct criu_notice *notice, struct err *err)
{
    int *status_fd = arg;

    (void)err;
    if (str_eq(notice->script, "status-ready") && *status_fd >= 0) {
        (void)fd_write_full(*status_fd, "", 1);
        close_fd(status_fd);
    }
    return 0;
}

static int dump(const char *program, const struct buf *options, const struct checkpoint_options *o,
                const struct checkpoint_files *f, struct err *err)
{
    struct criu_process process = {.fds = {f->images, f->work}, .fd_count = CHECKPOINT_FILES};
    struct criu criu = CRIU_INIT;
    struct criu_answer answer;
    int status_fd = o->status_fd;
    int result = criu_start(&criu, program, &process, err);

    if (result == 0)
        result = criu_request(&criu, o->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP, options, notified, &status_fd,
                              &answer, err);
    /* after a pre-dump it waits for the next one, which is the next criu's */
    return criu_finish(&criu, /* kill= */ o->pre_dump || result < 0, err) < 0 ? -1 : result;
}

int runtime_checkpoint(struct runtime_container *c, const struct checkpoint_options *options, struct err *err)
{
    _cleanup_(buf_finish) struct buf request = BUF_INIT(CRIU_OPTIONS_MAX);
    _cleanup_(checkpoint_files_finish) struct checkpoint_files files = CHECKPOINT_FILES_INIT;
    const char *status = state_status(c);
    _cleanup_free_ char *program = NULL;

    if (!str_eq(status, "running") && !str_eq(status, "paused"))
        return err_set(err, ERR_CONFLICT, "Container cannot be checkpointed in %s state", status);
    program = criu_find(options->criu, err);
    if (!program || check_status_fd(options, err) < 0 ||
        checkpoint_files_open(&files, options, /* make= */ true, LOG, err) < 0 ||
        check_parent(options, err) < 0 || compose(&request, c, options, err) < 0 ||
        criu_check_version(program, err) < 0)
        return -1;
    if ((options->pre_dump || options->lazy_pages) &&
        criu_check_features(program, options->pre_dump, options->lazy_pages, err) < 0)
        return -1;
    if (!options->pre_dump && save_descriptors(c, &files, err) < 0)
        return -1;
    return dump(program, &request, options, &files, err) < 0 ? checkpoint_explain(&files, err) : 0;
}
