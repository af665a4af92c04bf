/* One execution of another runtime's program. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/foreign.h"
#include "sys/namespace.h"
#include "sys/pidfd.h"

/* Whoever asked for a start waits two minutes. */
enum { PATIENCE_MS = 100 * 1000, LOG_MAX = 1024 * 1024, NOT_EXECUTED = 127 };

#define LOG_FILE "log.json"

static char **command_line(const struct foreign *f, const char *const *words)
{
    char **line = NULL;

    for (char **word = f->program; *word; word++)
        strv_push(&line, *word);
    strv_push(&line, "--root");
    strv_push_take(&line, path_join(f->bundle, "state"));
    strv_push(&line, "--log");
    strv_push_take(&line, path_join(f->bundle, LOG_FILE));
    strv_push(&line, "--log-format");
    strv_push(&line, "json");
    for (; *words; words++)
        strv_push(&line, *words);
    return line;
}

/* In the child. A runtime tells the host's network from the container's by where it stands itself. */
static _noreturn_ void become(const struct foreign *f, char **line, const int *stdio, int failure)
{
    static char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                        NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), error;

    process_reset_signals();
    if (*f->oom_score) /* not every runtime sets it where it is zero */
        (void)file_write_at(AT_FDCWD, "/proc/self/oom_score_adj", f->oom_score);
    if (f->host_network >= 0)
        (void)namespace_join(f->host_network, CLONE_NEWNET);
    for (int fd = 0; fd < 3; fd++)
        dup2(stdio && stdio[fd] >= 0 ? stdio[fd] : null, fd);
    execve(line[0], line, environment);
    error = errno;
    (void)!write(failure, &error, sizeof(error));
    _exit(NOT_EXECUTED);
}

/* The last error in the runtime's log; the caller frees. NULL when there is none. */
static char *last_error(const struct foreign *f)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(LOG_MAX);
    _cleanup_free_ char *path = path_join(f->bundle, LOG_FILE);
    _cleanup_strv_ char **lines = NULL;
    char *message = NULL;

    if (file_read(AT_FDCWD, path, &text) < 0 || text.len == 0)
        return NULL;
    lines = strv_split(buf_str(&text), '\n');
    for (char **line = lines; *line; line++) {
        _cleanup_json_ json_t *entry = json_parse(*line, strlen(*line), "log", NULL);
        const char *level = json_str_or(entry, "level", "error"), *said = json_str(entry, "msg");

        if (!said || (!str_eq(level, "error") && !str_eq(level, "fatal")))
            continue;
        free(message);
        message = xstrdup(said);
    }
    return message;
}

/* The words by which other engines know whose fault it was. */
static enum err_kind kind_of(const char *message)
{
    static const struct {
        const char *words;
        enum err_kind kind;
    } rows[] = {
        {"permission denied", ERR_CANNOT_INVOKE},   {"is a directory", ERR_CANNOT_INVOKE},
        {"exec format error", ERR_CANNOT_INVOKE},   {"executable file not found", ERR_NO_PROGRAM},
        {"executable file `", ERR_NO_PROGRAM},      {"no such file or directory", ERR_NO_PROGRAM},
        {"container not running", ERR_CONFLICT},    {"process already finished", ERR_CONFLICT},
        {"no such process", ERR_CONFLICT},          {"process not found", ERR_CONFLICT},
        {"container is not running", ERR_CONFLICT},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (strcasestr(message, rows[i].words))
            return rows[i].kind;
    return ERR_SYSTEM;
}

static int failed(const struct foreign *f, const char *command, int status, struct err *err)
{
    _cleanup_free_ char *message = last_error(f);

    if (message)
        return err_set(err, kind_of(message), "%s", message);
    if (WIFSIGNALED(status))
        return err_set(err, ERR_SYSTEM, "%s %s: ended by signal %d", f->program[0], command,
                       WTERMSIG(status));
    return err_set(err, ERR_SYSTEM, "%s %s: exit status %d", f->program[0], command, WEXITSTATUS(status));
}

/* 0 with its wait status, or -1. */
static int await(const struct foreign *f, int pidfd, int *ret_status, struct err *err)
{
    int ended = pidfd_wait_exit(pidfd, PATIENCE_MS);

    if (ended != 1)
        pidfd_signal(pidfd, SIGKILL);
    ended = pidfd_reap(pidfd, /* hang= */ true, ret_status) < 0 ? -1 : ended;
    return ended == 1 ? 0
                      : err_set(err, ERR_UNAVAILABLE, "%s did not end within %d seconds", f->program[0],
                                PATIENCE_MS / 1000);
}

int foreign_call(const struct foreign *f, const char *const *words, const int *stdio, struct err *err)
{
    _cleanup_strv_ char **line = command_line(f, words);
    _cleanup_free_ char *log = path_join(f->bundle, LOG_FILE);
    _cleanup_close_ int pidfd = -EBADF, failure = -EBADF;
    int ends[2], status = 0, error = 0;
    pid_t pid;

    unlink(log); /* what it says is about this call */
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    failure = ends[0];
    pid = process_clone(0, -1, &pidfd);
    if (pid == 0)
        become(f, line, stdio, ends[1]);
    close(ends[1]);
    if (pid < 0)
        return err_errno(err, pid, "clone a process for %s", f->program[0]);
    if (fd_read_full(failure, &error, sizeof(error)) == sizeof(error)) {
        pidfd_reap(pidfd, /* hang= */ true, NULL);
        return err_set(err, ERR_UNAVAILABLE, "the runtime %s cannot be executed: %s", f->program[0],
                       strerror(error));
    }
    if (await(f, pidfd, &status, err) < 0)
        return -1;
    return status == 0 ? 0 : failed(f, words[0], status, err);
}
