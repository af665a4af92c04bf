/* process.oomScoreAdj. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "runtime/internal.h"
#include "sys/namespace.h"
#include "sys/procfs.h"

/* An ordinary user may raise it only; what is asked for is more than that user can have, as with capabilities. */
static bool is_user(void)
{
    return geteuid() != 0 || !namespace_user_is_initial();
}

int oom_score_set(int procfs, const char *process, int64_t score, struct err *err)
{
    char path[40], value[24];
    int result;

    if (score == INT64_MIN)
        return 0;
    snprintf(path, sizeof(path), "%s/oom_score_adj", process);
    snprintf(value, sizeof(value), "%lld", (long long)score);
    result = procfs_write(procfs, path, value);
    if (result == 0 || ((result == -EACCES || result == -EPERM) && is_user()))
        return 0;
    return err_errno(err, result, "set process.oomScoreAdj to %s (lowering it needs CAP_SYS_RESOURCE)",
                     value);
}

char *oom_score_warning(int64_t score)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(64);
    long now;

    if (score == INT64_MIN || !is_user() || file_read(AT_FDCWD, "/proc/self/oom_score_adj", &text) < 0)
        return NULL;
    now = strtol(buf_str(&text), NULL, 10);
    return score < now ? xasprintf("process.oomScoreAdj stays %ld: lowering it to %lld is for root", now,
                                   (long long)score)
                       : NULL;
}
