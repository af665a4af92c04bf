#include "census.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CGROUPS "/sys/fs/cgroup"

static char mounts_before[1 << 18], mounts_now[1 << 18];
static unsigned bundle_before;

static void read_all(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got;

    while (fd >= 0 && n + 1 < size && (got = read(fd, text + n, size - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    if (fd >= 0)
        close(fd);
}

static unsigned entries(const char *path, char *ret_first, size_t size)
{
    DIR *directory = opendir(path);
    struct dirent *e;
    unsigned n = 0;

    while (directory && (e = readdir(directory))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (n++ == 0 && ret_first)
            snprintf(ret_first, size, "%s", e->d_name);
    }
    if (directory)
        closedir(directory);
    return n;
}

/* Calls for the cgroup's directory in every hierarchy where it exists: the one at the top, if it is one, and those below. */
static unsigned each_cgroup(const struct place *place, void (*found)(const char *path, void *data),
                            void *data)
{
    DIR *top = opendir(CGROUPS);
    struct dirent *e;
    unsigned n = 0;

    while (top && (e = readdir(top))) {
        char path[600];
        struct stat st;

        if (strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), CGROUPS "/%s/%s", e->d_name, place->cgroup);
        if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
            continue;
        n++;
        found(path, data);
    }
    if (top)
        closedir(top);
    return n;
}

struct text {
    char *at;
    size_t left;
};

static void say(struct text *t, const char *what, const char *which)
{
    int n = snprintf(t->at, t->left, "%s %s\n", what, which);

    if (n > 0 && (size_t)n < t->left) {
        t->at += n;
        t->left -= (size_t)n;
    }
}

static void say_cgroup(const char *path, void *data)
{
    say(data, "cgroup", path);
}

unsigned census_children(void)
{
    char path[64], text[4096];
    unsigned n = 0;

    while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
        ;
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
    read_all(path, text, sizeof(text));
    for (char *p = text; *p; p++)
        n += *p == ' ';
    return n;
}

static void count_lines(const char *path, void *data)
{
    char file[700], text[4096];
    unsigned n = 0, *most = data;

    snprintf(file, sizeof(file), "%s/cgroup.procs", path);
    read_all(file, text, sizeof(text));
    for (char *p = text; *p; p++)
        n += *p == '\n';
    if (n > *most)
        *most = n;
}

unsigned census_processes(const struct place *place)
{
    unsigned most = 0;

    each_cgroup(place, count_lines, &most);
    return most;
}

unsigned census_keyrings(void)
{
    static char text[1 << 16];
    unsigned n = 0;

    read_all("/proc/keys", text, sizeof(text));
    for (char *p = text; (p = strstr(p, " _ses.fault")); p++)
        n++;
    return n;
}

void census_begin(const struct place *place)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    read_all("/proc/self/mountinfo", mounts_before, sizeof(mounts_before));
    bundle_before = entries(place->bundle, NULL, 0);
}

static bool look(const struct place *place, char *ret_left, size_t size)
{
    struct text t = {ret_left, size};
    char first[256], number[16];
    unsigned n = census_children();

    *ret_left = '\0';
    if (n) {
        snprintf(number, sizeof(number), "%u", n);
        say(&t, "processes:", number);
    }
    if (entries(place->state, first, sizeof(first)))
        say(&t, "state", first);
    each_cgroup(place, say_cgroup, &t);
    read_all("/proc/self/mountinfo", mounts_now, sizeof(mounts_now));
    if (strcmp(mounts_before, mounts_now) != 0)
        say(&t, "mounts", "are not what they were");
    if (entries(place->bundle, NULL, 0) != bundle_before)
        say(&t, "files in", place->bundle);
    return *ret_left == '\0';
}

bool census_is_clean(const struct place *place, char *ret_left, size_t size)
{
    for (int i = 0; i < 200; i++) {
        if (look(place, ret_left, size))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return false;
}
