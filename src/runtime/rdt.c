/* resctrl groups of containers. */
#include "runtime/rdt.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/spec_fields.h"
#include "sys/mount.h"
#include "sys/resctrl.h"

#define RESCTRL_ROOT "/sys/fs/resctrl"
enum { RESCTRL_MAGIC = 0x7655821, SCHEMATA_MAX = 64 << 10 };

int rdt_open(struct err *err)
{
    _cleanup_close_ int root = open(RESCTRL_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (root < 0 || mount_is_type(root, RESCTRL_MAGIC) != 1)
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "linux.intelRdt: no resctrl filesystem is mounted on " RESCTRL_ROOT
                       " (it takes a processor and a kernel with resource control)");
    return take_fd(&root);
}

/* One directory's name, that can't lead elsewhere. */
static bool is_name(const char *name)
{
    return *name && !strchr(name, '/') && !str_eq(name, ".") && !str_eq(name, "..");
}

int rdt_check(const json_t *rdt, struct err *err)
{
    const char *group = json_str(rdt, "closID"), *bandwidth = json_str(rdt, "memBwSchema");
    const char *cache = json_str(rdt, "l3CacheSchema");
    const json_t *schemata = json_object_get(rdt, "schemata");
    size_t i;
    json_t *line;

    if (group && !str_eq(group, "/") && !is_name(group))
        return spec_error(err, "linux.intelRdt.closID", "\"%s\" is no name of a group", group);
    if (bandwidth && (!str_starts(bandwidth, "MB:") || strchr(bandwidth, '\n')))
        return spec_error(err, "linux.intelRdt.memBwSchema", "expected one line that begins with MB:");
    if (cache && strchr(cache, '\n'))
        return spec_error(err, "linux.intelRdt.l3CacheSchema", "expected one line");
    if (schemata && !json_is_null(schemata) && !json_is_array(schemata))
        return spec_error(err, "linux.intelRdt.schemata", "expected an array");
    json_array_foreach (schemata, i, line)
        if (!json_is_string(line) || strchr(json_string_value(line), '\n'))
            return spec_error(err, "linux.intelRdt.schemata", "[%zu]: expected one line", i);
    return 0;
}

/* The lines in the order in which they are to be written: a new strv, NULL without any. */
static char **lines_of(const json_t *rdt)
{
    static const char *const first[] = {"l3CacheSchema", "memBwSchema"};
    char **lines = NULL;
    size_t i;
    json_t *line;

    for (size_t k = 0; k < ARRAY_SIZE(first); k++)
        if (!str_empty(json_str(rdt, first[k])))
            strv_push(&lines, json_str(rdt, first[k]));
    json_array_foreach (json_object_get(rdt, "schemata"), i, line)
        strv_push(&lines, json_string_value(line));
    return lines;
}

static const char *group_of(const json_t *rdt, const char *id)
{
    const char *group = json_str(rdt, "closID");

    return str_empty(group) ? id : str_eq(group, "/") ? "." : group;
}

static bool is_monitored(const json_t *rdt)
{
    return json_bool_or(rdt, "enableMonitoring", false) || json_bool_or(rdt, "enableCMT", false) ||
           json_bool_or(rdt, "enableMBM", false);
}

/* An existing group belongs to others too: it must be as asked for. */
static int compare(int directory, const char *group, char *const *lines, struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(SCHEMATA_MAX);
    _cleanup_strv_ char **present = NULL;
    int result = file_read(directory, "schemata", &text);

    if (result < 0)
        return err_errno(err, result, "read " RESCTRL_ROOT "/%s/schemata", group);
    present = strv_split(buf_str(&text), '\n');
    for (; lines && *lines; lines++) {
        bool found = false;

        for (char **line = present; *line && !found; line++)
            found = str_eq(*line + strspn(*line, " "), *lines);
        if (!found)
            return err_set(err, ERR_CONFLICT,
                           "linux.intelRdt: the group %s exists, and \"%s\" is not in its schemata", group,
                           *lines);
    }
    return 0;
}

static int write_pid(int directory, const char *file, pid_t pid, struct err *err)
{
    char text[16];
    int result;

    snprintf(text, sizeof(text), "%d", pid);
    result = file_write_at(directory, file, text);
    return result < 0 ? err_errno(err, result, "put process %d into the resctrl group's %s", pid, file) : 0;
}

static int monitor(int directory, const char *id, pid_t pid, struct err *err)
{
    _cleanup_free_ char *path = path_join("mon_groups", id), *tasks = path_join(path, "tasks");

    if (mkdirat(directory, path, 0755) < 0 && errno != EEXIST)
        return err_errno(err, errno, "linux.intelRdt: make the monitoring group %s", path);
    return write_pid(directory, tasks, pid, err);
}

static int fill(int root, const json_t *rdt, const char *id, bool is_new, pid_t pid, struct err *err)
{
    _cleanup_close_ int directory =
        openat(root, group_of(rdt, id), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    _cleanup_strv_ char **lines = lines_of(rdt);

    if (directory < 0)
        return err_errno(err, errno, "linux.intelRdt: open the group %s", group_of(rdt, id));
    if (!is_new && !str_empty(json_str(rdt, "closID")) && lines) {
        if (compare(directory, group_of(rdt, id), lines, err) < 0)
            return -1;
    } else {
        for (char **line = lines; line && *line; line++)
            if (resctrl_write_schema(root, directory, *line, err) < 0)
                return -1;
    }
    if (write_pid(directory, "tasks", pid, err) < 0)
        return -1;
    return is_monitored(rdt) ? monitor(directory, id, pid, err) : 0;
}

int rdt_apply(int root, const json_t *rdt, const char *id, pid_t pid, struct err *err)
{
    bool named = !str_empty(json_str(rdt, "closID"));
    _cleanup_strv_ char **lines = lines_of(rdt);
    const char *group = group_of(rdt, id);
    bool is_new = false;

    if (!named || lines) {
        is_new = mkdirat(root, group, 0755) == 0;
        if (!is_new && errno != EEXIST)
            return err_errno(err, errno,
                             "linux.intelRdt: make the group %s (there may be no free class of service)",
                             group);
    } else if (faccessat(root, group, F_OK, 0) < 0) {
        return err_set(err, ERR_INVALID,
                       "linux.intelRdt: there is no group %s, and no schemata are given to make it with",
                       group);
    }
    if (fill(root, rdt, id, is_new, pid, err) == 0)
        return 0;
    rdt_remove(root, rdt, id);
    if (is_new)
        unlinkat(root, group, AT_REMOVEDIR);
    return -1;
}

int rdt_join(int root, const json_t *rdt, const char *id, pid_t pid, struct err *err)
{
    _cleanup_close_ int directory =
        openat(root, group_of(rdt, id), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (directory < 0)
        return err_errno(err, errno, "linux.intelRdt: open the group %s", group_of(rdt, id));
    if (write_pid(directory, "tasks", pid, err) < 0)
        return -1;
    return is_monitored(rdt) ? monitor(directory, id, pid, err) : 0;
}

void rdt_remove(int root, const json_t *rdt, const char *id)
{
    const char *group = group_of(rdt, id);

    if (is_monitored(rdt)) {
        _cleanup_free_ char *path = xasprintf("%s/mon_groups/%s", group, id);

        unlinkat(root, path, AT_REMOVEDIR);
    }
    if (str_empty(json_str(rdt, "closID")))
        unlinkat(root, group, AT_REMOVEDIR);
}
