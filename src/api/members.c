/* One pass over a body, which changes nothing in those of well-mannered clients. */
#include "api/members.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

/* Of the bodies of all routes that have no table of their own. */
static const char *const names[] = {
    "EndpointsConfig", "HostConfig", "Image",         "NetworkingConfig", "auth",     "email",
    "identitytoken",   "password",   "registrytoken", "serveraddress",    "username",
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
    settle(body);
    settle(json_object_get(body, "NetworkingConfig"));
}
