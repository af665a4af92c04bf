/* `linux.sysctl`: only what belongs to a namespace of the container's own. */
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "runtime/init/init.h"
#include "sys/procfs.h"

/* To allow a parameter: a row. A prefix ends in '.'. */
static const struct {
    const char *name;
    enum namespace_kind needs;
} namespaced[] = {
    {"net.", NAMESPACE_NETWORK},      {"fs.mqueue.", NAMESPACE_IPC},
    {"kernel.msgmax", NAMESPACE_IPC}, {"kernel.msgmnb", NAMESPACE_IPC},
    {"kernel.msgmni", NAMESPACE_IPC}, {"kernel.sem", NAMESPACE_IPC},
    {"kernel.shmall", NAMESPACE_IPC}, {"kernel.shmmax", NAMESPACE_IPC},
    {"kernel.shmmni", NAMESPACE_IPC}, {"kernel.shm_rmid_forced", NAMESPACE_IPC},
    {"user.", NAMESPACE_USER},        {"kernel.domainname", NAMESPACE_UTS},
};

/* "net.ipv4.conf.eth0/1.forwarding" to "sys/net/ipv4/conf/eth0.1/forwarding": dots and slashes trade places;
 * with a slash as the first separator nothing is to be traded. NULL for what is no name. */
static char *file_of(const char *name)
{
    const char *first = strpbrk(name, "./");
    bool trade = first && *first == '.';
    char *path = xasprintf("sys/%s", name);

    for (char *p = path + 4; trade && *p; p++)
        *p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
    if (strstr(path, "//") || strstr(path, "/../") || strstr(path, "/./") || str_ends(path, "/") ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@") !=
            strlen(name)) {
        free(path);
        return NULL;
    }
    return path;
}

static int check(const struct init *in, const char *name, const char *file, struct err *err)
{
    _cleanup_free_ char *dotted = xstrdup(file + 4);

    for (char *p = dotted; *p; p++)
        *p = *p == '/' ? '.' : *p;
    if (str_eq(dotted, "kernel.hostname"))
        return err_set(err, ERR_INVALID, "sysctl \"%s\" is not allowed: the configuration has \"hostname\"",
                       name);
    for (size_t i = 0; i < ARRAY_SIZE(namespaced); i++) {
        const char *row = namespaced[i].name;

        if (str_ends(row, ".") ? !str_starts(dotted, row) : !str_eq(dotted, row))
            continue;
        if (in->spec->namespaces[namespaced[i].needs].wanted ||
            (namespaced[i].needs == NAMESPACE_NETWORK && in->options->own_network))
            return 0;
        return err_set(err, ERR_INVALID, "sysctl \"%s\" needs a \"%s\" namespace of the container's own",
                       name, namespaces[namespaced[i].needs].name);
    }
    return err_set(err, ERR_INVALID, "sysctl \"%s\" is not in a separate kernel namespace", name);
}

int init_apply_sysctls(const struct init *in, struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)in->spec->sysctl, name, value) {
        _cleanup_free_ char *file = file_of(name);
        int result;

        if (!file || !json_is_string(value))
            return err_set(err, ERR_INVALID, "linux.sysctl: \"%s\" is no name, or its value no string", name);
        if (check(in, name, file, err) < 0)
            return -1;
        result = procfs_write(in->procfs, file, json_string_value(value));
        if (result < 0)
            return err_errno(err, result, "set sysctl %s to %s", name, json_string_value(value));
    }
    return 0;
}
