/* A resctrl group and its schemata. */
#include "sys/resctrl.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define RESCTRL_ROOT "/sys/fs/resctrl"

static int check_enabled(int root, const char *resource, const char *what, struct err *err)
{
    char path[32];

    snprintf(path, sizeof(path), "info/%s", resource);
    if (root < 0 || faccessat(root, path, F_OK, 0) < 0)
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "%s is not enabled (this needs the processor's support, and " RESCTRL_ROOT " mounted)",
                       what);
    return 0;
}

/* The group's directory; a new one gets the process. */
static int open_group(int root, const char *group, pid_t pid, struct err *err)
{
    bool is_new = mkdirat(root, group, 0755) == 0;
    _cleanup_close_ int directory = openat(root, group, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    char text[16];
    int result;

    if (directory < 0)
        return err_errno(err, errno, "make " RESCTRL_ROOT "/%s", group);
    snprintf(text, sizeof(text), "%d", pid);
    result = is_new ? file_write_at(directory, "tasks", text) : 0;
    if (result < 0)
        return err_errno(err, result, "move process %d into " RESCTRL_ROOT "/%s", pid, group);
    return take_fd(&directory);
}

int resctrl_write_schema(int root, int directory, const char *schema, struct err *err)
{
    _cleanup_(buf_finish) struct buf reason = BUF_INIT(4096);
    _cleanup_free_ char *line = xasprintf("%s\n", schema);
    int result = file_write_at(directory, "schemata", line);

    if (result >= 0)
        return 0;
    if (file_read(root, "info/last_cmd_status", &reason) < 0 || reason.len == 0)
        return err_errno(err, result, "write \"%s\" to the resctrl schemata", schema);
    return err_set(err, ERR_INVALID, "linux.intelRdt: the kernel refuses \"%s\": %.*s", schema,
                   (int)strcspn(buf_str(&reason), "\n"), buf_str(&reason));
}

int resctrl_set(const char *group, const char *l3_schema, const char *bandwidth_schema, pid_t pid,
                struct err *err)
{
    const struct {
        const char *schema, *resource, *what;
    } rows[] = {
        {l3_schema, "L3", "Intel RDT/CAT: l3 cache schema"},
        {bandwidth_schema, "MB", "Intel RDT/MBA: memory bandwidth schema"},
    };
    _cleanup_close_ int root = -EBADF, directory = -EBADF;

    if (str_empty(l3_schema) && str_empty(bandwidth_schema))
        return 0;
    root = open(RESCTRL_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (!str_empty(rows[i].schema) && check_enabled(root, rows[i].resource, rows[i].what, err) < 0)
            return -1;
    directory = open_group(root, group, pid, err);
    if (directory < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (!str_empty(rows[i].schema) && resctrl_write_schema(root, directory, rows[i].schema, err) < 0)
            return -1;
    return 0;
}
