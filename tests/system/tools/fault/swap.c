#define _XOPEN_SOURCE 700
#include "swap.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracer.h"

enum { CALLS_MAX = 8192, FINGERPRINT_MAX = 1 << 16 };

struct moment {
    unsigned process, number;
};

struct state {
    const struct options *options;
    const struct swap *swap;
    struct trace_result r;
    struct moment moments[CALLS_MAX];
    size_t count;
    bool swapped;
    unsigned ran, wrong;
};

static char fingerprint_now[FINGERPRINT_MAX], fingerprint_before[FINGERPRINT_MAX];
static size_t fingerprint_used;

static int fingerprint_entry(const char *path, const struct stat *st, int type, struct FTW *unused)
{
    char content[256] = "";
    ssize_t n = 0;

    (void)unused;
    if (type == FTW_SL)
        n = readlink(path, content, sizeof(content) - 1);
    else if (S_ISREG(st->st_mode)) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        n = fd < 0 ? 0 : read(fd, content, sizeof(content) - 1);
        if (fd >= 0)
            close(fd);
    }
    content[n > 0 ? n : 0] = '\0';
    fingerprint_used +=
        (size_t)snprintf(fingerprint_now + fingerprint_used, FINGERPRINT_MAX - fingerprint_used,
                         "%s %ju %o %u:%u %ju %jd %s\n", path, (uintmax_t)st->st_ino, st->st_mode, st->st_uid,
                         st->st_gid, (uintmax_t)st->st_size, (intmax_t)st->st_mtime, content);
    return fingerprint_used >= FINGERPRINT_MAX;
}

/* Of the sentinel, and of what a container must never write to. */
static void take_fingerprint(const char *sentinel)
{
    static const char *const guarded[] = {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname"};

    fingerprint_used = 0;
    *fingerprint_now = '\0';
    nftw(sentinel, fingerprint_entry, 16, FTW_PHYS);
    for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
        struct stat st = {.st_mode = S_IFREG};

        fingerprint_entry(guarded[i], &st, FTW_F, NULL);
    }
}

static void exchange(void *data)
{
    struct state *s = data;

    for (unsigned i = 0; i < s->swap->count; i++)
        if (syscall(SYS_renameat2, AT_FDCWD, s->swap->pairs[i][0], AT_FDCWD, s->swap->pairs[i][1],
                    RENAME_EXCHANGE) < 0)
            fprintf(stderr, "fault: exchange %s and %s: %s\n", s->swap->pairs[i][0], s->swap->pairs[i][1],
                    strerror(errno));
    s->swapped = !s->swapped;
}

static void note(const struct trace_call *call, void *data)
{
    struct state *s = data;
    char path[256];
    int dirfd;

    if (call->process >= s->swap->first && s->count < CALLS_MAX &&
        trace_path(call, &dirfd, path, sizeof(path)) && *path)
        s->moments[s->count++] = (struct moment){call->process, call->number};
}

static char **run_words(const struct options *o, char *argv[8])
{
    const char *const words[] = {o->runtime, "--root",        o->place.state, "run",
                                 "--bundle", o->place.bundle, o->place.id,    NULL};

    memcpy(argv, words, sizeof(words));
    return argv;
}

static void complain(struct state *s, const char *how, const char *what)
{
    printf("# swapped %s %s: %s\n", how, s->r.call, what);
    fflush(stdout);
    s->wrong++;
}

/* Whether `root`, a path from the top of its filesystem, is that of the sentinel or below it. */
static bool is_of(const char *sentinel, const char *root, size_t n)
{
    for (const char *from = sentinel; from; from = strchr(from + 1, '/')) {
        size_t m = strlen(from);

        if (n >= m && strncmp(root, from, m) == 0 && (n == m || root[m] == '/'))
            return true;
    }
    return false;
}

/* What is mounted in the container (the first column of the portrait's mounts), not where: a link may lead to a path of the
 * same name inside. */
static bool is_mounted(const char *output, const char *sentinel)
{
    for (const char *line = output; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (*line == ' ' && is_of(sentinel, line + 1, strcspn(line + 1, " \n")))
            return true;
    }
    return false;
}

static void judge(struct state *s, const char *how)
{
    static struct trace_result cleaning;
    const char *const words[] = {s->options->runtime,  "--root", s->options->place.state, "delete", "--force",
                                 s->options->place.id, NULL};
    char *argv[8], left[2000];

    if (s->r.hung)
        complain(s, how, "it hangs");
    if (is_mounted(s->r.output, s->swap->sentinel))
        complain(s, how, "what stands for the host is in the container");
    if (strstr(s->r.output, "can be written"))
        complain(s, how, "a guarded file can be written");
    take_fingerprint(s->swap->sentinel);
    if (strcmp(fingerprint_before, fingerprint_now) != 0)
        complain(s, how, "what stands for the host was changed");
    memcpy(argv, words, sizeof(words));
    trace_plain(argv, &cleaning);
    if (!census_is_clean(&s->options->place, left, sizeof(left)))
        complain(s, how, left);
    if (s->options->verbose)
        printf("%s %s: %s", how, s->r.call, *s->r.error ? s->r.error : "ran\n");
}

static void once(struct state *s, const struct moment *m, bool stays)
{
    struct trace_plan plan = {.action = m ? TRACE_CALL : TRACE_WATCH,
                              .before = exchange,
                              .after = stays ? NULL : exchange,
                              .each = m ? NULL : note,
                              .data = s};
    char *argv[8];

    if (m) {
        plan.process = m->process;
        plan.number = m->number;
    }
    trace_new_output();
    trace_run(run_words(s->options, argv), &plan, &s->r);
    if (s->swapped)
        exchange(s);
    s->ran += s->r.reached;
    judge(s, stays ? "from" : "during");
}

int swap_sweep(const struct options *options, const struct swap *swap)
{
    static struct state s;

    s = (struct state){.options = options, .swap = swap};
    census_begin(&options->place);
    take_fingerprint(swap->sentinel);
    memcpy(fingerprint_before, fingerprint_now, sizeof(fingerprint_before));
    once(&s, NULL, false);
    s.count = 0; /* the first time makes mount points, which takes more calls than to find them */
    once(&s, NULL, false);
    if (s.wrong || !WIFEXITED(s.r.status) || WEXITSTATUS(s.r.status) != 0) {
        printf("undisturbed: status %x: %s\n", (unsigned)s.r.status, s.r.error);
        return 2;
    }
    for (size_t i = 0; i < s.count; i++) {
        once(&s, &s.moments[i], false);
        once(&s, &s.moments[i], true);
    }
    printf("swapped at %zu calls, %u runs, %u wrong\n", s.count, s.ran, s.wrong);
    return s.wrong || s.count < 50 ? 1 : 0;
}

static void print_path(const struct trace_call *call, void *data)
{
    bool *pivoted = data;
    char path[256];
    int dirfd;

    if (call->process != 1 || *pivoted)
        return;
    *pivoted = call->nr == SYS_pivot_root;
    if (!trace_path(call, &dirfd, path, sizeof(path)))
        return;
    /* openat() has its flags in the third argument, openat2() in the memory that this points to */
    printf("%s %llx %llx %d \"%s\"\n", trace_call_name(call->nr),
           (unsigned long long)trace_resolve_flags(call), (unsigned long long)call->args[2], dirfd, path);
}

int swap_print_paths(const struct options *options)
{
    static struct trace_result r;
    bool pivoted = false;
    struct trace_plan plan = {.action = TRACE_WATCH, .each = print_path, .data = &pivoted};
    char *argv[8];

    trace_new_output();
    trace_run(run_words(options, argv), &plan, &r);
    if (!pivoted || !WIFEXITED(r.status) || WEXITSTATUS(r.status) != 0) {
        fprintf(stderr, "fault: status %x: %s\n", (unsigned)r.status, r.error);
        return 2;
    }
    return 0;
}
