/* linux.timeOffsets. */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/internal.h"
#include "sys/procfs.h"

int launch_make_time_namespace(int procfs, const json_t *offsets, struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(4096);
    const char *clock;
    json_t *offset;
    int result;

    if (unshare(CLONE_NEWTIME) < 0)
        return err_errno(err, errno, "make a time namespace");
    json_object_foreach ((json_t *)offsets, clock, offset) {
        if (!str_eq(clock, "monotonic") && !str_eq(clock, "boottime"))
            return err_set(err, ERR_INVALID, "linux.timeOffsets: there is no clock \"%s\"", clock);
        buf_printf(&text, "%s %lld %lld\n", clock, (long long)json_int_or(offset, "secs", 0),
                   (long long)json_int_or(offset, "nanosecs", 0));
    }
    result = text.len ? procfs_write(procfs, "self/timens_offsets", buf_str(&text)) : 0;
    return result < 0 ? err_errno(err, result, "set the offsets of the time namespace") : 0;
}
