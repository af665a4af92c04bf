/* The runtime under interference, from the command line (what runtime_fault.bats drives).
 *
 *   fault portrait                    what the process can tell of its surroundings; as a container's program
 *   fault wait                        waits for a signal; likewise
 *   fault sweep [OPTIONS] COMMAND     every kernel call of COMMAND fails, one at a time
 *
 *     --runtime FILE  --state DIRECTORY  --bundle DIRECTORY  --cgroup NAME (at the top: linux.cgroupsPath is "/NAME")
 *     --variant N     another error for each call
 *     --kill          the runtime is killed there instead
 *     --at P:N        only call N of process P
 *     --verbose       what came of each
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "portrait.h"
#include "sweep.h"

static const struct option table[] = {
    {"runtime", required_argument, NULL, 'r'},
    {"state", required_argument, NULL, 's'},
    {"bundle", required_argument, NULL, 'b'},
    {"cgroup", required_argument, NULL, 'c'},
    {"variant", required_argument, NULL, 'n'},
    {"kill", no_argument, NULL, 'k'},
    {"at", required_argument, NULL, 'a'},
    {"verbose", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static int usage(void)
{
    fprintf(stderr, "usage: fault portrait | wait | sweep --runtime FILE --state DIR --bundle DIR --cgroup "
                    "NAME [--variant N] "
                    "[--kill] [--at P:N] [--verbose] COMMAND\n");
    return 2;
}

static int sweep_main(int argc, char **argv)
{
    char id[32];
    struct options o = {.process = -1};
    int c;

    snprintf(id, sizeof(id), "fault-%d", getpid());
    o.place.id = id;
    while ((c = getopt_long(argc, argv, "", table, NULL)) >= 0)
        switch (c) {
        case 'r':
            o.runtime = optarg;
            break;
        case 's':
            o.place.state = optarg;
            break;
        case 'b':
            o.place.bundle = optarg;
            break;
        case 'c':
            o.place.cgroup = optarg;
            break;
        case 'n':
            o.variant = (unsigned)atoi(optarg);
            break;
        case 'k':
            o.kill = true;
            break;
        case 'v':
            o.verbose = true;
            break;
        case 'a':
            if (sscanf(optarg, "%d:%d", &o.process, &o.number) != 2)
                return usage();
            break;
        default:
            return usage();
        }
    if (!o.runtime || !o.place.state || !o.place.bundle || !o.place.cgroup || optind + 1 != argc)
        return usage();
    /* others' mounts come and go; in here there are only ours */
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        perror("fault: a mount namespace");
        return 2;
    }
    return sweep(argv[optind], &o);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "portrait") == 0)
        return portrait();
    if (argc == 2 && strcmp(argv[1], "wait") == 0) {
        pause();
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "sweep") == 0)
        return sweep_main(argc - 1, argv + 1);
    return usage();
}
