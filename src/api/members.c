/* One pass over a body, which changes nothing in those of well-mannered clients. */
#include "api/members.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

/* Of the bodies of all routes, in which no two mean different letters. */
static const char *const names[] = {
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Attachable",
    "AuxiliaryAddresses",
    "Cmd",
    "Config",
    "ConfigFrom",
    "ConfigOnly",
    "ConsoleSize",
    "Container",
    "Detach",
    "DetachKeys",
    "Driver",
    "DriverOpts",
    "EnableIPv4",
    "EnableIPv6",
    "EndpointConfig",
    "EndpointsConfig",
    "Env",
    "Force",
    "Gateway",
    "HostConfig",
    "IPAM",
    "IPRange",
    "Image",
    "Ingress",
    "Internal",
    "Labels",
    "Name",
    "Network",
    "NetworkingConfig",
    "Options",
    "Privileged",
    "Scope",
    "Subnet",
    "Tty",
    "User",
    "WorkingDir",
    "auth",
    "email",
    "identitytoken",
    "password",
    "registrytoken",
    "serveraddress",
    "username",
};

/* NULL: it is called right, or nobody's. */
static const char *right_name(const char *key)
{
    const char *found = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcasecmp(names[i], key) != 0)
            continue;
        found = names[i];
        break;
    }
    return found && !str_eq(found, key) ? found : NULL;
}

static void settle(json_t *object)
{
    const char *key, *right;
    json_t *value;
    void *next;

    json_object_foreach_safe (object, next, key, value) {
        right = right_name(key);
        if (!right)
            continue;
        if (!json_object_get(object, right))
            json_object_set(object, right, value);
        json_object_del(object, key);
    }
}

void members_settle(json_t *body)
{
    json_t *ipam, *item;
    size_t i;

    settle(body);
    settle(json_object_get(body, "NetworkingConfig"));
    settle(json_object_get(body, "ConfigFrom"));
    ipam = json_object_get(body, "IPAM");
    settle(ipam);
    json_array_foreach (json_object_get(ipam, "Config"), i, item)
        settle(item);
}
