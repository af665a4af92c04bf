/* The journal: what kegd has to hear even if it is away now. Each event is a line in the RUN directory before it is sent, so
 * that the next kegd reads what the last one missed. It is kept short: what was heard is dropped after a while, and what
 * nobody hears is bounded. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

enum {
    HEARD_BYTES = 16 * 1024,    /* enough for what a kegd that is killed hasn't noted yet */
    UNHEARD_BYTES = 256 * 1024, /* a file; there are two of them */
    UNHEARD_PROBES = 64 * 1024,
};

struct file {
    const char *name, *old;
    size_t unheard;
};
static const struct file events = {MONITOR_EVENTS, MONITOR_EVENTS_OLD, UNHEARD_BYTES};
static const struct file probes = {MONITOR_PROBES, MONITOR_PROBES_OLD, UNHEARD_PROBES};

/* One line more; the file before the last is given up when this one is full. */
static void append(const struct file *file, const char *text, size_t max)
{
    _cleanup_close_ int fd = open(file->name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    _cleanup_free_ char *line = xasprintf("%s\n", text);
    struct stat st;

    if (fd < 0 || fd_append_whole(fd, line, strlen(line)) < 0)
        return; /* tmpfs is full: those who listen still hear it */
    if (fstat(fd, &st) == 0 && (size_t)st.st_size > max)
        (void)!rename(file->name, file->old);
}

int64_t journal_add(struct monitor *m, json_t *event_take, int64_t time)
{
    const struct file *file = str_starts(json_str_or(event_take, "event", ""), "probe-") ? &probes : &events;
    _cleanup_free_ char *text = NULL;

    /* In order even when the clock was set back: kegd tells by it what it has heard. */
    m->journal_time = MAX_OF(time, m->journal_time + 1);
    json_set_int(event_take, "time", m->journal_time);
    text = json_text(event_take);
    if (text)
        append(file, text, server_is_watched(m->server) ? HEARD_BYTES : file->unheard);
    m->heard = server_event(m->server, event_take);
    return m->journal_time;
}
