/* What is different for an ordinary user, and for root inside a user namespace. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

int command_find_root(struct request *request, struct err *err)
{
    bool said;

    if (request->rootless_mode && !str_eq(request->rootless_mode, "auto") &&
        str_to_bool(request->rootless_mode, &said) < 0)
        return err_set(err, ERR_INVALID, "--rootless: \"%s\" is none of true, false, auto",
                       request->rootless_mode);
    if (request->root)
        return 0;
    request->default_root = has_runtime_directory() ? path_join(getenv("XDG_RUNTIME_DIR"), "keg-runtime")
                                                    : xstrdup(ROOT_DIRECTORY);
    request->root = request->default_root;
    return 0;
}
