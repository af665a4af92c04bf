/* Exec sessions: more programs in the running container. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "sys/pidfd.h"

enum {
    RECORDS_MAX = 400, /* so that the state fits into a packet */
    HEARD_MAX = 32,    /* ended ones that somebody has heard of */
    END_WAIT_MS = 2000,
};

static void exec_session_ended(struct session *s);

static void exec_attached(struct session *s)
{
    monitor_session_event(s->owner, s, "attach");
}

static void exec_detached(struct session *s)
{
    monitor_session_event(s->owner, s, "detach");
}

static void exec_deserted(struct session *s)
{
    const struct exec_record *r = monitor_exec_record(s->owner, s->id);

    if (!r || !r->running || r->bond != EXEC_BOUND_TO_CLIENT)
        return;
    exec_group_kill(s->owner, r);
    kill(r->pid, SIGKILL); /* where it has no group */
}

static const struct session_events exec_events = {
    .attached = exec_attached,
    .detached = exec_detached,
    .deserted = exec_deserted,
    .ended = exec_session_ended,
};

static void record_free(struct exec_record *r)
{
    free(r->id);
    free(r);
}

/* Forgets the oldest records that are over, as far as they are too many. */
static void records_trim(struct monitor *m)
{
    size_t heard = 0, all = 0;

    exec_group_look(m);
    for (const struct exec_record *r = m->exec_records; r; r = r->next) {
        heard += !r->running && r->heard;
        all++;
    }
    for (struct exec_record **link = &m->exec_records; *link;) {
        struct exec_record *r = *link;

        if (!r->running && ((r->heard && !r->left && heard > HEARD_MAX) || all >= RECORDS_MAX)) {
            heard -= r->heard;
            all--;
            *link = r->next;
            record_free(r);
        } else {
            link = &r->next;
        }
    }
}

static struct exec_record *record_add(struct monitor *m, const char *id)
{
    struct exec_record **tail = &m->exec_records, *r;
    size_t count = 0;

    records_trim(m);
    for (; *tail; tail = &(*tail)->next)
        count++;
    if (count >= RECORDS_MAX)
        return NULL;
    r = xcalloc(1, sizeof(*r));
    r->id = xstrdup(id);
    *tail = r;
    return r;
}

struct exec_record *monitor_exec_record(const struct monitor *m, const char *id)
{
    struct exec_record *r = m->exec_records;

    while (r && !str_eq(r->id, id))
        r = r->next;
    return r;
}

static void record_remove(struct monitor *m, struct exec_record *record)
{
    struct exec_record **link = &m->exec_records;

    while (*link != record)
        link = &(*link)->next;
    *link = record->next;
    record_free(record);
}

json_t *monitor_execs_json(const struct monitor *m)
{
    json_t *execs = json_object();

    for (const struct exec_record *r = m->exec_records; r; r = r->next) {
        json_t *entry = json_object();

        json_set_bool(entry, "running", r->running);
        json_set_int(entry, "pid", r->pid);
        json_set_int(entry, "exit_code", r->exit_code);
        if (r->left)
            json_set_bool(entry, "left", true);
        json_object_set_new(execs, r->id, entry);
    }
    return execs;
}

void monitor_execs_free(struct monitor *m)
{
    while (m->execs) {
        struct session *s = m->execs;

        m->execs = s->next;
        session_free(s);
    }
    while (m->exec_records)
        record_remove(m, m->exec_records);
}

struct session *monitor_find_exec(struct monitor *m, const char *id)
{
    struct session *s = m->execs;

    while (s && !str_eq(s->id, id))
        s = s->next;
    return s;
}

/* The program has ended and every client has gone. */
static void exec_session_ended(struct session *s)
{
    struct monitor *m = s->owner;
    struct session **link = &m->execs;

    while (*link && *link != s)
        link = &(*link)->next;
    if (*link)
        *link = s->next;
    session_free(s);
}

/* Starts the program of session s. */
static int exec_run(struct monitor *m, struct session *s, struct exec_record *record, struct request *r,
                    bool attached, struct err *err)
{
    _cleanup_json_ json_t *process = monitor_read_json(r->nfds ? r->fds[0] : -1, "process", err);
    struct runtime_exec_options options = {.process = process,
                                           .stdio = {-EBADF, -EBADF, -EBADF},
                                           .group = -EBADF,
                                           .privileged = json_bool_or(r->body, "privileged", false),
                                           .seccomp_cache_dir = m->seccomp_cache};
    int pidfd = -EBADF, master = -EBADF, result;

    if (!process)
        return -1;
    monitor_set_oom_score(m, process);
    if (!s->tty && session_make_stdio(s, /* outputs= */ attached, options.stdio, err) < 0)
        return -1;
    options.group = exec_group_make(m, record);
    result = runtime_exec(m->container, &options, &s->pid, &pidfd, &master, err);
    close_fd(&options.group);
    for (int i = 0; i < 3; i++)
        close_fd(&options.stdio[i]);
    close_fd(&pidfd);
    if (result == 0 && s->tty) {
        result = master < 0 ? err_set(err, ERR_INVALID, "the process has no terminal")
                            : session_take_console(s, &master, err);
        if (result < 0)
            kill(s->pid, SIGKILL);
        else
            monitor_console_size(s, r->body);
    }
    close_fd(&master);
    return result;
}

static int exec_attach(struct session *s, struct request *r, const struct session_client_options *options,
                       struct err *err)
{
    if (r->nfds < 2)
        return err_set(err, ERR_INVALID, "exec: attach without a client's stream");
    if (session_attach(s, &r->fds[1], options, err) < 0) {
        kill(s->pid, SIGKILL);
        return -1;
    }
    return 0;
}

static enum exec_bond exec_bond_parse(const char *name)
{
    return str_eq(name, "client")    ? EXEC_BOUND_TO_CLIENT
           : str_eq(name, "process") ? EXEC_BOUND_TO_PROCESS
                                     : EXEC_UNBOUND;
}

static int exec_start(struct monitor *m, struct request *r, struct err *err)
{
    const char *id = json_str(r->body, "exec_id");
    json_t *attach = json_object_get(r->body, "attach");
    bool attached = json_is_object(attach);
    _cleanup_(buf_finish) struct buf early = BUF_INIT(64 * 1024);
    _cleanup_(session_free_p) struct session *s = NULL;
    struct session_client_options client = {0};
    struct exec_record *record;

    if (m->status != MONITOR_RUNNING)
        return err_set(err, ERR_CONFLICT, "container is not running");
    if (str_empty(id) || monitor_exec_record(m, id))
        return err_set(err, ERR_CONFLICT, "exec id \"%s\" is missing or in use", id ? id : "");
    if (attached && monitor_read_attach(attach, &client, &early, err) < 0)
        return -1;
    record = record_add(m, id);
    if (!record)
        return err_set(err, ERR_CONFLICT, "more than %d exec sessions in one container", RECORDS_MAX);
    s = session_new(&m->loop, id, &exec_events, m);
    s->tty = json_bool_or(r->body, "tty", false);
    s->open_stdin = json_bool_or(r->body, "open_stdin", false) && attached;
    s->stdin_once = true;
    record->bond = exec_bond_parse(json_str_or(r->body, "ends_with", ""));
    if (exec_run(m, s, record, r, attached, err) < 0 || (attached && exec_attach(s, r, &client, err) < 0)) {
        exec_group_kill(m, record);
        exec_group_end(m, record);
        record_remove(m, record);
        return -1;
    }
    record->running = s->running = true;
    record->pid = s->pid;
    s->next = m->execs;
    m->execs = take_ptr(&s);
    return 0;
}

void monitor_exec(struct monitor *m, struct request *r)
{
    struct err err = {0};

    if (exec_start(m, r, &err) < 0) {
        connection_reply_error(r->from, &err);
        return;
    }
    connection_reply(r->from, json_pack("{s:i}", "pid", (int)m->execs->pid));
    session_begin(m->execs);
}

void monitor_exec_ended(struct monitor *m, pid_t pid, int exit_code)
{
    struct session *s = m->execs;
    struct exec_record *record;
    json_t *event;

    while (s && (s->pid != pid || !s->running))
        s = s->next;
    if (!s)
        return; /* an orphan that came to us as the next subreaper */
    s->running = false;
    s->exit_code = exit_code;
    record = monitor_exec_record(m, s->id);
    if (record && record->bond != EXEC_UNBOUND)
        exec_group_kill(m, record);
    session_drain(s);
    event = json_pack("{s:s, s:s, s:i}", "event", "exec-exit", "exec_id", s->id, "exit_code", exit_code);
    if (record) {
        record->running = false;
        record->exit_code = exit_code;
        exec_group_end(m, record);
        if (record->left)
            json_set_bool(event, "left", true);
    }
    journal_add(m, event, clock_now());
    if (m->heard && record)
        record->heard = true;
    session_close(s);
}

void monitor_execs_end(struct monitor *m)
{
    int64_t deadline = clock_monotonic() + END_WAIT_MS * 1000000LL;

    for (struct exec_record *r = m->exec_records; r; r = r->next) {
        siginfo_t info = {0};

        if (!r->running)
            continue;
        kill(r->pid, SIGKILL);
        while (process_wait_end(P_PID, (id_t)r->pid, /* hang= */ false, &info) == 0 && info.si_pid == 0 &&
               clock_monotonic() < deadline)
            poll(NULL, 0, 1);
        monitor_exec_ended(m, r->pid, info.si_pid ? monitor_exit_code(&info) : 128 + SIGKILL);
    }
    exec_group_look(m); /* all are gone with the container's cgroup */
}
