/* GET /containers/{id}/top: the processes of the container's cgroup, read from the host's /proc. Columns are a table; what
 * ps options ask for is looked up in it. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/container.h"
#include "sys/cgroup.h"

enum { FILE_MAX = 64 * 1024, COLUMNS_MAX = 32 };

struct process {
    int pid, ppid, pgid, sid, tty, threads;
    long nice, priority;
    char state, comm[64];
    uint64_t cpu_ticks, start_ticks, virtual_bytes, resident_pages;
    uid_t uid;
    gid_t gid;
    struct buf cmdline;
    double uptime; /* of the host, s */
};

/* ---- reading ---- */

static int read_proc(int pid, const char *file, struct buf *b)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    return file_read(AT_FDCWD, path, b);
}

static bool read_stat(struct process *p)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
    if (read_proc(p->pid, "stat", &text) < 0)
        return false;
    const char *open = strchr(buf_str(&text), '('), *close = strrchr(buf_str(&text), ')');
    unsigned long long user, system, start, vsize;
    long rss;
    if (!open || !close || close < open)
        return false;
    snprintf(p->comm, sizeof(p->comm), "%.*s", (int)MIN_OF(close - open - 1, (ptrdiff_t)60), open + 1);
    int n = sscanf(close + 1,
                   " %c %d %d %d %d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %ld %ld %d %*d %llu %llu %ld",
                   &p->state, &p->ppid, &p->pgid, &p->sid, &p->tty, &user, &system, &p->priority, &p->nice,
                   &p->threads, &start, &vsize, &rss);
    if (n != 13)
        return false;
    p->cpu_ticks = user + system;
    p->start_ticks = start;
    p->virtual_bytes = vsize;
    p->resident_pages = (uint64_t)MAX_OF(rss, 0);
    return true;
}

static bool read_process(int pid, double uptime, struct process *ret)
{
    _cleanup_(buf_finish) struct buf status = BUF_INIT(FILE_MAX);
    *ret = (struct process){.pid = pid, .uptime = uptime, .cmdline = BUF_INIT(FILE_MAX)};
    if (!read_stat(ret) || read_proc(pid, "status", &status) < 0)
        return false;
    const char *uid = strstr(buf_str(&status), "\nUid:"), *gid = strstr(buf_str(&status), "\nGid:");
    if (uid)
        sscanf(uid, "\nUid: %*u %u", &ret->uid);
    if (gid)
        sscanf(gid, "\nGid: %*u %u", &ret->gid);
    if (read_proc(pid, "cmdline", &ret->cmdline) < 0)
        buf_reset(&ret->cmdline);
    return true;
}

static double read_uptime(void)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(4096);
    return file_read(AT_FDCWD, "/proc/uptime", &text) < 0 ? 0 : strtod(buf_str(&text), NULL);
}

/* ---- columns ---- */

static char *col_user(const struct process *p)
{
    char buffer[1024];
    struct passwd pw, *found = NULL;
    /* The host's names for the host's numbers; nothing of the container's is asked. */
    if (getpwuid_r(p->uid, &pw, buffer, sizeof(buffer), &found) == 0 && found)
        return xstrdup(found->pw_name);
    return xasprintf("%u", p->uid);
}

static char *col_uid(const struct process *p)
{
    return xasprintf("%u", p->uid);
}

static char *col_gid(const struct process *p)
{
    return xasprintf("%u", p->gid);
}

static char *col_pid(const struct process *p)
{
    return xasprintf("%d", p->pid);
}

static char *col_ppid(const struct process *p)
{
    return xasprintf("%d", p->ppid);
}

static char *col_pgid(const struct process *p)
{
    return xasprintf("%d", p->pgid);
}

static char *col_sid(const struct process *p)
{
    return xasprintf("%d", p->sid);
}

static double age_of(const struct process *p)
{
    return MAX_OF(p->uptime - (double)p->start_ticks / (double)sysconf(_SC_CLK_TCK), 0.0);
}

static double cpu_seconds(const struct process *p)
{
    return (double)p->cpu_ticks / (double)sysconf(_SC_CLK_TCK);
}

static char *col_c(const struct process *p)
{
    double age = age_of(p);
    return xasprintf("%d", age > 0 ? (int)(100 * cpu_seconds(p) / age) : 0);
}

static char *col_pcpu(const struct process *p)
{
    double age = age_of(p);
    return xasprintf("%.1f", age > 0 ? 100 * cpu_seconds(p) / age : 0.0);
}

static char *col_pmem(const struct process *p)
{
    double total = (double)sysconf(_SC_PHYS_PAGES);
    return xasprintf("%.1f", 100 * (double)p->resident_pages / total);
}

static char *col_stime(const struct process *p)
{
    char text[32];
    time_t now = time(NULL), start = now - (time_t)age_of(p);
    struct tm tm;
    localtime_r(&start, &tm);
    strftime(text, sizeof(text), now - start < 24 * 3600 ? "%H:%M" : "%b%d", &tm);
    return xstrdup(text);
}

static char *col_tty(const struct process *p)
{
    unsigned major_number = (unsigned)major((dev_t)p->tty), minor_number = (unsigned)minor((dev_t)p->tty);
    if (p->tty == 0)
        return xstrdup("?");
    if (major_number >= 136 && major_number < 144)
        return xasprintf("pts/%u", minor_number + 256 * (major_number - 136));
    return xasprintf("tty%u", minor_number);
}

static char *col_time(const struct process *p)
{
    long s = (long)cpu_seconds(p);
    return xasprintf("%02ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

static char *col_bsd_time(const struct process *p)
{
    long s = (long)cpu_seconds(p);
    return xasprintf("%ld:%02ld", s / 60, s % 60);
}

static char *col_etime(const struct process *p)
{
    long s = (long)age_of(p);
    if (s >= 24 * 3600)
        return xasprintf("%ld-%02ld:%02ld:%02ld", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
    if (s >= 3600)
        return xasprintf("%02ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    return xasprintf("%02ld:%02ld", s / 60, s % 60);
}

static char *col_args(const struct process *p)
{
    if (p->cmdline.len == 0)
        return xasprintf("[%s]", p->comm);
    char *text = xmalloc(p->cmdline.len + 1);
    memcpy(text, p->cmdline.data, p->cmdline.len);
    size_t len = p->cmdline.len;
    while (len > 0 && text[len - 1] == '\0')
        len--;
    for (size_t i = 0; i < len; i++)
        text[i] = text[i] ? text[i] : ' ';
    text[len] = '\0';
    return text;
}

static char *col_comm(const struct process *p)
{
    return xstrdup(p->comm);
}

static char *col_stat(const struct process *p)
{
    return xasprintf("%c", p->state);
}

static char *col_vsz(const struct process *p)
{
    return xasprintf("%llu", (unsigned long long)(p->virtual_bytes / 1024));
}

static char *col_rss(const struct process *p)
{
    return xasprintf("%llu", (unsigned long long)p->resident_pages *
                                 (unsigned long long)sysconf(_SC_PAGESIZE) / 1024);
}

static char *col_nice(const struct process *p)
{
    return xasprintf("%ld", p->nice);
}

static char *col_priority(const struct process *p)
{
    return xasprintf("%ld", p->priority + 60);
}

static char *col_threads(const struct process *p)
{
    return xasprintf("%d", p->threads);
}

static const struct column {
    const char *names; /* ps's names for it, comma-separated */
    const char *title;
    char *(*text)(const struct process *p);
} columns[] = {
    {"user,uname,euser", "USER", col_user},
    {"uid,euid", "UID", col_uid},
    {"gid,egid", "GID", col_gid},
    {"pid,tgid", "PID", col_pid},
    {"ppid", "PPID", col_ppid},
    {"pgid,pgrp", "PGID", col_pgid},
    {"sid,sess,session", "SID", col_sid},
    {"c", "C", col_c},
    {"pcpu,%cpu", "%CPU", col_pcpu},
    {"pmem,%mem", "%MEM", col_pmem},
    {"stime,start_time", "STIME", col_stime},
    {"start", "START", col_stime},
    {"tty,tt,tname", "TTY", col_tty},
    {"time,cputime", "TIME", col_time},
    {"bsdtime", "TIME", col_bsd_time},
    {"etime", "ELAPSED", col_etime},
    {"args,cmd,command", "COMMAND", col_args},
    {"comm,ucmd,ucomm", "COMMAND", col_comm},
    {"stat,state,s", "STAT", col_stat},
    {"vsz,vsize", "VSZ", col_vsz},
    {"rss,rssize", "RSS", col_rss},
    {"ni,nice", "NI", col_nice},
    {"pri", "PRI", col_priority},
    {"nlwp,thcount", "NLWP", col_threads},
};

struct view {
    const struct column *columns[COLUMNS_MAX];
    char *own_titles[COLUMNS_MAX];
    size_t count;
};

static const struct column *find_column(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        for (const char *p = columns[i].names; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
            if (strncmp(p, name, len) == 0 && (p[len] == ',' || p[len] == '\0'))
                return &columns[i];
    return NULL;
}

/* Adds "pid,comm=NAME,…". */
static int view_add(struct view *v, const char *list, struct err *err)
{
    _cleanup_strv_ char **names = strv_split(list, ',');
    for (char **n = names; *n; n++) {
        const char *equals = strchr(*n, '=');
        const struct column *column = find_column(*n, equals ? (size_t)(equals - *n) : strlen(*n));
        if (!column || v->count == COLUMNS_MAX)
            return err_set(err, ERR_INVALID, "ps: unknown column \"%.64s\"", *n);
        v->own_titles[v->count] = equals && equals[1] ? xstrdup(equals + 1) : NULL;
        v->columns[v->count++] = column;
    }
    return 0;
}

static void view_finish(struct view *v)
{
    for (size_t i = 0; i < v->count; i++)
        free(v->own_titles[i]);
}

/* The usual sets of columns, by the options that ask for them. */
static const struct preset {
    const char *options, *columns;
    const char *titles; /* where they differ: comma-separated, or NULL */
} presets[] = {
    {"-ef", "user,pid,ppid,c,stime,tty,time,args", "UID,PID,PPID,C,STIME,TTY,TIME,CMD"},
    {"-f", "user,pid,ppid,c,stime,tty,time,args", "UID,PID,PPID,C,STIME,TTY,TIME,CMD"},
    {"-e", "pid,tty,time,comm", "PID,TTY,TIME,CMD"},
    {"-A", "pid,tty,time,comm", "PID,TTY,TIME,CMD"},
    {"aux", "user,pid,pcpu,pmem,vsz,rss,tty,stat,start,bsdtime,args", NULL},
    {"-aux", "user,pid,pcpu,pmem,vsz,rss,tty,stat,start,bsdtime,args", NULL},
    {"u", "user,pid,pcpu,pmem,vsz,rss,tty,stat,start,bsdtime,args", NULL},
    {"ax", "pid,tty,stat,bsdtime,args", NULL},
    {"x", "pid,tty,stat,bsdtime,args", NULL},
};

static int view_preset(struct view *v, const struct preset *preset, struct err *err)
{
    _cleanup_strv_ char **titles = preset->titles ? strv_split(preset->titles, ',') : NULL;
    if (view_add(v, preset->columns, err) < 0)
        return -1;
    for (size_t i = 0; titles && titles[i]; i++)
        v->own_titles[i] = xstrdup(titles[i]);
    return 0;
}

static int view_from_args(struct view *v, const char *args, struct err *err)
{
    _cleanup_strv_ char **words = strv_split(args, ' ');
    const struct preset *chosen = NULL;
    for (char **w = words; *w; w++) {
        const char *list = str_after(*w, "-o");
        list = list ? list : str_after(*w, "-eo");
        list = list ? list : str_after(*w, "--format=");
        list = list ? list : str_eq(*w, "o") || str_eq(*w, "axo") ? "" : NULL;
        if (list && !*list && w[1])
            list = *++w;
        if (list) {
            if (view_add(v, list, err) < 0)
                return -1;
            continue;
        }
        bool known = **w == '\0';
        for (size_t i = 0; i < ARRAY_SIZE(presets) && !known; i++)
            if (str_eq(presets[i].options, *w)) {
                chosen = &presets[i];
                known = true;
            }
        if (!known)
            return err_set(err, ERR_NOT_IMPLEMENTED,
                           "ps: option \"%.64s\" is not supported: use -ef, aux, or -o with columns", *w);
    }
    if (v->count > 0)
        return 0;
    return view_preset(v, chosen ? chosen : &presets[0], err);
}

/* ---- ---- */

static json_t *view_titles(const struct view *v)
{
    json_t *titles = json_array();
    for (size_t i = 0; i < v->count; i++)
        json_array_append_new(titles,
                              json_string(v->own_titles[i] ? v->own_titles[i] : v->columns[i]->title));
    return titles;
}

static json_t *view_row(const struct view *v, const struct process *p)
{
    json_t *row = json_array();
    for (size_t i = 0; i < v->count; i++) {
        _cleanup_free_ char *text = v->columns[i]->text(p);
        json_array_append_new(row, json_string_lossy(text, strlen(text)));
    }
    return row;
}

static int by_pid(const void *a, const void *b)
{
    pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
    return x < y ? -1 : x > y;
}

static json_t *view_processes(const struct view *v, pid_t *pids, size_t count)
{
    json_t *rows = json_array();
    double uptime = read_uptime();
    if (count > 0)
        qsort(pids, count, sizeof(*pids), by_pid);
    for (size_t i = 0; i < count; i++) {
        struct process p;
        if (read_process(pids[i], uptime, &p))
            json_array_append_new(rows, view_row(v, &p));
        buf_finish(&p.cmdline);
    }
    return rows;
}

static int check_running(struct container *c, struct err *err)
{
    pthread_mutex_lock(&c->lock);
    enum container_status status = c->state.status;
    pthread_mutex_unlock(&c->lock);
    if (status == CONTAINER_RESTARTING)
        return container_is_restarting(c, err);
    return container_status_runs(status) ? 0
                                         : err_set(err, ERR_CONFLICT, "container %s is not running", c->id);
}

int engine_container_top(struct engine *e, const char *ref, const char *ps_args, json_t **ret,
                         struct err *err)
{
    struct view v = {.count = 0};
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c || check_running(c, err) < 0)
        return -1;
    _cleanup_free_ char *path = container_cgroup_path(c);
    _cleanup_free_ pid_t *pids = NULL;
    size_t count = 0;
    struct cgroup *cg = cgroup_open_path(path, err);
    int r = cg ? cgroup_pids(cg, /* recursive= */ true, &pids, &count, err) : -1;
    cgroup_free(cg);
    if (r == 0)
        r = view_from_args(&v, str_empty(ps_args) ? "-ef" : ps_args, err);
    if (r == 0) {
        *ret = json_object();
        json_object_set_new(*ret, "Titles", view_titles(&v));
        json_object_set_new(*ret, "Processes", view_processes(&v, pids, count));
        container_event(c, "top", NULL);
    }
    view_finish(&v);
    return r < 0 ? -1 : 0;
}
