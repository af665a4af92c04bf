/* The floor: what the kernel alone takes to run a program the way a container does. clone3 with every namespace, a
 * cgroup directory in each hierarchy (or one, on v2), an overlay, the default mounts, pivot_root, execve, reap, remove.
 * No JSON, no checks, no capabilities, no seccomp: nothing that makes it safe or useful.
 *
 *     floor LOWER UPPER WORK MERGED PROGRAM [ARGUMENT…]
 *
 * The overlay is "volatile", so that unmounting doesn't synchronize the disk: WORK has to be empty at each run. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HIERARCHIES_MAX = 16 };

static char cgroups[HIERARCHIES_MAX][256]; /* directories made */
static int cgroup_count;
static int unified = -1; /* the one of v2: the child is born there, since moving there costs milliseconds */

static void check(int result, const char *what)
{
    if (result >= 0)
        return;
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void make_cgroup(const char *mount)
{
    snprintf(cgroups[cgroup_count], sizeof(cgroups[0]), "%s/keg-floor-%d", mount, getpid());
    if (mkdir(cgroups[cgroup_count], 0755) < 0)
        return;
    if (unified < 0 && (strstr(mount, "unified") || strcmp(mount, "/sys/fs/cgroup") == 0))
        unified = open(cgroups[cgroup_count], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cgroup_count++;
}

static void make_cgroups(void)
{
    static const char *const names[] = {"blkio",  "cpu",  "cpuacct", "devices", "freezer",
                                        "memory", "pids", "systemd", "unified"};
    char path[128];

    if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
        make_cgroup("/sys/fs/cgroup");
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", names[i]);
        make_cgroup(path);
    }
}

static void enter_cgroups(void)
{
    for (int i = 0; i < cgroup_count; i++) {
        char path[512];
        int fd;

        snprintf(path, sizeof(path), "%.255s/tasks", cgroups[i]); /* v2 has none */
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && write(fd, "0", 1) < 0 && errno != EINVAL)
            check(-1, path);
        close(fd);
    }
}

static void mount_all(char **argv)
{
    static const struct {
        const char *type, *target, *options;
    } mounts[] = {
        {"proc", "proc", NULL},
        {"tmpfs", "dev", "mode=755"},
        {"devpts", "dev/pts", "newinstance"},
        {"tmpfs", "dev/shm", "size=64m"},
        {"mqueue", "dev/mqueue", NULL},
        {"sysfs", "sys", NULL},
        {"tmpfs", "tmp", NULL},
    };
    char options[8192];

    check(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave");
    snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s,volatile", argv[1], argv[2],
             argv[3]);
    check(mount("overlay", argv[4], "overlay", 0, options), "overlay");
    check(chdir(argv[4]), "chdir");
    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
        mkdir(mounts[i].target, 0755);
        check(mount(mounts[i].type, mounts[i].target, mounts[i].type, MS_NOSUID, mounts[i].options),
              mounts[i].target);
    }
    check((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "umount");
    check(chdir("/"), "chdir /");
}

int main(int argc, char **argv)
{
    struct clone_args args = {.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
                                       CLONE_NEWNET | CLONE_NEWCGROUP,
                              .exit_signal = SIGCHLD};
    int status;
    pid_t pid;

    if (argc < 6) {
        fprintf(stderr, "usage: floor LOWER UPPER WORK MERGED PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    make_cgroups();
    if (unified >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)unified;
    }
    pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    check(pid, "clone3");
    if (pid == 0) {
        enter_cgroups();
        mount_all(argv);
        execv(argv[5], argv + 5);
        check(-1, argv[5]);
    }
    check(waitpid(pid, &status, 0), "waitpid");
    while (cgroup_count)
        rmdir(cgroups[--cgroup_count]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
