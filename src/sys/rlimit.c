/* The table of resource limits. */
#include "sys/rlimit.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"

static const char *const names[RLIM_NLIMITS] = {
    [RLIMIT_AS] = "RLIMIT_AS",
    [RLIMIT_CORE] = "RLIMIT_CORE",
    [RLIMIT_CPU] = "RLIMIT_CPU",
    [RLIMIT_DATA] = "RLIMIT_DATA",
    [RLIMIT_FSIZE] = "RLIMIT_FSIZE",
    [RLIMIT_LOCKS] = "RLIMIT_LOCKS",
    [RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
    [RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
    [RLIMIT_NICE] = "RLIMIT_NICE",
    [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
    [RLIMIT_NPROC] = "RLIMIT_NPROC",
    [RLIMIT_RSS] = "RLIMIT_RSS",
    [RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
    [RLIMIT_RTTIME] = "RLIMIT_RTTIME",
    [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
    [RLIMIT_STACK] = "RLIMIT_STACK",
};

int rlimit_from_name(const char *name)
{
    for (int i = 0; i < (int)ARRAY_SIZE(names); i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return i;
    return -EINVAL;
}

const char *rlimit_name(int resource)
{
    return resource >= 0 && resource < (int)ARRAY_SIZE(names) && names[resource] ? names[resource]
                                                                                 : "unknown";
}
