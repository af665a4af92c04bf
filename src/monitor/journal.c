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
};

/* One line more; the file before the last is given up when this one is full. */
static void append(const char *text, size_t max)
{
    _cleanup_close_ int fd =
        open(MONITOR_EVENTS, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    _cleanup_free_ char *line = xasprintf("%s\n", text);
    struct stat st;

    if (fd < 0 || fd_append_whole(fd, line, strlen(line)) < 0)
        return; /* tmpfs is full: those who listen still hear it */
    if (fstat(fd, &st) == 0 && (size_t)st.st_size > max)
        (void)!rename(MONITOR_EVENTS, MONITOR_EVENTS_OLD);
}

int64_t journal_add(struct monitor *m, json_t *event_take, int64_t time)
{
    _cleanup_free_ char *text = NULL;

    /* In order even when the clock was set back: kegd tells by it what it has heard. */
    m->journal_time = MAX_OF(time, m->journal_time + 1);
    json_set_int(event_take, "time", m->journal_time);
    text = json_text(event_take);
    if (text)
        append(text, server_is_watched(m->server) ? HEARD_BYTES : UNHEARD_BYTES);
    m->heard = server_event(m->server, event_take);
    return m->journal_time;
}
