/* older-mount-calls PROGRAM [ARGUMENT…]: the program on a kernel that has mount(2) and none of the descriptor calls: they
 * answer ENOSYS, to it and to all that it starts. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static const int calls[] = {
        SCMP_SYS(fsopen),    SCMP_SYS(fsconfig),   SCMP_SYS(fsmount),       SCMP_SYS(fspick),
        SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(mount_setattr),
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    if (argc < 2 || !filter) {
        fprintf(stderr, "usage: older-mount-calls PROGRAM [ARGUMENT...]\n");
        return 125;
    }
    /* setuid programs of the tests stay what they are; this takes CAP_SYS_ADMIN */
    if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) < 0)
        return 125;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), calls[i], 0) < 0)
            return 125;
    if (seccomp_load(filter) < 0) {
        perror("older-mount-calls: seccomp");
        return 125;
    }
    seccomp_release(filter);
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
