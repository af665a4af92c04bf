/* Devices: nodes and the rules that let the container use them. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/oci.h"

enum { DEVICES_MAX = 4096, DEPTH_MAX = 8 };

struct device_rule {
    char type;
    int64_t major, minor; /* -1: any */
    const char *access;
};

/* What every container may use. The nodes themselves are the runtime's. */
static const struct device_rule default_rules[] = {
    {'c', -1, -1, "m"},    {'b', -1, -1, "m"}, /* mknod, but not use */
    {'c', 1, 3, "rwm"},                        /* null */
    {'c', 1, 5, "rwm"},                        /* zero */
    {'c', 1, 7, "rwm"},                        /* full */
    {'c', 1, 8, "rwm"},                        /* random */
    {'c', 1, 9, "rwm"},                        /* urandom */
    {'c', 5, 0, "rwm"},                        /* tty */
    {'c', 5, 1, "rwm"},                        /* console */
    {'c', 5, 2, "rwm"},                        /* ptmx */
    {'c', 136, -1, "rwm"},                     /* pts */
};

static void add_rule(json_t *rules, bool allow, char type, int64_t major, int64_t minor, const char *access)
{
    json_t *rule = json_object();
    json_set_bool(rule, "allow", allow);
    if (type && type != 'a') {
        json_set_str(rule, "type", (char[]){type, '\0'});
        if (major >= 0)
            json_set_int(rule, "major", major);
        if (minor >= 0)
            json_set_int(rule, "minor", minor);
    }
    json_set_str(rule, "access", access);
    json_array_append_new(rules, rule);
}

/* ---- nodes ---- */

struct device_walk {
    json_t *devices, *rules;
    const char *access; /* NULL: no rules are needed */
    struct err *err;
};

static void add_node(struct device_walk *w, const char *inside, const struct stat *st)
{
    char type = S_ISBLK(st->st_mode) ? 'b' : 'c';
    json_t *d = json_object();
    json_set_str(d, "path", inside);
    json_set_str(d, "type", (char[]){type, '\0'});
    json_set_int(d, "major", major(st->st_rdev));
    json_set_int(d, "minor", minor(st->st_rdev));
    json_set_int(d, "fileMode", st->st_mode & 07777);
    json_set_int(d, "uid", st->st_uid);
    json_set_int(d, "gid", st->st_gid);
    json_array_append_new(w->devices, d);
    if (w->access)
        add_rule(w->rules, true, type, major(st->st_rdev), minor(st->st_rdev), w->access);
}

/* Names below /dev that belong to the host's own house-keeping, or that the runtime makes itself. */
static bool is_left_out(const char *name)
{
    static const char *const names[] = {"pts",    "shm",         "fd",    "mqueue", "console",
                                        ".lxc",   ".lxd-mounts", ".udev", "stdin",  "stdout",
                                        "stderr", "core",        "ptmx",  "log",    NULL};
    for (const char *const *n = names; *n; n++)
        if (str_eq(*n, name))
            return true;
    return false;
}

static int walk_devices(struct device_walk *w, const char *host, const char *inside, int depth)
{
    DIR *dir = depth < DEPTH_MAX ? opendir(host) : NULL;
    struct dirent *entry;
    int r = 0;
    if (!dir)
        return 0;
    while (r == 0 && (entry = readdir(dir))) {
        struct stat st;
        if (entry->d_name[0] == '.' || (depth == 0 && is_left_out(entry->d_name)) ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        _cleanup_free_ char *below = path_join(host, entry->d_name),
                            *target = path_join(inside, entry->d_name);
        if (S_ISDIR(st.st_mode))
            r = walk_devices(w, below, target, depth + 1);
        else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
            add_node(w, target, &st);
        if (json_array_size(w->devices) > DEVICES_MAX)
            r = err_set(w->err, ERR_INVALID, "more than %d devices below %s", DEVICES_MAX, host);
    }
    closedir(dir);
    return r;
}

/* ---- --device ---- */

static int add_requested(struct device_walk *w, const json_t *request)
{
    const char *host = json_str_or(request, "PathOnHost", "");
    const char *inside = json_str_or(request, "PathInContainer", "");
    const char *access = json_str_or(request, "CgroupPermissions", "");
    _cleanup_free_ char *real = NULL;
    struct stat st;
    if (!*inside)
        inside = host;
    w->access = *access ? access : "rwm";
    if (strspn(w->access, "rwm") != strlen(w->access))
        return err_set(w->err, ERR_INVALID, "invalid device permissions: %.32s", w->access);
    if (!path_is_absolute(inside))
        return err_set(w->err, ERR_INVALID, "invalid device path in the container: %.256s", inside);
    real = realpath(host, NULL);
    if (!real || stat(real, &st) < 0)
        return err_set(w->err, ERR_INVALID,
                       "error gathering device information while adding custom device \"%.256s\": %s", host,
                       errno == ENOENT ? "no such file or directory" : strerror(errno));
    if (S_ISDIR(st.st_mode)) {
        size_t before = json_array_size(w->devices);
        if (walk_devices(w, real, inside, 1) < 0)
            return -1;
        if (json_array_size(w->devices) > before)
            return 0;
    } else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
        add_node(w, inside, &st);
        return 0;
    }
    return err_set(
        w->err, ERR_INVALID,
        "error gathering device information while adding custom device \"%.256s\": not a device node", host);
}

/* "c 10:200 rwm", "a *:* rwm", "b 8:* r" */
static int add_cgroup_rule(json_t *rules, const char *text, struct err *err)
{
    char type, major_text[16], minor_text[16], access[8], end;
    uint32_t number[2] = {0};
    bool any[2];
    int n = sscanf(text, "%c %15[0-9*]:%15[0-9*] %7[rwm]%c", &type, major_text, minor_text, access, &end);
    bool good = n == 4 && strchr("abc", type);
    if (good) {
        any[0] = str_eq(major_text, "*");
        any[1] = str_eq(minor_text, "*");
        good = (any[0] || str_to_u32(major_text, &number[0]) == 0) &&
               (any[1] || str_to_u32(minor_text, &number[1]) == 0);
    }
    if (!good)
        return err_set(err, ERR_INVALID, "invalid device cgroup rule format: '%.128s'", text);
    add_rule(rules, true, type, any[0] ? -1 : (int64_t)number[0], any[1] ? -1 : (int64_t)number[1], access);
    return 0;
}

int oci_devices(const struct oci_input *in, json_t **ret_devices, json_t **ret_rules, struct err *err)
{
    _cleanup_json_ json_t *devices = json_array(), *rules = json_array();
    struct device_walk walk = {.devices = devices, .rules = rules, .err = err};
    const json_t *value;
    size_t i;
    if (json_bool_or(in->host_config, "Privileged", false)) {
        add_rule(rules, true, 'a', -1, -1, "rwm");
        if (walk_devices(&walk, "/dev", "/dev", 0) < 0)
            return -1;
    } else {
        add_rule(rules, false, 'a', -1, -1, "rwm");
        for (i = 0; i < ARRAY_SIZE(default_rules); i++) {
            const struct device_rule *r = &default_rules[i];
            add_rule(rules, true, r->type, r->major, r->minor, r->access);
        }
    }
    json_array_foreach (json_object_get(in->host_config, "Devices"), i, value) {
        if (add_requested(&walk, value) < 0)
            return -1;
    }
    json_array_foreach (json_object_get(in->host_config, "DeviceCgroupRules"), i, value) {
        if (add_cgroup_rule(rules, json_string_value(value), err) < 0)
            return -1;
    }
    *ret_devices = take_ptr(&devices);
    *ret_rules = take_ptr(&rules);
    return 0;
}
