/* Putting on the seccomp filter. With a listener its descriptor has to reach the caller, and the new filter may stop the very
 * calls that this takes, or make them wait for the listener itself. So a second thread, made before and under no filter, hands
 * the descriptor over, while the first waits without a call. execve() never sees it: it is gone by then. */
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/init/init.h"
#include "runtime/sync.h"

enum { STACK_SIZE = 64 * 1024, NOT_YET = -1, POLL_NS = 50 * 1000 };

struct handover {
    int sync;
    atomic_int listener; /* NOT_YET, a descriptor, or -errno below that */
    atomic_bool done;
};

/* Both threads share errno: no call here may fail while the other looks at it. */
static int hand_over(void *arg)
{
    static const struct timespec pause = {.tv_nsec = POLL_NS};
    struct handover *h = arg;
    struct err err = {0};
    int fd;

    while ((fd = atomic_load(&h->listener)) == NOT_YET)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    if (fd < NOT_YET)
        return 0;
    if (sync_send(h->sync, SYNC_LISTENER, fd) < 0)
        err_set(&err, ERR_SYSTEM, "hand over seccomp's listener: the caller went away");
    else
        sync_expect(h->sync, SYNC_GO, NULL, &err);
    if (err.kind) { /* the other may not be able to say so */
        sync_send_error(h->sync, &err);
        syscall(SYS_exit_group, err_kind_exit_code(err.kind));
    }
    atomic_store(&h->done, true);
    return 0;
}

static int install_by_itself(const struct seccomp_filter *filter, int sync, struct err *err)
{
    _cleanup_close_ int listener = -EBADF;
    int result = seccomp_install(filter, &listener);

    if (result == 0)
        result = sync_send(sync, SYNC_LISTENER, listener);
    if (result < 0)
        return err_errno(err, result, "install the seccomp filter");
    return sync_expect(sync, SYNC_GO, NULL, err);
}

static int install_with_listener(const struct seccomp_filter *filter, int sync, struct err *err)
{
    static struct handover h = {.listener = NOT_YET};
    static char stack[STACK_SIZE] __attribute__((aligned(16)));
    int listener = -EBADF, result;

    h.sync = sync;
    if (clone(hand_over, stack + STACK_SIZE,
              CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, &h) < 0)
        return install_by_itself(filter, sync, err); /* a limit of one process */
    result = seccomp_install(filter, &listener);
    atomic_store(&h.listener, result < 0 ? MIN_OF(result, NOT_YET - 1) : listener);
    if (result < 0)
        return err_errno(err, result, "install the seccomp filter");
    while (!atomic_load(&h.done))
        continue;
    return 0; /* the listener is close-on-exec */
}

int process_install_filter(const struct seccomp_filter *filter, int sync, struct err *err)
{
    int result;

    if (filter->wants_listener)
        return install_with_listener(filter, sync, err);
    result = seccomp_install(filter, NULL);
    return result < 0 ? err_errno(err, result, "install the seccomp filter") : 0;
}
