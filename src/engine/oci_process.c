/* The process: what runs, as whom, with which environment and limits. */
#include <string.h>
#include <sys/resource.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/apparmor.h"
#include "engine/oci.h"
#include "sys/capability.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define INIT_INSIDE  "/sbin/docker-init"

enum { NOFILE_SOFT = 1024, NOFILE_HARD = 524288, CAPABILITY_SYS_RESOURCE = 24 };

/* ---- environment ---- */

static size_t env_find(const json_t *env, const char *key, size_t key_len)
{
    size_t i;
    const json_t *row;
    json_array_foreach (env, i, row) {
        const char *s = json_string_value(row);
        if (strncmp(s, key, key_len) == 0 && (s[key_len] == '=' || s[key_len] == '\0'))
            return i;
    }
    return SIZE_MAX;
}

/* The name of a row, up to its "="; the caller frees it. */
static char *env_name(const json_t *row)
{
    const char *s = json_string_value(row);
    return xstrndup(s, strcspn(s, "="));
}

/* Rows that go leave a null until the end, so that the places of the others stay. */
static void env_put(json_t *target, json_t *places, json_t *row)
{
    _cleanup_free_ char *name = env_name(row);
    const json_t *place = json_object_get(places, name);
    bool sets = strchr(json_string_value(row), '=');
    if (!sets && place) {
        json_array_set_new(target, (size_t)json_integer_value(place), json_null());
        json_object_del(places, name);
    } else if (sets && place) {
        json_array_set(target, (size_t)json_integer_value(place), row);
    } else if (sets) {
        json_object_set_new(places, name, json_integer((json_int_t)json_array_size(target)));
        json_array_append(target, row);
    }
}

void oci_env_apply(json_t *target, const json_t *rows)
{
    _cleanup_json_ json_t *places =
        json_object(); /* of each name in target: a search each would be quadratic */
    size_t i;
    json_t *row;
    json_array_foreach (target, i, row) {
        _cleanup_free_ char *name = env_name(row);
        if (!json_object_get(places, name))
            json_object_set_new(places, name, json_integer((json_int_t)i));
    }
    json_array_foreach (rows, i, row)
        env_put(target, places, row);
    _cleanup_json_ json_t *kept = json_array();
    json_array_foreach (target, i, row)
        if (!json_is_null(row))
            json_array_append(kept, row);
    json_array_clear(target);
    json_array_extend(target, kept);
}

static json_t *process_env(const struct oci_input *in, bool tty, const json_t *extra, const char *home)
{
    json_t *env = json_array();
    json_array_append_new(env, json_string(DEFAULT_PATH));
    _cleanup_free_ char *hostname = xasprintf("HOSTNAME=%s", in->hostname ? in->hostname : "");
    json_array_append_new(env, json_string(hostname));
    if (tty)
        json_array_append_new(env, json_string("TERM=xterm"));
    oci_env_apply(env, in->link_environment);
    oci_env_apply(env, json_object_get(in->config, "Env"));
    oci_env_apply(env, extra);
    if (env_find(env, "HOME", 4) == SIZE_MAX) {
        _cleanup_free_ char *row = xasprintf("HOME=%s", home);
        json_array_append_new(env, json_string_lossy(row, strlen(row)));
    }
    return env;
}

/* ---- user ---- */

static json_t *process_user(const struct oci_user *u)
{
    json_t *user = json_object(), *groups = json_array();
    json_set_int(user, "uid", u->uid);
    json_set_int(user, "gid", u->gid);
    for (size_t i = 0; i < u->group_count; i++)
        json_array_append_new(groups, json_integer(u->groups[i]));
    json_object_set_new(user, "additionalGids", groups);
    return user;
}

static json_t *process_capabilities(uint64_t set)
{
    json_t *names = capability_mask_to_json(set), *capabilities = json_object();
    json_object_set(capabilities, "bounding", names);
    json_object_set(capabilities, "effective", names);
    json_object_set_new(capabilities, "permitted", names);
    return capabilities;
}

/* ---- limits ---- */

static const char *const rlimit_names[] = {"core",     "cpu",        "data",   "fsize", "locks", "memlock",
                                           "msgqueue", "nice",       "nofile", "nproc", "rss",   "rtprio",
                                           "rttime",   "sigpending", "stack",  NULL};

static void rlimit_add(json_t *rlimits, const char *name, int64_t soft, int64_t hard)
{
    char type[32] = "RLIMIT_";
    size_t n = strlen(type);
    for (; *name && n < sizeof(type) - 1; name++)
        type[n++] = (char)(*name - ('a' - 'A'));
    type[n] = '\0';
    json_t *row = json_object();
    json_set_str(row, "type", type);
    json_set_int(row, "hard", hard);
    json_set_int(row, "soft", soft);
    json_array_append_new(rlimits, row);
}

static int rlimits_add_list(json_t *rlimits, const json_t *list, struct err *err)
{
    size_t i;
    const json_t *u;
    json_array_foreach (list, i, u) {
        const char *name = json_str_or(u, "Name", "");
        int64_t soft = json_int_or(u, "Soft", 0), hard = json_int_or(u, "Hard", 0);
        bool known = false;
        for (const char *const *r = rlimit_names; *r && !known; r++)
            known = str_eq(*r, name);
        if (!known)
            return err_set(err, ERR_INVALID, "invalid ulimit type: %.64s", name);
        if (soft > hard && hard != -1)
            return err_set(err, ERR_INVALID,
                           "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
                           (long long)soft, (long long)hard);
        rlimit_add(rlimits, name, soft, hard);
    }
    return 0;
}

int oci_ulimits_check(const json_t *list, struct err *err)
{
    _cleanup_json_ json_t *ignored = json_array();
    return rlimits_add_list(ignored, list, err);
}

static bool ulimits_name(const json_t *list, const char *name)
{
    size_t i;
    const json_t *u;
    json_array_foreach (list, i, u)
        if (str_eq(json_str(u, "Name"), name))
            return true;
    return false;
}

/* The engine's default is the same whatever limits kegd was started with, as far as the kernel lets it. */
static void rlimits_add_nofile(json_t *rlimits)
{
    struct rlimit own;
    int64_t hard = NOFILE_HARD;
    bool may_raise = capability_available() & CAPABILITY_BIT(CAPABILITY_SYS_RESOURCE);
    if (!may_raise && getrlimit(RLIMIT_NOFILE, &own) == 0 && own.rlim_max < NOFILE_HARD)
        hard = (int64_t)own.rlim_max;
    rlimit_add(rlimits, "nofile", MIN_OF(NOFILE_SOFT, hard), hard);
}

static json_t *process_rlimits(const struct oci_input *in, struct err *err)
{
    const json_t *own = json_object_get(in->host_config, "Ulimits"), *defaults = in->options->default_ulimits;
    _cleanup_json_ json_t *rlimits = json_array();
    if (rlimits_add_list(rlimits, own, err) < 0)
        return NULL;
    size_t i;
    json_t *u;
    json_array_foreach (defaults, i, u) {
        _cleanup_json_ json_t *one = json_pack("[O]", u);
        if (!ulimits_name(own, json_str(u, "Name")) && rlimits_add_list(rlimits, one, err) < 0)
            return NULL;
    }
    if (!ulimits_name(own, "nofile") && !ulimits_name(defaults, "nofile"))
        rlimits_add_nofile(rlimits);
    return take_ptr(&rlimits);
}

/* ---- program ---- */

static void append_all(json_t *array, const json_t *more)
{
    size_t i;
    json_t *value;
    json_array_foreach (more, i, value)
        json_array_append(array, value);
}

static json_t *process_args(const struct oci_input *in, struct err *err)
{
    _cleanup_json_ json_t *args = json_array();
    if (in->init_program) {
        json_array_append_new(args, json_string(INIT_INSIDE));
        json_array_append_new(args, json_string("--"));
    }
    size_t before = json_array_size(args);
    append_all(args, json_object_get(in->config, "Entrypoint"));
    append_all(args, json_object_get(in->config, "Cmd"));
    if (json_array_size(args) == before) {
        err_set(err, ERR_INVALID, "no command specified");
        return NULL;
    }
    return take_ptr(&args);
}

/* What process and exec have in common. */
struct process_parts {
    const char *user_spec, *cwd;
    bool tty, privileged;
    json_t *args;      /* taken over */
    const json_t *env; /* on top */
};

static json_t *process_build(const struct oci_input *in, struct process_parts *parts, struct err *err)
{
    _cleanup_json_ json_t *args = parts->args, *process = json_object(), *rlimits = NULL;
    _cleanup_strv_ char **groups = json_strv(in->host_config, "GroupAdd");
    _cleanup_(oci_user_finish) struct oci_user user = {0};
    uint64_t capabilities;
    if (oci_user_lookup(in->rootfs, parts->user_spec, groups, &user, err) < 0 ||
        oci_capabilities(in->host_config, &capabilities, err) < 0 || !(rlimits = process_rlimits(in, err)))
        return NULL;
    if (parts->privileged)
        capabilities = capability_available();
    json_set_bool(process, "terminal", parts->tty);
    json_object_set_new(process, "user", process_user(&user));
    json_object_set(process, "args", args);
    json_object_set_new(process, "env", process_env(in, parts->tty, parts->env, user.home));
    json_set_str(process, "cwd", *parts->cwd ? parts->cwd : "/");
    json_object_set_new(process, "capabilities", process_capabilities(capabilities));
    json_object_set(process, "rlimits", rlimits);
    const char *apparmor = apparmor_profile(in->host_config);
    if (apparmor)
        json_set_str(process, "apparmorProfile", apparmor);
    if (oci_no_new_privileges(in))
        json_set_bool(process, "noNewPrivileges", true);
    json_set_int(process, "oomScoreAdj", json_int_or(in->host_config, "OomScoreAdj", 0));
    return take_ptr(&process);
}

json_t *oci_process(const struct oci_input *in, struct err *err)
{
    struct process_parts parts = {
        .user_spec = json_str_or(in->config, "User", ""),
        .cwd = json_str_or(in->config, "WorkingDir", "/"),
        .tty = json_bool_or(in->config, "Tty", false),
        .privileged = json_bool_or(in->host_config, "Privileged", false),
        .args = process_args(in, err),
    };
    json_t *process = parts.args ? process_build(in, &parts, err) : NULL;
    const json_t *size = json_object_get(in->host_config, "ConsoleSize");
    if (process && parts.tty && json_integer_value(json_array_get(size, 0)) > 0) {
        json_t *console = json_object();
        json_set_int(console, "height", json_integer_value(json_array_get(size, 0)));
        json_set_int(console, "width", json_integer_value(json_array_get(size, 1)));
        json_object_set_new(process, "consoleSize", console);
    }
    return process;
}

static const char *own_or(const json_t *object, const char *key, const char *otherwise)
{
    const char *own = json_str_or(object, key, "");
    return *own ? own : otherwise;
}

json_t *oci_compose_exec(const struct oci_input *in, const json_t *exec_config, struct err *err)
{
    const char *container_user = json_str_or(in->config, "User", "");
    const char *container_cwd = json_str_or(in->config, "WorkingDir", "/");
    struct process_parts parts = {
        .user_spec = own_or(exec_config, "User", container_user),
        .cwd = own_or(exec_config, "WorkingDir", container_cwd),
        .tty = json_bool_or(exec_config, "Tty", false),
        .privileged = json_bool_or(exec_config, "Privileged", false) ||
                      json_bool_or(in->host_config, "Privileged", false),
        .args = json_incref(json_object_get(exec_config, "Cmd")),
        .env = json_object_get(exec_config, "Env"),
    };
    return process_build(in, &parts, err);
}
