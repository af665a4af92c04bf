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
 *
 *   fault swap [OPTIONS] A B [A B …]  runs the container while each A and B are exchanged, at each call that takes a path
 *
 *     --sentinel DIRECTORY  stands for the host and has to stay as it is
 *     --from P              at the calls of process P and those born later (1)
 *
 *   fault paths [OPTIONS]             prints the calls of init with a path, up to pivot_root()
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "portrait.h"
#include "swap.h"
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
    {"sentinel", required_argument, NULL, 'S'},
    {"from", required_argument, NULL, 'f'},
    {NULL, 0, NULL, 0},
};

static int usage(void)
{
    fprintf(stderr, "usage: fault portrait | wait | sweep | swap | paths …: see the source\n");
    return 2;
}

static bool parse(int argc, char **argv, struct options *o, struct swap *swap)
{
    int c;

    while ((c = getopt_long(argc, argv, "", table, NULL)) >= 0)
        switch (c) {
        case 'r':
            o->runtime = optarg;
            break;
        case 's':
            o->place.state = optarg;
            break;
        case 'b':
            o->place.bundle = optarg;
            break;
        case 'c':
            o->place.cgroup = optarg;
            break;
        case 'n':
            o->variant = (unsigned)atoi(optarg);
            break;
        case 'k':
            o->kill = true;
            break;
        case 'v':
            o->verbose = true;
            break;
        case 'S':
            swap->sentinel = optarg;
            break;
        case 'f':
            swap->first = (unsigned)atoi(optarg);
            break;
        case 'a':
            if (sscanf(optarg, "%d:%d", &o->process, &o->number) != 2)
                return false;
            break;
        default:
            return false;
        }
    return o->runtime && o->place.state && o->place.bundle && o->place.cgroup;
}

static int interfere(const char *verb, int argc, char **argv)
{
    char id[32];
    struct options o = {.process = -1};
    struct swap swap = {.first = 1};

    snprintf(id, sizeof(id), "fault-%d", getpid());
    o.place.id = id;
    if (!parse(argc, argv, &o, &swap))
        return usage();
    /* others' mounts come and go; in here there are only ours */
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        perror("fault: a mount namespace");
        return 2;
    }
    if (strcmp(verb, "sweep") == 0 && optind + 1 == argc)
        return sweep(argv[optind], &o);
    if (strcmp(verb, "paths") == 0 && optind == argc)
        return swap_print_paths(&o);
    for (; optind + 1 < argc && swap.count < SWAP_PAIRS_MAX; optind += 2, swap.count++) {
        swap.pairs[swap.count][0] = argv[optind];
        swap.pairs[swap.count][1] = argv[optind + 1];
    }
    if (strcmp(verb, "swap") == 0 && optind == argc && swap.count && swap.sentinel)
        return swap_sweep(&o, &swap);
    return usage();
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "portrait") == 0)
        return portrait();
    if (argc == 2 && strcmp(argv[1], "wait") == 0) {
        pause();
        return 0;
    }
    return argc > 2 ? interfere(argv[1], argc - 1, argv + 1) : usage();
}
