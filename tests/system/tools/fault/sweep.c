/* A sweep has a row for each command: how the container is brought to where the command applies, and what must hold
 * afterwards. Whatever call fails: either the command succeeds and the container is as it always is, or it says what
 * failed; and nothing is left that it doesn't name, nor anything that delete --force can't remove. */
#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tracer.h"

enum { WORDS_MAX = 16 };

struct sweep;

struct command {
    const char *name;
    const char *words[6];             /* "ID" and "BUNDLE" are replaced */
    bool (*prepare)(struct sweep *s); /* false: it couldn't be */
    void (*check)(struct sweep *s);   /* after success */
    bool attach;                      /* init has its part in it */
    bool must_fail;                   /* the configuration is one that can't work */
    bool stays;                       /* the container serves the next time as well */
};

struct sweep {
    const struct options *options;
    const struct command *command;
    struct trace_result r;
    char expected[TRACE_TEXT_MAX]; /* the program's output when nothing fails */
    unsigned total, harmless, reported, wrong;
    bool wrong_now;
};

static _Noreturn void die(const char *what, const struct trace_result *r)
{
    fprintf(stderr, "fault: %s: status %x, output \"%s\", error \"%s\"\n", what, (unsigned)r->status,
            r->output, r->error);
    exit(2);
}

static void complain(struct sweep *s, const char *format, ...)
{
    va_list list;

    printf("# %s: %s (%s): ", s->command->name, s->r.call,
           s->options->kill ? "killed" : strerror(s->r.errnum));
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    printf("\n");
    fflush(stdout);
    s->wrong_now = true;
}

static char **words(const struct sweep *s, char *argv[WORDS_MAX], const char *const *command)
{
    size_t n = 0;

    argv[n++] = (char *)s->options->runtime;
    argv[n++] = (char *)"--root";
    argv[n++] = (char *)s->options->place.state;
    for (; *command; command++)
        argv[n++] = (char *)(strcmp(*command, "ID") == 0       ? s->options->place.id
                             : strcmp(*command, "BUNDLE") == 0 ? s->options->place.bundle
                                                               : *command);
    argv[n] = NULL;
    return argv;
}

static bool succeeded(const struct trace_result *r)
{
    return !r->hung && WIFEXITED(r->status) && WEXITSTATUS(r->status) == 0;
}

/* Runs it undisturbed. */
static bool plain(const struct sweep *s, struct trace_result *r, const char *const *command)
{
    char *argv[WORDS_MAX];

    trace_plain(words(s, argv, command), r);
    return succeeded(r);
}

#define PLAIN(s, r, ...) plain(s, r, (const char *const[]){__VA_ARGS__, NULL})

/* The status of the container as the runtime tells it, "" when it knows none. */
static const char *state_of(const struct sweep *s)
{
    static const char *const all[] = {"creating", "created", "running", "paused", "stopped"};
    static const char *const state[] = {"state", "ID", NULL};
    static struct trace_result r;
    char *argv[WORDS_MAX], *before, *after;

    trace_aside(words(s, argv, state), &r);
    if (!succeeded(&r))
        return "";
    before = strstr(r.output, "\"status\"");
    for (size_t i = 0; before && i < sizeof(all) / sizeof(all[0]); i++)
        if ((after = strstr(before, all[i])) && after - before < 20)
            return all[i];
    return "?";
}

/* From the file, which is quicker than asking for it. */
static pid_t init_of(const struct sweep *s)
{
    char path[4096], text[8192], *at;
    ssize_t n = 0;
    int fd;

    snprintf(path, sizeof(path), "%s/%s/state.json", s->options->place.state, s->options->place.id);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    at = strstr(text, "\"pid\":");
    return at ? (pid_t)atoi(at + 6) : 0;
}

static bool wait_children(unsigned most)
{
    for (int i = 0; i < 1000; i++) {
        if (census_children() <= most)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = i < 20 ? 500000 : 5000000}, NULL);
    }
    return false;
}

/* ---- where commands begin ---- */

static bool nothing(struct sweep *s)
{
    (void)s;
    return true;
}

static bool created(struct sweep *s)
{
    static struct trace_result r;

    if (!PLAIN(s, &r, "create", "--bundle", "BUNDLE", "ID"))
        die("create", &r);
    return true;
}

static bool running(struct sweep *s)
{
    static struct trace_result r;

    if (s->command->stays && census_children() == 1)
        return true;
    created(s);
    if (!PLAIN(s, &r, "start", "ID"))
        die("start", &r);
    return true;
}

static bool stopped(struct sweep *s)
{
    running(s);
    return wait_children(0);
}

/* ---- what holds after success ---- */

static void check_output(struct sweep *s)
{
    char output[TRACE_TEXT_MAX];

    trace_output(output);
    if (!*s->expected && strstr(output, "\nend\n"))
        memcpy(s->expected, output, sizeof(output));
    if (strcmp(s->expected, output) == 0)
        return;
    complain(s, "success, but the container is another:");
    for (char *a = s->expected, *b = output; *a || *b;) { /* the first line that differs */
        size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");

        if (n != m || strncmp(a, b, n) != 0) {
            printf("#    expected \"%.*s\", got \"%.*s\"\n", (int)n, a, (int)m, b);
            return;
        }
        a += n + (a[n] == '\n');
        b += m + (b[m] == '\n');
    }
}

static void check_gone(struct sweep *s)
{
    char left[2000];

    if (!census_is_clean(&s->options->place, left, sizeof(left)))
        complain(s, "success, but this is left: %s", left);
}

static void check_ended(struct sweep *s)
{
    static struct trace_result r;

    if (!wait_children(0))
        complain(s, "success, but the container doesn't end");
    check_output(s);
    if (!PLAIN(s, &r, "delete", "ID"))
        complain(s, "success, but delete fails: %s", r.error);
    check_gone(s);
}

static void check_created(struct sweep *s)
{
    static struct trace_result r;

    if (strcmp(state_of(s), "created") != 0)
        complain(s, "success, but its state is \"%s\"", state_of(s));
    if (!PLAIN(s, &r, "start", "ID"))
        complain(s, "success, but start fails: %s", r.error);
    check_ended(s);
}

static void check_run(struct sweep *s)
{
    check_output(s);
    check_gone(s);
}

/* The container goes on, and nothing but its init. */
static void check_alone(struct sweep *s)
{
    for (int i = 0; i < 300; i++) {
        if (census_processes(&s->options->place) == 1)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    }
    complain(s, "%u processes are in the container, not one", census_processes(&s->options->place));
}

static void check_exec(struct sweep *s)
{
    check_output(s);
    check_alone(s);
}

static const struct command commands[] = {
    {"create", {"create", "--bundle", "BUNDLE", "ID"}, nothing, check_created},
    {"create-broken", {"create", "--bundle", "BUNDLE", "ID"}, nothing, NULL, .must_fail = true},
    {"start", {"start", "ID"}, created, check_ended, .attach = true},
    {"run", {"run", "--bundle", "BUNDLE", "ID"}, nothing, check_run},
    {"exec", {"exec", "ID", "/bin/fault", "portrait"}, running, check_exec, .stays = true},
    {"delete", {"delete", "ID"}, stopped, check_gone},
    {"delete-force", {"delete", "--force", "ID"}, running, check_gone},
};

/* ---- what holds after failure ---- */

/* The message without time, level and quotes. */
static const char *message(const struct trace_result *r)
{
    static char text[TRACE_TEXT_MAX];
    const char *at = strstr(r->error, "msg=");

    snprintf(text, sizeof(text), "%s", at ? at + 4 : r->error);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void check_message(struct sweep *s)
{
    const char *text = message(&s->r);
    const char *cause = strerror(s->r.errnum);

    if (strstr(s->r.call, "write(2,")) /* the message itself */
        return;
    if (WIFSIGNALED(s->r.status) && !*text) /* the C library's own errors, before main(), end so */
        complain(s, "ended by signal %d: %s", WTERMSIG(s->r.status), s->r.error);
    else if (strlen(text) < 15 || strstr(text, cause) == text ||
             strncmp(text + (*text == '"'), cause, strlen(cause)) == 0)
        complain(s, "the message doesn't say what failed: %s", text);
}

/* What is left has to be in the message; and delete --force removes it. */
static void check_left(struct sweep *s)
{
    static struct trace_result r;
    char left[2000];
    const char *text = message(&s->r);
    bool has_container = s->command->prepare != nothing;

    if (!s->options->kill && !has_container && !census_is_clean(&s->options->place, left, sizeof(left))) {
        if (!(strstr(left, "cgroup") && strstr(text, "cgroup")) &&
            !(strstr(left, "state") && strstr(text, "remove")) &&
            !(strstr(left, "processes") && strstr(text, "end")))
            complain(s, "this is left and not reported: %smessage: %s", left, text);
    }
    if (!PLAIN(s, &r, "delete", "--force", "ID"))
        complain(s, "afterwards delete --force fails: %s", r.error);
    if (!census_is_clean(&s->options->place, left, sizeof(left)))
        complain(s, "after delete --force this is left: %s", left);
}

static void check_failure(struct sweep *s)
{
    check_message(s);
    if (s->command->stays)
        check_alone(s);
    else
        check_left(s);
}

/* The runtime was killed: either the container is there, or nothing of it runs. */
static void check_killed(struct sweep *s)
{
    const char *state;

    if (s->command->stays) {
        check_alone(s);
        return;
    }
    state = state_of(s);
    if (!*state || strcmp(state, "stopped") == 0 || strcmp(state, "creating") == 0) {
        if (!wait_children(0))
            complain(s, "there is no container (%s), but a process", state);
    } else if (strcmp(state, "created") == 0) {
        static struct trace_result r;

        trace_new_output();
        if (!PLAIN(s, &r, "start", "ID"))
            complain(s, "the container is %s, but start fails: %s", state, r.error);
    }
    check_left(s);
}

/* ---- the sweep ---- */

/* By hand what the runtime failed to remove, so that the next time begins with nothing. */
static void start_over(struct sweep *s)
{
    static struct trace_result r;
    char command[6000];

    PLAIN(s, &r, "kill", "--all", "ID", "KILL");
    PLAIN(s, &r, "delete", "--force", "ID");
    snprintf(command, sizeof(command),
             "for d in /sys/fs/cgroup/*/%s /sys/fs/cgroup/%s; do [ -d $d ] || continue; kill -9 $(cat "
             "$d/cgroup.procs); sleep 0.1; "
             "rmdir $d; done 2>/dev/null; rm -rf '%s'/*",
             s->options->place.cgroup, s->options->place.cgroup, s->options->place.state);
    if (system(command) < 0) // NOLINT(cert-env33-c): a shell does it best
        perror("sh");
    for (int i = 0; i < 100 && census_children(); i++) {
        char children[64], text[4096];
        FILE *f;

        snprintf(children, sizeof(children), "/proc/self/task/%d/children", getpid());
        f = fopen(children, "re");
        while (f && fscanf(f, "%4095s", text) == 1)
            kill(atoi(text), SIGKILL);
        if (f)
            fclose(f);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

static void judge(struct sweep *s)
{
    if (s->r.hung)
        complain(s, "it hangs; %s", s->r.error);
    else if (s->options->kill)
        check_killed(s);
    else if (!succeeded(&s->r)) {
        s->reported++;
        check_failure(s);
    } else if (s->command->must_fail) {
        complain(s, "it succeeds though its configuration can't work");
    } else {
        s->harmless++;
        s->command->check(s);
    }
    if (s->options->verbose)
        printf("%s (%s): %s\n", s->r.call, strerror(s->r.errnum),
               succeeded(&s->r) ? "harmless" : message(&s->r));
}

/* False when there is no such call. */
static bool once(struct sweep *s, unsigned process, unsigned number)
{
    char *argv[WORDS_MAX];
    struct trace_plan plan = {
        .action = number == 0        ? TRACE_WATCH
                  : s->options->kill ? TRACE_KILL
                                     : TRACE_FAIL,
        .process = process,
        .number = number,
        .variant = s->options->variant,
    };

    s->wrong_now = false;
    trace_new_output();
    if (!s->command->prepare(s))
        die("prepare", &s->r);
    if (s->command->stays)
        trace_new_output();
    plan.attach = s->command->attach ? init_of(s) : 0;
    trace_run(words(s, argv, s->command->words), &plan, &s->r);
    if (number && !s->r.reached) {
        start_over(s);
        return false;
    }
    if (number)
        judge(s);
    if (s->wrong_now) {
        s->wrong++;
        start_over(s);
    }
    return true;
}

/* How it is when nothing fails. */
static void reference(struct sweep *s)
{
    once(s, 0, 0);
    if (s->r.hung || succeeded(&s->r) == s->command->must_fail)
        die("undisturbed", &s->r);
    if (!s->command->must_fail)
        s->command->check(s);
    if (s->wrong_now)
        die("undisturbed", &s->r);
    printf("%s: calls of each process:", s->command->name);
    for (unsigned i = 0; i < s->r.processes; i++)
        printf(" %u", s->r.calls[i]);
    printf("\n");
    fflush(stdout);
}

int sweep(const char *name, const struct options *options)
{
    static struct sweep s;
    unsigned processes;

    s = (struct sweep){.options = options};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            s.command = &commands[i];
    if (!s.command) {
        fprintf(stderr, "fault: there is no command %s\n", name);
        return 2;
    }
    census_begin(&options->place);
    reference(&s);
    processes = options->kill ? 1 : s.r.processes;
    for (unsigned process = 0; process < processes; process++)
        for (unsigned number = 1;; number++) {
            if (options->number && (options->process != (int)process || options->number != (int)number)) {
                if (options->number > (int)number)
                    continue;
                break;
            }
            if (!once(&s, process, number))
                break;
            s.total++;
        }
    start_over(&s);
    printf("%s: %u calls %s one by one: %u harmless, %u reported, %u wrong\n", name, s.total,
           options->kill ? "killed" : "failed", s.harmless, s.reported, s.wrong);
    return s.wrong ? 1 : 0;
}
