/* A command's arguments all at once, each in a process of its own with its own connection: fifty containers that take ten
 * seconds to stop take ten seconds. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/client.h"

enum { AT_ONCE = 50 };

struct job {
    pid_t pid;
    int result; /* a struct err comes, or nothing when it went well */
};

static void job_run(struct cli *cli, const struct args *args, cli_one *each, const char *name, int result)
{
    struct err err = {0};

    cli->client = NULL; /* the parent's connection is the parent's */
    if (each(cli, args, name, &err) < 0)
        fd_write_full(result, &err, sizeof(err));
    fflush(stdout);
    _exit(0);
}

static int job_begin(struct cli *cli, const struct args *args, cli_one *each, const char *name,
                     struct job *job)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    fflush(stdout);
    job->pid = fork();
    if (job->pid == 0)
        job_run(cli, args, each, name, ends[1]);
    close(ends[1]);
    job->result = ends[0];
    if (job->pid < 0)
        close_fd(&job->result);
    return job->pid < 0 ? -1 : 0;
}

/* 0, or -1 with the error. */
static int job_end(struct job *job, struct err *err)
{
    ssize_t n = fd_read_full(job->result, err, sizeof(*err));
    int status = 0;

    close_fd(&job->result);
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0)
        return err_set(err, ERR_SYSTEM, "the process that did it has ended by itself");
    return n == (ssize_t)sizeof(*err) ? -1 : 0;
}

static int in_turn(struct cli *cli, const struct args *args, cli_one *each, cli_complaint *complain)
{
    int code = 0;

    for (size_t i = 0; i < args->rest_count; i++) {
        struct err err = {0};

        if (each(cli, args, args->rest[i], &err) == 0)
            puts(args->rest[i]);
        else
            code |= complain(args, &err);
    }
    return code;
}

int cli_together(struct cli *cli, const struct args *args, cli_one *each, cli_complaint *complain)
{
    _cleanup_free_ struct job *jobs = NULL;
    struct err err = {0};
    size_t begun = 0, n = args->rest_count;
    int code = 0, fd;

    if (n < 2)
        return in_turn(cli, args, each, complain);
    fd = client_dial(cli, &err); /* starts kegd if need be: once */
    if (fd < 0)
        return cli_complain(&err);
    close(fd);
    jobs = xcalloc(n, sizeof(*jobs));
    for (size_t i = 0; i < n; i++) {
        while (begun < n && begun < i + AT_ONCE &&
               job_begin(cli, args, each, args->rest[begun], &jobs[begun]) == 0)
            begun++;
        if (begun == i) { /* no process is to be had */
            struct err why = {0};

            code |=
                each(cli, args, args->rest[i], &why) == 0 ? (puts(args->rest[i]), 0) : complain(args, &why);
            begun++;
            continue;
        }
        err = (struct err){0};
        if (job_end(&jobs[i], &err) == 0)
            puts(args->rest[i]);
        else
            code |= complain(args, &err);
    }
    return code;
}
