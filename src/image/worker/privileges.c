/* From root to nobody. */
#include "image/worker/privileges.h"

#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { NOBODY = 65534 };

int privileges_drop(pid_t parent, struct err *err)
{
    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                           setresuid(NOBODY, NOBODY, NOBODY) < 0))
        return err_errno(err, errno, "become nobody");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_errno(err, errno, "give up privileges");
    if (parent && getppid() != parent)
        return err_set(err, ERR_CANCELLED, "kegd has gone");
    return 0;
}
