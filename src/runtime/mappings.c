/* Mappings of a user namespace, by ourselves or by the set-user-id helpers of shadow-utils. */
#include "runtime/mappings.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

struct kind {
    const char *program, *file, *of; /* "newuidmap", "/etc/subuid", "user" */
    const struct id_mapping *map;
    size_t count;
};

extern char **environ;

enum { OUTPUT_MAX = 4096 };

/* An empty part of PATH would be the current directory: passed over, like a relative one. */
static char *find_helper(const char *name)
{
    static const char usual[] = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin";
    const char *path = getenv("PATH");
    _cleanup_free_ char *all = path ? xasprintf("%s:%s", path, usual) : xstrdup(usual);
    _cleanup_strv_ char **directories = strv_split(all, ':');

    for (char **directory = directories; *directory; directory++) {
        _cleanup_free_ char *file = NULL;

        if (!path_is_absolute(*directory))
            continue;
        file = path_join(*directory, name);
        if (access(file, X_OK) == 0)
            return take_ptr(&file);
    }
    return NULL;
}

static _noreturn_ void become(const char *program, char *const *args, int output)
{
    process_reset_signals();
    if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
        _exit(127);
    close_range(3, ~0U, 0);
    execve(program, args, environ);
    _exit(127);
}

/* Its words go into *said. 0 when it exits with 0, else -1. */
static int run_helper(const char *program, char *const *args, struct buf *said)
{
    _cleanup_close_ int input = -EBADF, output = -EBADF, pidfd = -EBADF;
    int fds[2], status = 0;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    input = fds[0];
    output = fds[1];
    pid = process_clone(0, -EBADF, &pidfd);
    if (pid == 0)
        become(program, args, output);
    if (pid < 0)
        return -1;
    close_fd(&output);
    (void)fd_read_all(input, said);
    return pidfd_reap(pidfd, /* hang= */ true, &status) == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? 0
               : -1;
}

/* The first range that isn't the caller's own id: what a line of /etc/subuid has to give. */
static const struct id_mapping *first_foreign(const struct kind *k, uint32_t own)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->map[i].host != own || k->map[i].size != 1)
            return &k->map[i];
    return &k->map[0];
}

static int map_by_helper(const struct kind *k, pid_t pid, uint32_t own, struct err *err)
{
    _cleanup_(buf_finish) struct buf said = BUF_INIT(OUTPUT_MAX);
    const struct id_mapping *missing = first_foreign(k, own);
    _cleanup_free_ char *program = find_helper(k->program);
    _cleanup_strv_ char **args = NULL;

    if (!program)
        return err_set(err, ERR_NOT_FOUND,
                       "map %s ids %u-%u: only %s may do that for an ordinary user, and it is not installed "
                       "(package uidmap or "
                       "shadow-utils)",
                       k->of, missing->host, missing->host + missing->size - 1, k->program);
    strv_push(&args, k->program);
    strv_push_take(&args, xasprintf("%d", pid));
    for (size_t i = 0; i < k->count; i++) {
        strv_push_take(&args, xasprintf("%u", k->map[i].container));
        strv_push_take(&args, xasprintf("%u", k->map[i].host));
        strv_push_take(&args, xasprintf("%u", k->map[i].size));
    }
    if (run_helper(program, args, &said) == 0)
        return 0;
    return err_set(
        err, ERR_SYSTEM, "map %s ids %u-%u: %s refuses (%.*s): %s needs a line like \"%u:%u:%u\" for user %u",
        k->of, missing->host, missing->host + missing->size - 1, program, (int)strcspn(buf_str(&said), "\n"),
        buf_str(&said), k->file, getuid(), missing->host, missing->size, getuid());
}

static bool is_own_alone(const struct kind *k, uint32_t own)
{
    return k->count == 1 && k->map[0].size == 1 && k->map[0].host == own;
}

/* Only an unmapped group is a reason to freeze the groups: with a helper's mappings setgroups(2) stays. */
static int deny_setgroups(int procfs, pid_t pid)
{
    char path[40];

    snprintf(path, sizeof(path), "%d/setgroups", pid);
    return procfs_write(procfs, path, "deny");
}

int mappings_write(int procfs, pid_t pid, const struct spec *spec, struct err *err)
{
    const struct kind users = {"newuidmap", "/etc/subuid", "user", spec->uids, spec->uid_count};
    const struct kind groups = {"newgidmap", "/etc/subgid", "group", spec->gids, spec->gid_count};
    int result = namespace_write_map(procfs, pid, "uid_map", users.map, users.count);

    if (result == -EPERM && !is_own_alone(&users, geteuid())) {
        if (map_by_helper(&users, pid, geteuid(), err) < 0)
            return -1;
        result = 0;
    }
    if (result < 0)
        return err_errno(err, result, "write the user ids' mapping of the user namespace");
    result = namespace_write_map(procfs, pid, "gid_map", groups.map, groups.count);
    if (result == -EPERM) {
        if (!is_own_alone(&groups, getegid()))
            return map_by_helper(&groups, pid, getegid(), err);
        result = deny_setgroups(procfs, pid);
        if (result == 0)
            result = namespace_write_map(procfs, pid, "gid_map", groups.map, groups.count);
    }
    return result < 0 ? err_errno(err, result, "write the group ids' mapping of the user namespace") : 0;
}
