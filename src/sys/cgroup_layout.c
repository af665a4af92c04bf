/* How the host mounts its cgroups. Cheap first: the types of the filesystems directly below /sys/fs/cgroup
 * and the names of their directories tell everything on usual hosts; only an unusual one costs a pass over
 * the mount table. */
#include "sys/cgroup_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
enum { MOUNTINFO_MAX = 8 << 20, SELF_CGROUP_MAX = 64 << 10 };

/* v2 names first where they differ: the first row of a bit is the one that is printed. */
static const struct {
    const char *name;
    unsigned bit;
} controllers[] = {
    {"cpu", CTL_CPU},         {"cpuacct", CTL_CPUACCT},
    {"cpuset", CTL_CPUSET},   {"memory", CTL_MEMORY},
    {"devices", CTL_DEVICES}, {"freezer", CTL_FREEZER},
    {"io", CTL_IO},           {"blkio", CTL_IO},
    {"pids", CTL_PIDS},       {"hugetlb", CTL_HUGETLB},
    {"net_cls", CTL_NET_CLS}, {"net_prio", CTL_NET_PRIO},
    {"rdma", CTL_RDMA},       {"perf_event", CTL_PERF_EVENT},
    {"misc", CTL_MISC},
};

unsigned cgroup_controller_from_name(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
        if (strlen(controllers[i].name) == len && memcmp(controllers[i].name, name, len) == 0)
            return controllers[i].bit;
    return 0;
}

const char *cgroup_controller_name(unsigned controller)
{
    for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
        if (controllers[i].bit == controller)
            return controllers[i].name;
    return "unknown";
}

unsigned cgroup_controllers_from_text(const char *text)
{
    unsigned bits = 0;
    while (*text) {
        size_t len = strcspn(text, " ,\n");
        bits |= cgroup_controller_from_name(text, len);
        text += len + strspn(text + len, " ,\n");
    }
    return bits;
}

/* Whether every part of a comma-separated directory name is a controller. */
static bool layout_name_is_controllers(const char *name)
{
    while (*name) {
        size_t len = strcspn(name, ",");
        if (!cgroup_controller_from_name(name, len))
            return false;
        name += len + strspn(name + len, ",");
    }
    return true;
}

void cgroup_layout_finish(struct cgroup_layout *l)
{
    for (size_t i = 0; i < l->count; i++) {
        close_fd(&l->trees[i].fd);
        free((char *)l->trees[i].info.mountpoint);
        free((char *)l->trees[i].info.options);
    }
    l->count = 0;
    l->mode = CGROUP_MODE_NONE;
}

/* Takes fd over. `options` is "" for v2. 0 or -errno. */
static int layout_add(struct cgroup_layout *l, int fd, const char *mountpoint, const char *options, bool v2)
{
    ssize_t n = 0;
    if (l->count == CGROUP_TREES_MAX) {
        close(fd);
        return 0;
    }
    struct cgroup_tree *t = &l->trees[l->count];
    *t = (struct cgroup_tree){.fd = fd};
    t->info.v2 = v2;
    t->info.mountpoint = xstrdup(mountpoint);
    t->info.name = strrchr(t->info.mountpoint, '/') + 1;
    t->info.options = xstrdup(options);
    if (v2) {
        char text[256];
        n = cgroup_read(fd, "cgroup.controllers", text, sizeof(text));
        if (n > 0)
            t->controllers = cgroup_controllers_from_text(text);
    } else if (!str_starts(options, "name=")) {
        t->controllers = cgroup_controllers_from_text(options);
    }
    l->count++;
    return n < 0 && n != -ENOENT ? (int)n : 0;
}

/* v2 has no controllers for CPU accounting, devices and freezing: they are always there. */
static void layout_settle(struct cgroup_layout *l)
{
    size_t v1 = 0, v2 = 0;
    for (size_t i = 0; i < l->count; i++)
        *(l->trees[i].info.v2 ? &v2 : &v1) += 1;
    l->mode = v1 && v2 ? CGROUP_MODE_HYBRID
              : v1     ? CGROUP_MODE_LEGACY
              : v2     ? CGROUP_MODE_UNIFIED
                       : CGROUP_MODE_NONE;
    for (size_t i = 0; i < l->count; i++) {
        if (l->mode == CGROUP_MODE_UNIFIED)
            l->trees[i].controllers |= CTL_CPUACCT | CTL_DEVICES | CTL_FREEZER;
        l->infos[i] = l->trees[i].info;
    }
}

/* What isn't there or not for this user is no failure; anything else is, as limits would silently be left out. */
static bool layout_may_lack(int errnum)
{
    return errnum == ENOENT || errnum == ENOTDIR || errnum == EACCES || errnum == EPERM;
}

/* One directory below the root. 0, -errno, or -EXDEV when only the mount table can tell what it is. */
static int layout_probe_entry(struct cgroup_layout *l, int root, const char *root_path, const char *name)
{
    _cleanup_close_ int fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct statfs fs;
    if (fd < 0)
        return layout_may_lack(errno) ? 0 : -errno;
    if (fstatfs(fd, &fs) < 0)
        return -errno;
    _cleanup_free_ char *mountpoint = path_join(root_path, name);
    if (fs.f_type == CGROUP2_SUPER_MAGIC)
        return layout_add(l, take_fd(&fd), mountpoint, "", /* v2= */ true);
    if (fs.f_type != CGROUP_SUPER_MAGIC)
        return 0;
    if (str_eq(name, "systemd"))
        return layout_add(l, take_fd(&fd), mountpoint, "name=systemd", /* v2= */ false);
    if (layout_name_is_controllers(name))
        return layout_add(l, take_fd(&fd), mountpoint, name, /* v2= */ false);
    return -EXDEV;
}

int cgroup_layout_probe(const char *root_path, struct cgroup_layout *ret)
{
    int root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct statfs fs;
    if (root < 0)
        return -errno;
    int r = fstatfs(root, &fs) < 0 ? -errno : 0;
    if (r == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
        r = layout_add(ret, root, root_path, "", /* v2= */ true);
        layout_settle(ret);
        return r;
    }
    DIR *dir = r < 0 ? NULL : fdopendir(root);
    if (!dir) {
        r = r < 0 ? r : -errno;
        close(root);
        return r;
    }
    errno = 0;
    for (struct dirent *e; r == 0 && (e = readdir(dir)); errno = 0)
        if (e->d_name[0] != '.' && e->d_type == DT_DIR)
            r = layout_probe_entry(ret, root, root_path, e->d_name);
    if (r == 0 && errno)
        r = -errno;
    closedir(dir);
    if (r < 0)
        cgroup_layout_finish(ret);
    layout_settle(ret);
    return r;
}

/* The controllers or "name=…" among a v1 mount's super options ("rw,cpu,cpuacct"). The caller frees. */
static char *layout_options_of(const char *super)
{
    _cleanup_strv_ char **all = strv_split(super, ',');
    _cleanup_strv_ char **picked = NULL;
    for (size_t i = 0; all[i]; i++)
        if (str_starts(all[i], "name=") || cgroup_controller_from_name(all[i], strlen(all[i])))
            strv_push(&picked, all[i]);
    return picked ? strv_join(picked, ",") : xstrdup("");
}

/* Whether another mount of the same hierarchy was found before. */
static bool layout_has(const struct cgroup_layout *l, const char *options, bool v2)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->trees[i].info.v2 == v2 && str_eq(l->trees[i].info.options, options))
            return true;
    return false;
}

/* proc_pid_mountinfo(5): "36 35 98:0 /root /mountpoint options … - type source super-options". */
static int layout_parse_mountinfo_line(struct cgroup_layout *l, const char *line)
{
    const char *tail = strstr(line, " - cgroup");
    if (!tail)
        return 0;
    bool v2 = str_starts(tail, " - cgroup2 ");
    if (!v2 && !str_starts(tail, " - cgroup "))
        return 0;
    _cleanup_strv_ char **field = strv_split(line, ' ');
    _cleanup_strv_ char **super = strv_split(tail + 1, ' ');
    if (strv_len(field) < 6 || strv_len(super) < 4)
        return 0;
    _cleanup_free_ char *options = v2 ? xstrdup("") : layout_options_of(super[3]);
    if ((!v2 && !*options) || layout_has(l, options, v2) || field[4][0] != '/')
        return 0;
    int fd = open(field[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return layout_may_lack(errno) ? 0 : -errno;
    return layout_add(l, fd, field[4], options, v2);
}

int cgroup_layout_parse_mountinfo(const char *text, struct cgroup_layout *ret)
{
    int r = 0;
    while (*text && r == 0) {
        size_t len = strcspn(text, "\n");
        _cleanup_free_ char *line = xstrndup(text, len);
        r = layout_parse_mountinfo_line(ret, line);
        text += len + (text[len] == '\n');
    }
    if (r < 0)
        cgroup_layout_finish(ret);
    layout_settle(ret);
    return r < 0 ? r : ret->count ? 0 : -ENOENT;
}

static struct cgroup_layout host_layout, pretended_layout;
static bool pretending;
static pthread_once_t host_once = PTHREAD_ONCE_INIT;
static int host_error; /* -errno: the host's layout isn't known */

static int layout_find_in_mountinfo(void)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(MOUNTINFO_MAX);
    _cleanup_close_ int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : fd_read_all(fd, &b);
    return r < 0 ? r : cgroup_layout_parse_mountinfo(buf_str(&b), &host_layout);
}

static void layout_find_host(void)
{
    int r = cgroup_layout_probe(CGROUP_ROOT, &host_layout);
    if (r == 0 && host_layout.count > 0)
        return;
    if (r == 0 || r == -EXDEV || layout_may_lack(-r))
        r = layout_find_in_mountinfo();
    host_error = layout_may_lack(-r) ? 0 : r;
}

int cgroup_find(struct err *err)
{
    (void)cgroup_layout();
    return host_error && !pretending ? err_errno(err, host_error, "find out how the host mounts its cgroups")
                                     : 0;
}

const struct cgroup_layout *cgroup_layout(void)
{
    if (pretending)
        return &pretended_layout;
    pthread_once(&host_once, layout_find_host);
    return &host_layout;
}

void cgroup_layout_pretend_v2(const char *root)
{
    cgroup_layout_finish(&pretended_layout);
    pretending = false;
    int fd = root ? open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    (void)layout_add(&pretended_layout, fd, root, "", /* v2= */ true);
    layout_settle(&pretended_layout);
    pretending = true;
}

/* The path in the line of /proc/self/cgroup ("4:memory:/a/b", "0::/a") that belongs to the tree. */
static const char *layout_own_line(const struct cgroup_tree *tree, const char *line)
{
    const char *names = strchr(line, ':');
    const char *path = names ? strchr(names + 1, ':') : NULL;
    if (!path)
        return NULL;
    if (tree->info.v2)
        return str_starts(line, "0::") ? path + 1 : NULL;
    size_t len = (size_t)(path - names - 1);
    const char *options = tree->info.options;
    size_t first = strcspn(options, ","); /* one controller identifies its hierarchy */
    for (const char *p = names + 1; len > 0;) {
        size_t n = strcspn(p, ",:");
        if (n == first && memcmp(p, options, n) == 0)
            return path + 1;
        if (p[n] != ',')
            break;
        p += n + 1;
    }
    return NULL;
}

int cgroup_path_of(const struct cgroup_tree *tree, pid_t pid, char **ret)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(SELF_CGROUP_MAX);
    char file[40] = "/proc/self/cgroup";
    if (pid > 0)
        snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
    _cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = fd_read_all(fd, &b);
    if (r < 0)
        return r;
    _cleanup_strv_ char **lines = strv_split(buf_str(&b), '\n');
    for (size_t i = 0; lines[i]; i++) {
        const char *path = layout_own_line(tree, lines[i]);
        if (!path)
            continue;
        *ret = xstrdup(path + strspn(path, "/"));
        return 0;
    }
    return -ENOENT;
}

int cgroup_own_path(const struct cgroup_tree *tree, char **ret)
{
    _cleanup_free_ char *path = NULL;
    int r = cgroup_path_of(tree, 0, &path);
    if (r < 0 || !path)
        return r < 0 ? r : -ENOENT;
    /* Where the mount shows only a part of the hierarchy, and that part is our own cgroup, it is the mount's root. */
    if (*path && faccessat(tree->fd, path, F_OK, 0) < 0)
        *path = '\0';
    *ret = take_ptr(&path);
    return 0;
}

enum cgroup_mode cgroup_mode(void)
{
    return cgroup_layout()->mode;
}

const struct cgroup_hierarchy *cgroup_hierarchies(size_t *ret_count)
{
    const struct cgroup_layout *l = cgroup_layout();
    *ret_count = l->count;
    return l->infos;
}

bool cgroup_has_controller(const char *controller)
{
    unsigned bit = cgroup_controller_from_name(controller, strlen(controller));
    const struct cgroup_layout *l = cgroup_layout();
    for (size_t i = 0; i < l->count; i++)
        if (l->trees[i].controllers & bit)
            return true;
    return false;
}
