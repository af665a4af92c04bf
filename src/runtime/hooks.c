/* Hooks: programs that run at stages of a container's life. Source: OCI config.md, "POSIX-platform Hooks", and
 * runtime.md, "Lifecycle". */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/internal.h"
#include "sys/pidfd.h"

extern char **environ;

enum { OUTPUT_SHOWN = 300 }; /* of what a failed hook has written, bytes */

/* What one hook runs with. */
struct surroundings {
    const char *directory; /* NULL: the caller's, or … */
    int directory_fd;      /* >= 0 */
    char *const *env;
    int files
        [3]; /* 0: the state; 1 and 2: what it says, kept for the error message, or where annotations want it */
    off_t start[3]; /* where in them its own begins */
    bool last;      /* poststop: nothing follows */
};

/* In the child: no descriptor but three. */
static _noreturn_ void become(const struct spec_hook *hook, const struct surroundings *s)
{
    const char *const self[] = {hook->path, NULL};

    process_reset_signals();
    if ((s->directory_fd >= 0 && fchdir(s->directory_fd) < 0) || (s->directory && chdir(s->directory) < 0))
        _exit(127);
    for (int i = 0; i < 3; i++) /* none of them is 0, 1 or 2 itself: those are always open */
        if (dup2(s->files[i], i) < 0)
            _exit(127);
    close_range(3, ~0U, 0);
    execve(hook->path, (char *const *)(hook->args && hook->args[0] ? hook->args : (const char **)self),
           hook->env ? (char *const *)hook->env : s->env);
    dprintf(STDERR_FILENO, "%s: %s", hook->path, strerror(errno));
    _exit(127);
}

/* The beginning of what it has written, as one line. */
static void read_output(int fd, off_t start, char out[OUTPUT_SHOWN + 1])
{
    ssize_t n = pread(fd, out, OUTPUT_SHOWN, start);

    out[n > 0 ? n : 0] = '\0';
    for (char *end = out + strlen(out); end > out && end[-1] == '\n';)
        *--end = '\0';
}

/* As Go says it: in small letters. */
static const char *signal_name(int signal, char *out, size_t size)
{
    snprintf(out, size, "%s", strsignal(signal));
    if (*out >= 'A' && *out <= 'Z')
        *out = (char)(*out + ('a' - 'A'));
    return out;
}

static int tell_failure(const struct surroundings *s, int status, struct err *err)
{
    char said[2][OUTPUT_SHOWN + 1], name[60];

    for (int i = 0; i < 2; i++)
        read_output(s->files[1 + i], s->start[1 + i], said[i]);
    if (WIFSIGNALED(status))
        return err_set(err, ERR_SYSTEM, "signal: %s, stdout: %s, stderr: %s",
                       signal_name(WTERMSIG(status), name, sizeof(name)), said[0], said[1]);
    if (s->last) /* as crun has it */
        return err_set(err, ERR_SYSTEM, "poststop hook failed with exit code %d, stdout: %s, stderr: %s",
                       WEXITSTATUS(status), said[0], said[1]);
    return err_set(err, ERR_SYSTEM, "exit status %d, stdout: %s, stderr: %s", WEXITSTATUS(status), said[0],
                   said[1]);
}

static int wait_for(const struct spec_hook *hook, const struct surroundings *s, int *pidfd, struct err *err)
{
    int timeout = hook->timeout > 0 && hook->timeout < 1000000 ? (int)hook->timeout * 1000 : -1, status = 0;

    if (pidfd_wait_exit(*pidfd, timeout) == 0) {
        launch_kill(pidfd);
        return err_set(err, ERR_SYSTEM, "%s: not done after %lld seconds", hook->path,
                       (long long)hook->timeout);
    }
    if (pidfd_reap(*pidfd, /* hang= */ true, &status) < 0)
        return err_errno(err, errno, "wait for %s", hook->path);
    return status ? tell_failure(s, status, err) : 0;
}

static int run(const struct spec_hook *hook, struct surroundings *s, struct err *err)
{
    _cleanup_close_ int pidfd = -EBADF;
    pid_t pid;

    if (lseek(s->files[0], 0, SEEK_SET) < 0)
        return err_errno(err, errno, "rewind the state");
    for (int i = 1; i < 3; i++)
        s->start[i] = lseek(s->files[i], 0, SEEK_CUR);
    pid = process_clone(0, -EBADF, &pidfd);
    if (pid == 0)
        become(hook, s);
    return pid < 0 ? err_errno(err, pid, "clone a process") : wait_for(hook, s, &pidfd, err);
}

static int open_state(const struct runtime_container *c, const char *status, struct err *err)
{
    _cleanup_json_ json_t *state = state_json(c, status);
    _cleanup_free_ char *text = json_text(state);
    int fd = memfd_create("state", MFD_CLOEXEC);

    if (fd < 0 || fd_write_full(fd, text, strlen(text)) < 0)
        return err_errno(err, errno, "hold the state for hooks");
    return fd;
}

/* In memory, so that a hook neither blocks nor dies when nobody reads it; or, for all hooks that see the host's files, where
 * an annotation of crun's wants it. */
static int open_output(const struct runtime_container *c, enum spec_hook_stage stage, const char *annotation,
                       struct err *err)
{
    const char *path = stage == HOOK_START_CONTAINER ? NULL : json_str(c->spec->annotations, annotation);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
                  : memfd_create("output", MFD_CLOEXEC);

    return fd < 0 ? err_errno(err, errno, "open %s for hooks", path ? path : "memory") : fd;
}

static int run_all(const struct runtime_container *c, enum spec_hook_stage stage, struct surroundings *s,
                   struct err *err)
{
    const struct spec_hooks *hooks = &c->spec->hooks[stage];
    int result = 0;

    for (size_t i = 0; i < hooks->count; i++) {
        if (run(&hooks->list[i], s, err) == 0)
            continue;
        result = -1;
        if (!s->last) /* then nothing keeps the others from running */
            return err_wrap(err, "error running %s hook #%zu", spec_hook_stage_names[stage], i);
    }
    return result;
}

int hooks_run(const struct runtime_container *c, enum spec_hook_stage stage, const char *status,
              int directory, char *const *env, struct err *err)
{
    bool is_inside = stage == HOOK_CREATE_CONTAINER || stage == HOOK_START_CONTAINER;
    struct surroundings s = {
        .directory = is_inside ? NULL : c->bundle,
        .directory_fd = directory,
        .env = env ? env : environ,
        .files = {-EBADF, -EBADF, -EBADF},
        .last = stage == HOOK_POSTSTOP,
    };
    int result = -1;

    if (!c->spec->hooks[stage].count)
        return 0;
    s.files[0] = open_state(c, status, err);
    if (s.files[0] >= 0)
        s.files[1] = open_output(c, stage, "run.oci.hooks.stdout", err);
    if (s.files[1] >= 0)
        s.files[2] = open_output(c, stage, "run.oci.hooks.stderr", err);
    if (s.files[2] >= 0)
        result = run_all(c, stage, &s, err);
    for (int i = 0; i < 3; i++)
        close_fd(&s.files[i]);
    return result;
}
