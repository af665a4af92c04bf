/* What /info says of registries, security, address pools, proxies and devices: Docker's members and words. */
#include "engine/system_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/apparmor.h"
#include "engine/cdi.h"

/* As Docker shows them: with a slash at the end. */
static json_t *mirrors_text(const char *const *mirrors)
{
    json_t *list = json_array();

    for (; mirrors && *mirrors; mirrors++) {
        _cleanup_free_ char *text = xasprintf("%s%s", *mirrors, str_ends(*mirrors, "/") ? "" : "/");

        json_array_append_new(list, json_string_lossy(text, strlen(text)));
    }
    return list;
}

void system_add_registries(struct engine *e, json_t *info)
{
    json_t *mirrors = mirrors_text(e->options.registry_mirrors);
    json_t *hub = json_pack("{s:O, s:s, s:b, s:b}", "Mirrors", mirrors, "Name", "docker.io", "Official", 1,
                            "Secure", 1);
    json_t *configs = json_pack("{s:o}", "docker.io", hub), *networks = json_array();

    for (const char *const *host = e->options.insecure_registries; host && *host; host++) {
        if (strchr(*host, '/'))
            json_array_append_new(networks, json_string_lossy(*host, strlen(*host)));
        else
            json_object_set_new(
                configs, *host,
                json_pack("{s:[], s:s, s:b, s:b}", "Mirrors", "Name", *host, "Official", 0, "Secure", 0));
    }
    json_array_append_new(networks, json_string("::1/128"));
    json_array_append_new(networks, json_string("127.0.0.0/8"));
    if (json_array_size(mirrors) == 0) {
        json_decref(mirrors);
        mirrors = json_null();
    }
    json_object_set_new(info, "RegistryConfig",
                        json_pack("{s:o, s:o, s:o}", "IndexConfigs", configs, "InsecureRegistryCIDRs",
                                  networks, "Mirrors", mirrors));
}

void system_add_security(const struct engine *e, json_t *info)
{
    const char *profile = e->options.seccomp_profile;
    _cleanup_free_ char *seccomp =
        xasprintf("name=seccomp,profile=%s", str_empty(profile) ? "builtin" : profile);
    json_t *list = json_array();

    if (apparmor_available())
        json_array_append_new(list, json_string("name=apparmor"));
    json_array_append_new(list, json_string_lossy(seccomp, strlen(seccomp)));
    if (str_eq(e->options.cgroupns_mode, "private"))
        json_array_append_new(list, json_string("name=cgroupns"));
    if (e->options.no_new_privileges)
        json_array_append_new(list, json_string("name=no-new-privileges"));
    json_object_set_new(info, "SecurityOptions", list);
}

/* "base,size", as they were configured; no member without. */
void system_add_pools(const struct engine *e, json_t *info)
{
    json_t *list = json_array();

    for (const char *const *pool = e->options.default_address_pools; pool && *pool; pool++) {
        const char *comma = strchr(*pool, ',');
        _cleanup_free_ char *base = xstrndup(*pool, strcspn(*pool, ","));
        uint32_t size = 0;

        if (comma && str_to_u32(comma + 1, &size) == 0)
            json_array_append_new(list, json_pack("{s:s, s:i}", "Base", base, "Size", (int)size));
    }
    if (json_array_size(list))
        json_object_set(info, "DefaultAddressPools", list);
    json_decref(list);
}

/* Of the environment, as registries are reached; without the password. */
void system_add_proxies(json_t *info)
{
    static const struct {
        const char *member, *upper, *lower;
    } rows[] = {
        {"HttpProxy", "HTTP_PROXY", "http_proxy"},
        {"HttpsProxy", "HTTPS_PROXY", "https_proxy"},
        {"NoProxy", "NO_PROXY", "no_proxy"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *value = getenv(rows[i].upper) ? getenv(rows[i].upper) : getenv(rows[i].lower);
        const char *scheme = value ? strstr(value, "://") : NULL, *at = scheme ? strchr(scheme, '@') : NULL;
        _cleanup_free_ char *text = at ? xasprintf("%.*s://xxxxx:xxxxx%s", (int)(scheme - value), value, at)
                                       : xstrdup(value ? value : "");

        json_object_set_new(info, rows[i].member, json_string_lossy(text, strlen(text)));
    }
}

void system_add_devices(const struct engine *e, json_t *info)
{
    _cleanup_strv_ char **names = cdi_names(e->options.cdi_dirs);
    json_t *list = json_array();

    for (char **name = names; name && *name; name++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "Source", "cdi", "ID", *name));
    if (json_array_size(list))
        json_object_set(info, "DiscoveredDevices", list);
    json_decref(list);
}
