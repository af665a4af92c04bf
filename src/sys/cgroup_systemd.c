/* Cgroups by way of systemd, where it runs: it owns the tree there, so a container's group is a transient unit that it makes
 * (with the container's process in it), limits and takes away. What systemd has no property for, and all hierarchies of v1 it
 * leaves alone, are then written directly, as the unit is delegated to us.
 * Source: org.freedesktop.systemd1(5), systemd.resource-control(5), systemd.unit(5). */
#include "sys/cgroup_systemd.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/cgroup_internal.h"
#include "sys/dbus.h"

#define MANAGER     "org.freedesktop.systemd1.Manager"
#define DESTINATION "org.freedesktop.systemd1"
#define OBJECT      "/org/freedesktop/systemd1"

enum { UNIT_NAME_MAX = 255 };

/* --- names --- */

static int check_unit_name(const char *name, const char *suffix, struct err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";
    if (strlen(name) > UNIT_NAME_MAX || strspn(name, allowed) != strlen(name) || !str_ends(name, suffix) ||
        str_eq(name, suffix))
        return err_set(err, ERR_INVALID, "linux.cgroupsPath: \"%s\" is no name of a systemd unit *%s", name,
                       suffix);
    return 0;
}

/* "a-b-c.slice" lies in a.slice/a-b.slice/a-b-c.slice; "-.slice" is the root. */
static int expand_slice(const char *slice, char **ret, struct err *err)
{
    _cleanup_(buf_finish) struct buf path = BUF_INIT(UNIT_NAME_MAX * UNIT_NAME_MAX);
    size_t length = strlen(slice) - strlen(".slice");
    if (check_unit_name(slice, ".slice", err) < 0)
        return -1;
    if (str_eq(slice, "-.slice")) {
        *ret = xstrdup("");
        return 0;
    }
    if (slice[0] == '-' || slice[length - 1] == '-' || strstr(slice, "--"))
        return err_set(err, ERR_INVALID, "linux.cgroupsPath: \"%s\" is no name of a slice", slice);
    for (size_t i = 1; i <= length; i++)
        if (slice[i] == '-' || i == length)
            buf_printf(&path, "/%.*s.slice", (int)i, slice);
    *ret = buf_take(&path);
    return 0;
}

/* "slice:prefix:name" (each of the first two may be empty); nothing at all is `id` in the default slice. */
static int parse_path(const char *text, const char *id, bool user, char **ret_slice, char **ret_unit,
                      struct err *err)
{
    _cleanup_strv_ char **part = str_empty(text) ? NULL : strv_split(text, ':');
    const char *slice = "", *prefix = "keg", *name = id;
    if (part && strv_len(part) != 3)
        return err_set(err, ERR_INVALID,
                       "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, "
                       "got \"%s\" instead",
                       text);
    if (part) {
        slice = part[0];
        prefix = part[1];
        name = part[2];
    }
    *ret_slice = xstrdup(*slice ? slice : user ? "user.slice" : "system.slice");
    if (str_ends(name, ".slice"))
        *ret_unit = xstrdup(name);
    else
        *ret_unit = *prefix ? xasprintf("%s-%s.scope", prefix, name) : xasprintf("%s.scope", name);
    return check_unit_name(*ret_unit, str_ends(name, ".slice") ? ".slice" : ".scope", err);
}

/* --- the bus --- */

static struct dbus *connect_manager(bool user, struct err *err)
{
    const char *address = getenv(user ? "DBUS_SESSION_BUS_ADDRESS" : "DBUS_SYSTEM_BUS_ADDRESS");
    const char *directory = getenv("XDG_RUNTIME_DIR");
    _cleanup_free_ char *otherwise =
        user ? xasprintf("unix:path=%s/bus", directory ? directory : "/run") : NULL;
    if (str_empty(address))
        address = user ? otherwise
                       : "unix:path=/run/dbus/system_bus_socket;"
                         "unix:path=/var/run/dbus/system_bus_socket";
    struct dbus *bus = dbus_connect(address, geteuid(), err);
    if (!bus)
        err_wrap(err, "systemd not running on this host, cannot use systemd cgroups manager");
    return bus;
}

static int manager_call(struct dbus *bus, const char *member, const char *signature, const struct buf *body,
                        struct dbus_message *ret, struct err *err)
{
    return dbus_call(bus, &(struct dbus_method){DESTINATION, OBJECT, MANAGER, member, signature}, body, ret,
                     err);
}

/* The cgroup that the manager itself is the root of: "" on a host, deeper for users and in containers. */
static int manager_root(struct dbus *bus, char **ret, struct err *err)
{
    _cleanup_(buf_finish) struct buf body = BUF_INIT(DBUS_MESSAGE_MAX);
    _cleanup_(dbus_message_finish) struct dbus_message reply = {};
    const char *signature, *path;
    dbus_put_string(&body, MANAGER);
    dbus_put_string(&body, "ControlGroup");
    if (dbus_call(bus,
                  &(struct dbus_method){DESTINATION, OBJECT, "org.freedesktop.DBus.Properties", "Get", "ss"},
                  &body, &reply, err) < 0)
        return err_wrap(err, "ask systemd for its cgroup");
    if (!dbus_read_signature(&reply, &signature) || !str_eq(signature, "s") ||
        !dbus_read_string(&reply, &path))
        return err_set(err, ERR_SYSTEM, "ask systemd for its cgroup: it answers something else");
    *ret = xstrdup(path);
    return 0;
}

struct job {
    const char *path;
    char result[32];
};

static bool is_job(void *arg, struct dbus_message *m)
{
    struct job *job = arg;
    const char *path, *unit, *result;
    uint32_t id;
    if (!str_eq(m->member, "JobRemoved") || !dbus_read_u32(m, &id) || !dbus_read_string(m, &path) ||
        !dbus_read_string(m, &unit) || !dbus_read_string(m, &result) || !str_eq(path, job->path))
        return false;
    snprintf(job->result, sizeof(job->result), "%s", result);
    return true;
}

/* ResetFailedUnit, then as if it had never been. */
static void forget_failure(struct dbus *bus, const char *unit)
{
    _cleanup_(buf_finish) struct buf body = BUF_INIT(DBUS_MESSAGE_MAX);
    dbus_put_string(&body, unit);
    (void)manager_call(bus, "ResetFailedUnit", "s", &body, NULL, NULL);
}

/* Calls what queues a job, and waits for the job's end. */
static int run_job(struct dbus *bus, const char *unit, const char *member, const char *signature,
                   const struct buf *body, struct err *err)
{
    _cleanup_(dbus_message_finish) struct dbus_message reply = {};
    struct job job = {};
    if (dbus_subscribe(bus, MANAGER, "JobRemoved", err) < 0 ||
        manager_call(bus, "Subscribe", "", NULL, NULL, err) < 0 ||
        manager_call(bus, member, signature, body, &reply, err) < 0)
        return err_wrap(err, "systemd unit %s", unit);
    if (!dbus_read_string(&reply, &job.path))
        return err_set(err, ERR_SYSTEM, "systemd unit %s: %s answers something else", unit, member);
    if (dbus_wait(bus, is_job, &job, err) < 0)
        return err_wrap(err, "systemd unit %s", unit);
    if (!str_eq(job.result, "done")) {
        forget_failure(bus, unit);
        return err_set(err, ERR_SYSTEM, "systemd unit %s: %s ended as \"%s\"", unit, member, job.result);
    }
    return 0;
}

/* --- the unit's life --- */

struct cgroup *cgroup_plan_unit(const char *cgroups_path, const char *id, bool user, struct err *err)
{
    _cleanup_free_ char *slice = NULL, *unit = NULL, *below = NULL, *root = NULL, *path = NULL;
    _cleanup_(dbus_free_p) struct dbus *bus = NULL;
    if (parse_path(cgroups_path, id, user, &slice, &unit, err) < 0 || expand_slice(slice, &below, err) < 0)
        return NULL;
    bus = connect_manager(user, err);
    if (!bus || manager_root(bus, &root, err) < 0)
        return NULL;
    path = xasprintf("%s%s/%s", root, below, unit);
    struct cgroup *cg = cgroup_plan(path, err);
    if (!cg)
        return NULL;
    cg->unit = take_ptr(&unit);
    cg->slice = take_ptr(&slice);
    cg->user_manager = user;
    return cg;
}

static void put_bool(struct buf *b, const char *name, bool value)
{
    dbus_put_struct(b);
    dbus_put_string(b, name);
    dbus_put_signature(b, "b");
    dbus_put_u32(b, value);
}

static void put_text(struct buf *b, const char *name, const char *value)
{
    dbus_put_struct(b);
    dbus_put_string(b, name);
    dbus_put_signature(b, "s");
    dbus_put_string(b, value);
}

/* What the unit is, apart from its limits. */
static void put_nature(struct buf *b, const struct cgroup *cg, pid_t pid)
{
    static const char *const accounts[] = {"MemoryAccounting", "CPUAccounting", "TasksAccounting"};
    _cleanup_free_ char *description = xasprintf("container %s", cg->unit);
    bool is_slice = str_ends(cg->unit, ".slice"), v2 = cgroup_mode() == CGROUP_MODE_UNIFIED;
    put_text(b, "Description", description);
    if (is_slice) {
        dbus_put_struct(b);
        dbus_put_string(b, "Wants");
        dbus_put_signature(b, "as");
        struct dbus_array wants = dbus_open_array(b, 4);
        dbus_put_string(b, cg->slice);
        dbus_close_array(b, wants);
    } else {
        put_text(b, "Slice", cg->slice);
        put_bool(b, "Delegate", true);
        dbus_put_struct(b);
        dbus_put_string(b, "PIDs");
        dbus_put_signature(b, "au");
        struct dbus_array pids = dbus_open_array(b, 4);
        dbus_put_u32(b, (uint32_t)pid);
        dbus_close_array(b, pids);
    }
    put_bool(b, "DefaultDependencies", false);
    for (size_t i = 0; i < ARRAY_SIZE(accounts); i++)
        put_bool(b, accounts[i], true);
    put_bool(b, v2 ? "IOAccounting" : "BlockIOAccounting", true);
}

static int start_unit(struct cgroup *cg, pid_t pid, const json_t *resources, const json_t *annotations,
                      struct err *err)
{
    _cleanup_(buf_finish) struct buf body = BUF_INIT(DBUS_MESSAGE_MAX);
    _cleanup_(dbus_free_p) struct dbus *bus = connect_manager(cg->user_manager, err);
    struct err first = {};
    if (!bus)
        return -1;
    dbus_put_string(&body, cg->unit);
    dbus_put_string(&body, "replace");
    struct dbus_array properties = dbus_open_array(&body, 8);
    put_nature(&body, cg, pid);
    if (systemd_put_limits(&body, resources, cgroup_mode() == CGROUP_MODE_UNIFIED, err) < 0 ||
        (!cg->user_manager && /* only root may make rules for devices */
         systemd_put_devices(&body, json_object_get(resources, "devices"), err) < 0) ||
        systemd_put_annotations(&body, annotations, err) < 0)
        return -1;
    dbus_close_array(&body, properties);
    dbus_close_array(&body, dbus_open_array(&body, 8)); /* no auxiliary units */
    int r = run_job(bus, cg->unit, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body, &first);
    if (r < 0 && first.kind == ERR_CONFLICT) { /* one of that name has failed before */
        forget_failure(bus, cg->unit);
        return run_job(bus, cg->unit, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body, err);
    }
    if (r < 0 && err)
        *err = first;
    return r;
}

int cgroup_start_unit(struct cgroup *cg, pid_t pid, const json_t *resources, const json_t *annotations,
                      struct err *err)
{
    int r = start_unit(cg, pid, resources, annotations, err);
    cg->unit_started = r == 0;
    if (r < 0) /* a unit of that name is another container's */
        cgroup_disown(cg);
    return r;
}

int cgroup_stop_unit(struct cgroup *cg, struct err *err)
{
    _cleanup_(buf_finish) struct buf body = BUF_INIT(DBUS_MESSAGE_MAX);
    _cleanup_(dbus_free_p) struct dbus *bus = connect_manager(cg->user_manager, err);
    struct err failure = {};
    if (!bus)
        return -1;
    dbus_put_string(&body, cg->unit);
    dbus_put_string(&body, "replace");
    int r = run_job(bus, cg->unit, "StopUnit", "ss", &body, &failure);
    if (r < 0 && failure.kind == ERR_NOT_FOUND) /* a scope ends with its last process */
        r = 0;
    if (r < 0 && err)
        *err = failure;
    forget_failure(bus, cg->unit);
    return r;
}

int cgroup_set_unit(struct cgroup *cg, const json_t *resources, struct err *err)
{
    _cleanup_(buf_finish) struct buf body = BUF_INIT(DBUS_MESSAGE_MAX);
    _cleanup_(dbus_free_p) struct dbus *bus = connect_manager(cg->user_manager, err);
    if (!bus)
        return -1;
    dbus_put_string(&body, cg->unit);
    dbus_put_u32(&body, /* until the next boot only: */ true);
    struct dbus_array properties = dbus_open_array(&body, 8);
    if (systemd_put_limits(&body, resources, cgroup_mode() == CGROUP_MODE_UNIFIED, err) < 0)
        return -1;
    dbus_close_array(&body, properties);
    return manager_call(bus, "SetUnitProperties", "sba(sv)", &body, NULL, err);
}
