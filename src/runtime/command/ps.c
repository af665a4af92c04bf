/* ps: the container's processes as the host's ps(1) tells them, or their ids. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/command/command.h"

enum { OUTPUT_MAX = 64 * 1024 * 1024 };

extern char **environ;

struct processes {
    pid_t *ids;
    size_t count;
};

static bool contains(const struct processes *p, uint32_t pid)
{
    for (size_t i = 0; i < p->count; i++)
        if ((uint32_t)p->ids[i] == pid)
            return true;
    return false;
}

/* What ps prints with these options; "-ef" when there are none. */
static int run_ps(char **options, struct buf *out, struct err *err)
{
    static const char *const by_default[] = {"-ef", NULL};
    _cleanup_strv_ char **argv = NULL;
    _cleanup_close_ int output = -EBADF, input = -EBADF;
    posix_spawn_file_actions_t actions;
    int ends[2], status = 0, result;
    pid_t pid;

    strv_push(&argv, "ps");
    for (char *const *o = *options ? options : (char *const *)by_default; *o; o++)
        strv_push(&argv, *o);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    output = ends[0];
    input = ends[1];
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDOUT_FILENO);
    result = posix_spawnp(&pid, "ps", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (result)
        return err_errno(err, result, "execute ps");
    close_fd(&input);
    result = fd_read_all(output, out);
    if (waitpid(pid, &status, 0) < 0 || status)
        return err_set(err, ERR_SYSTEM, "ps has failed: %s", buf_str(out));
    return result < 0 ? err_errno(err, result, "read what ps prints") : 0;
}

/* The column of that title, counted in words; -1. */
static int find_column(const char *header, const char *title)
{
    _cleanup_free_ char *copy = xstrdup(header);
    char *rest = copy;
    const char *word;

    for (int i = 0; (word = strsep(&rest, " \t"));) {
        if (*word && str_eq(word, title))
            return i;
        i += *word != '\0';
    }
    return -1;
}

static uint32_t number_in(const char *line, int column)
{
    _cleanup_free_ char *copy = xstrdup(line);
    char *rest = copy;
    const char *word;
    uint32_t n;

    for (int i = 0; (word = strsep(&rest, " \t"));) {
        if (*word && i++ == column)
            return str_to_u32(word, &n) == 0 ? n : 0;
    }
    return 0;
}

static int print_table(const struct processes *p, char **options, struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(OUTPUT_MAX);
    char *rest, *line;
    int column;

    if (run_ps(options, &text, err) < 0)
        return -1;
    rest = text.data;
    line = strsep(&rest, "\n");
    column = line ? find_column(line, "PID") : -1;
    if (column < 0)
        return err_set(err, ERR_INVALID, "couldn't find PID field in ps output");
    puts(line);
    while ((line = strsep(&rest, "\n")))
        if (contains(p, number_in(line, column)))
            puts(line);
    return 0;
}

static int print_ids(const struct processes *p)
{
    _cleanup_json_ json_t *array = json_array();

    for (size_t i = 0; i < p->count; i++)
        json_array_append_new(array, json_integer(p->ids[i]));
    return command_print_json(array, /* compact= */ true);
}

int command_ps(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);
    bool json = str_eq(request->format, "json");
    struct processes p = {0};
    int result;

    if (!c)
        return -1;
    if (request->format && !json && !str_eq(request->format, "table"))
        return err_set(err, ERR_INVALID, "invalid format option: %s", request->format);
    if (runtime_pids(c, &p.ids, &p.count, err) < 0)
        return -1;
    result = json ? print_ids(&p) : print_table(&p, request->args, err);
    free(p.ids);
    return result;
}
