/* What is different for an ordinary user, and for root inside a user namespace. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/command/command.h"
#include "sys/namespace.h"

#define ROOT_DIRECTORY "/run/keg-runtime"

bool command_is_rootless(const struct request *request)
{
    bool said;

    if (request->rootless_mode && str_to_bool(request->rootless_mode, &said) == 0)
        return said;
    return geteuid() != 0 || !namespace_user_is_initial();
}

/* XDG_RUNTIME_DIR may also be in the environment of a root that has only changed its user. */
static bool has_runtime_directory(void)
{
    const char *user = getenv("USER");

    if (str_empty(getenv("XDG_RUNTIME_DIR")))
        return false;
    return geteuid() != 0 || (!namespace_user_is_initial() && !str_eq(user, "root"));
}

static char *default_root(void)
{
    return has_runtime_directory() ? path_join(getenv("XDG_RUNTIME_DIR"), "keg-runtime")
                                   : xstrdup(ROOT_DIRECTORY);
}

int command_find_root(struct request *request, struct err *err)
{
    bool said;

    if (request->rootless_mode && !str_eq(request->rootless_mode, "auto") &&
        str_to_bool(request->rootless_mode, &said) < 0)
        return err_set(err, ERR_INVALID, "--rootless: \"%s\" is none of true, false, auto",
                       request->rootless_mode);
    if (request->root)
        return 0;
    request->default_root = default_root();
    request->root = request->default_root;
    return 0;
}

char *command_filter_cache(void)
{
    _cleanup_free_ char *root = default_root();
    char *cache = path_join(root, ".seccomp");

    (void)path_mkdir_all(cache, 0700); /* without it filters are compiled, which takes ten milliseconds */
    return cache;
}

/* A user's name, straight from /etc/passwd: this program is static, and lookups by the C library aren't. NULL when it has
 * none. */
static char *name_of_user(uid_t uid)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(1 << 20);
    _cleanup_strv_ char **lines = NULL;

    if (file_read(AT_FDCWD, "/etc/passwd", &text) < 0)
        return NULL;
    lines = strv_split(buf_str(&text), '\n');
    for (char **line = lines; *line; line++) {
        _cleanup_strv_ char **field = strv_split(*line, ':');
        uint32_t number;

        if (strv_len(field) > 3 && str_to_u32(field[2], &number) == 0 && number == uid)
            return xstrdup(field[0]);
    }
    return NULL;
}

/* The first range that `file` (/etc/subuid) gives to a user, by name or number: subuid(5). */
static bool find_subordinate(const char *file, uid_t uid, uint32_t *ret_first, uint32_t *ret_count)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(1 << 20);
    _cleanup_free_ char *name = name_of_user(uid), *number = xasprintf("%u", uid);
    _cleanup_strv_ char **lines = NULL;

    if (file_read(AT_FDCWD, file, &text) < 0)
        return false;
    lines = strv_split(buf_str(&text), '\n');
    for (char **line = lines; *line; line++) {
        _cleanup_strv_ char **field = strv_split(*line, ':');

        if (strv_len(field) == 3 && (str_eq(field[0], number) || (name && str_eq(field[0], name))) &&
            str_to_u32(field[1], ret_first) == 0 && str_to_u32(field[2], ret_count) == 0 && *ret_count)
            return true;
    }
    return false;
}

static void map_ids(json_t *linux_part, const char *member, uint32_t own, const char *file)
{
    json_t *map = json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID", (json_int_t)own, "size", 1);
    uint32_t first, count;

    if (file && find_subordinate(file, getuid(), &first, &count))
        json_array_append_new(map, json_pack("{s:i, s:I, s:I}", "containerID", 1, "hostID", (json_int_t)first,
                                             "size", (json_int_t)count));
    json_object_set_new(linux_part, member, map);
}

/* The entry of linux.namespaces, NULL: none. */
static const json_t *find_user_namespace(const json_t *list)
{
    json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        if (str_eq(json_str(item, "type"), "user"))
            return item;
    return NULL;
}

void command_add_user_namespace(json_t *config)
{
    json_t *linux_part = json_object_get(config, "linux"), *list = json_object_get(linux_part, "namespaces");
    bool helpers = access("/usr/bin/newuidmap", X_OK) == 0 && access("/usr/bin/newgidmap", X_OK) == 0;
    const json_t *listed = find_user_namespace(list);

    if (geteuid() == 0 || !json_is_array(list) || !str_empty(json_str(listed, "path")) ||
        json_array_size(json_object_get(linux_part, "uidMappings")) ||
        json_array_size(json_object_get(linux_part, "gidMappings")))
        return;
    if (!listed)
        json_array_append_new(list, json_pack("{s:s}", "type", "user"));
    map_ids(linux_part, "uidMappings", geteuid(), helpers ? "/etc/subuid" : NULL);
    map_ids(linux_part, "gidMappings", getegid(), helpers ? "/etc/subgid" : NULL);
}
