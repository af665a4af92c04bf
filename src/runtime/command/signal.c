/* kill, pause, resume. */
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "runtime/command/command.h"
#include "sys/cgroup.h"

/* "RTMIN+3", "RTMAX-1" */
static int real_time_signal(const char *text)
{
    bool from_end = strncasecmp(text, "RTMAX", 5) == 0;
    uint32_t n = 0;
    int signal;

    if (!from_end && strncasecmp(text, "RTMIN", 5) != 0)
        return -EINVAL;
    text += 5;
    if (*text && (*text != (from_end ? '-' : '+') || str_to_u32(text + 1, &n) < 0 || n > NSIG))
        return -EINVAL;
    signal = from_end ? SIGRTMAX - (int)n : SIGRTMIN + (int)n;
    return signal >= SIGRTMIN && signal <= SIGRTMAX ? signal : -EINVAL;
}

static int signal_from_text(const char *text)
{
    uint32_t n;

    if (str_to_u32(text, &n) == 0)
        return n <= (uint32_t)SIGRTMAX ? (int)n : -EINVAL;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int i = 1; i < NSIG; i++)
        if (sigabbrev_np(i) && strcasecmp(sigabbrev_np(i), text) == 0)
            return i;
    return real_time_signal(text);
}

int command_kill(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);
    const char *name = request->args[0] ? request->args[0] : "SIGTERM";
    int signal = signal_from_text(name);
    struct err kill = {0};

    if (!c)
        return -1;
    if (signal < 0)
        return err_set(err, ERR_INVALID, "unknown signal \"%s\"", name);
    if (runtime_kill(c, signal, request->all, &kill) == 0 || (request->all && kill.kind == ERR_CONFLICT))
        return 0;
    return err_pass(err, &kill);
}

static int freeze(struct request *request, bool on, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);

    if (!c)
        return -1;
    if (runtime_pidfd(c) < 0)
        return err_set(err, ERR_CONFLICT, "container not running");
    if (!runtime_cgroup(c))
        return err_set(err, ERR_CONFLICT,
                       "container has no cgroup, and only those of one can be frozen (an ordinary "
                       "user's has one where the own cgroup is delegated to that user)");
    return cgroup_freeze(runtime_cgroup(c), on, err);
}

int command_pause(struct request *request, struct err *err)
{
    return freeze(request, true, err);
}

int command_resume(struct request *request, struct err *err)
{
    return freeze(request, false, err);
}
