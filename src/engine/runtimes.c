/* The runtimes of kegd's configuration. */
#include "engine/runtimes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/internal.h"

#define RUNC_SHIM "io.containerd.runc.v2"

enum { TEXT_MAX = 64 * 1024 };

/* keg's own, as it calls itself and as clients call runc. */
static const char *const own_names[] = {"runc", "keg", "keg-runtime", RUNC_SHIM};

static bool is_own(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(own_names); i++)
        if (str_eq(own_names[i], name))
            return true;
    return str_empty(name);
}

/* ---- the configuration ---- */

static bool given(const json_t *runtime, const char *member)
{
    const json_t *value = json_object_get(runtime, member);

    return json_array_size(value) + json_object_size(value) > 0 || *json_str_or(runtime, member, "");
}

static int check_types(const char *name, const json_t *runtime, struct err *err)
{
    static const struct {
        const char *member;
        json_type type;
        const char *words;
    } rows[] = {
        {"path", JSON_STRING, "a string"},
        {"runtimeType", JSON_STRING, "a string"},
        {"runtimeArgs", JSON_ARRAY, "a list of strings"},
        {"options", JSON_OBJECT, "an object"},
    };
    const json_t *word;
    size_t i;

    if (!json_is_object(runtime))
        return err_set(err, ERR_INVALID, "runtime %s: must be an object", name);
    for (i = 0; i < ARRAY_SIZE(rows); i++) {
        const json_t *value = json_object_get(runtime, rows[i].member);

        if (value && !json_is_null(value) && json_typeof(value) != rows[i].type)
            return err_set(err, ERR_INVALID, "runtime %s: %s must be %s", name, rows[i].member,
                           rows[i].words);
    }
    json_array_foreach (json_object_get(runtime, "runtimeArgs"), i, word) {
        if (!json_is_string(word))
            return err_set(err, ERR_INVALID, "runtime %s: runtimeArgs must be a list of strings", name);
    }
    return 0;
}

/* Of containerd's shims only runc's has a counterpart: its option BinaryName is a program with runc's command line. */
static int check_shim(const char *name, const json_t *runtime, struct err *err)
{
    const char *type = json_str_or(runtime, "runtimeType", ""), *key;
    json_t *value;

    if (given(runtime, "runtimeArgs"))
        return err_set(err, ERR_INVALID, "runtime %s: args cannot be used with a runtimeType runtime", name);
    if (!str_eq(type, RUNC_SHIM))
        return err_set(
            err, ERR_NOT_IMPLEMENTED,
            "runtime %s: keg drives no shims such as %s: give the runtime's own program as \"path\"", name,
            type);
    json_object_foreach (json_object_get(runtime, "options"), key, value) {
        if (!str_eq(key, "BinaryName") || !json_is_string(value))
            return err_set(err, ERR_NOT_IMPLEMENTED,
                           "runtime %s: option %s is not supported: only BinaryName", name, key);
    }
    return 0;
}

static int check_one(const char *name, const json_t *runtime, struct err *err)
{
    if (is_own(name))
        return err_set(err, ERR_INVALID, "runtime name '%s' is reserved", name);
    if (check_types(name, runtime, err) < 0)
        return -1;
    if (!given(runtime, "path") && !given(runtime, "runtimeType"))
        return err_set(err, ERR_INVALID, "runtime %s: either a runtimeType or a path must be configured",
                       name);
    if (!given(runtime, "path"))
        return check_shim(name, runtime, err);
    if (given(runtime, "runtimeType"))
        return err_set(err, ERR_INVALID,
                       "runtime %s: cannot configure both path and runtimeType for the same runtime", name);
    if (given(runtime, "options"))
        return err_set(err, ERR_INVALID, "runtime %s: options cannot be used with a path runtime", name);
    return 0;
}

int runtimes_check(const json_t *runtimes, const char *default_name, struct err *err)
{
    const char *name;
    json_t *runtime;

    json_object_foreach ((json_t *)runtimes, name, runtime) {
        if (check_one(name, runtime, err) < 0)
            return -1;
    }
    if (!is_own(default_name) && !json_object_get(runtimes, default_name))
        return err_set(err, ERR_INVALID, "specified default runtime '%s' does not exist", default_name);
    return 0;
}

void runtimes_replace(struct engine *e, const json_t *runtimes, const char *default_name)
{
    json_decref((json_t *)e->options.runtimes);
    free((char *)e->options.default_runtime);
    e->options.runtimes = runtimes ? json_deep_copy(runtimes) : NULL;
    e->options.default_runtime = xstrdup(default_name);
}

/* ---- containers ---- */

static int unknown(const char *name, struct err *err)
{
    return err_set(err, ERR_INVALID, "unknown or invalid runtime name: %.128s", name);
}

/* A copy of what is configured under a name; NULL. */
static json_t *find(struct engine *e, const char *name)
{
    json_t *runtime;

    pthread_mutex_lock(&e->options_lock);
    runtime = json_deep_copy(json_object_get(e->options.runtimes, name));
    pthread_mutex_unlock(&e->options_lock);
    return runtime;
}

int runtimes_check_name(struct engine *e, const char *name, struct err *err)
{
    _cleanup_json_ json_t *runtime = is_own(name) ? NULL : find(e, name);

    return is_own(name) || runtime ? 0 : unknown(name, err);
}

void runtimes_fill_default(struct engine *e, json_t *host_config)
{
    if (!str_empty(json_str(host_config, "Runtime")))
        return;
    pthread_mutex_lock(&e->options_lock);
    if (!is_own(e->options.default_runtime))
        json_set_str(host_config, "Runtime", e->options.default_runtime);
    pthread_mutex_unlock(&e->options_lock);
}

bool runtimes_is_foreign(const struct container *c)
{
    return !is_own(json_str(c->host_config, "Runtime"));
}

/* A name without a slash is looked for where kegd's own programs would be. */
static char *find_program(const char *name, const char *path, struct err *err)
{
    const char *search = getenv("PATH");
    _cleanup_strv_ char **folders =
        strchr(path, '/')
            ? NULL
            : strv_split(search ? search : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", ':');

    if (!folders && access(path, X_OK) == 0)
        return xstrdup(path);
    for (char **folder = folders; folder && *folder; folder++) {
        _cleanup_free_ char *program = xasprintf("%s/%s", *folder, path);

        if (**folder && access(program, X_OK) == 0)
            return take_ptr(&program);
    }
    err_set(err, ERR_UNAVAILABLE, "the runtime %s cannot be executed: there is no program %s", name, path);
    return NULL;
}

/* Its monitor makes the mounts where the host doesn't see them. */
static int check_mounts(const char *name, const struct container *c, struct err *err)
{
    const json_t *m;
    size_t i;

    json_array_foreach (c->mounts, i, m) {
        if (str_ends(json_str_or(m, "Propagation", ""), "shared"))
            return err_set(err, ERR_NOT_IMPLEMENTED,
                           "mount %s: bind propagation to the host is not supported with the runtime %s: "
                           "only keg's own does "
                           "that",
                           json_str_or(m, "Destination", ""), name);
    }
    return 0;
}

int runtimes_command(struct engine *e, const struct container *c, char ***ret, struct err *err)
{
    const char *name = json_str(c->host_config, "Runtime");
    _cleanup_json_ json_t *runtime = is_own(name) ? NULL : find(e, name);
    _cleanup_strv_ char **arguments = json_strv(runtime, "runtimeArgs");
    char *program;

    *ret = NULL;
    if (is_own(name))
        return 0;
    if (!runtime)
        return unknown(name, err);
    if (check_mounts(name, c, err) < 0)
        return -1;
    program = find_program(name,
                           given(runtime, "path")
                               ? json_str(runtime, "path")
                               : json_str_or(json_object_get(runtime, "options"), "BinaryName", "runc"),
                           err);
    if (!program)
        return -1;
    strv_push_take(ret, program);
    for (char **argument = arguments; argument && *argument; argument++)
        strv_push(ret, *argument);
    return 0;
}

/* ---- what is told ---- */

/* {"path","runtimeArgs"}, or {"runtimeType","options"}. */
static json_t *describe(const json_t *runtime)
{
    static const char *const members[] = {"path", "runtimeArgs", "runtimeType", "options"};
    json_t *shown = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (given(runtime, members[i]))
            json_object_set_new(shown, members[i], json_deep_copy(json_object_get(runtime, members[i])));
    return shown;
}

void runtimes_describe(struct engine *e, json_t *info)
{
    _cleanup_free_ char *own = xasprintf("%s/keg-runtime", e->libexec ? e->libexec : "");
    json_t *all = json_pack("{s:{s:s}}", "keg", "path", own), *runtime;
    const char *name;

    pthread_mutex_lock(&e->options_lock);
    json_object_foreach ((json_t *)e->options.runtimes, name, runtime) {
        json_object_set_new(all, name, describe(runtime));
    }
    json_object_set_new(info, "Runtimes", all);
    json_set_str(info, "DefaultRuntime",
                 is_own(e->options.default_runtime) ? "keg" : e->options.default_runtime);
    pthread_mutex_unlock(&e->options_lock);
}

char *runtimes_text(const struct engine *e)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    const char *name;
    json_t *runtime;

    json_object_foreach ((json_t *)e->options.runtimes, name, runtime) {
        buf_printf(&text, "%s%s:%s", text.len ? " " : "", name, json_str_or(runtime, "path", ""));
    }
    return buf_take(&text);
}
