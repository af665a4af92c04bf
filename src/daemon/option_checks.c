/* Values of kegd's options, one by one. */
#include "daemon/option_checks.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "api/listen.h"
#include "base/json.h"
#include "base/str.h"

enum { MTU_LEAST = 68, MTU_MOST = 65535, SECCOMP_MAX = 1024 * 1024, NAME_MAX_LEN = 253, LABEL_MAX_LEN = 63 };

int check_not_empty(const char *text, struct err *why)
{
    return *text ? 0 : err_set(why, ERR_INVALID, "it is empty: give a value, or leave the option out");
}

/* ---- networks ---- */

int check_host(const char *text, struct err *why)
{
    return listen_check(text, why);
}

int check_parse_ipv4(const char *text, uint32_t *ret_address, uint32_t *ret_prefix)
{
    const char *slash = strchr(text, '/');
    _cleanup_free_ char *address = slash ? xstrndup(text, (size_t)(slash - text)) : NULL;
    struct in_addr in;

    if (!address || inet_pton(AF_INET, address, &in) != 1 || str_to_u32(slash + 1, ret_prefix) < 0 ||
        *ret_prefix > 32)
        return -EINVAL;
    *ret_address = ntohl(in.s_addr);
    return 0;
}

int check_parse_ipv6(const char *text, uint32_t *ret_prefix)
{
    const char *slash = strchr(text, '/');
    _cleanup_free_ char *address = slash ? xstrndup(text, (size_t)(slash - text)) : NULL;
    struct in6_addr in;

    return address && inet_pton(AF_INET6, address, &in) == 1 && !IN6_IS_ADDR_V4MAPPED(&in) &&
                   str_to_u32(slash + 1, ret_prefix) == 0 && *ret_prefix <= 128
               ? 0
               : -EINVAL;
}

int check_cidr6(const char *text, struct err *why)
{
    uint32_t prefix;

    if (check_parse_ipv6(text, &prefix) < 0)
        return err_set(
            why, ERR_INVALID,
            "invalid CIDR address: %s: say an IPv6 address with its prefix length, as fd00:1::1/64", text);
    if (prefix == 0 || prefix > 126)
        return err_set(why, ERR_INVALID, "a network of /%u has no room for containers: /1 to /126", prefix);
    return 0;
}

int check_bip(const char *text, struct err *why)
{
    uint32_t address, prefix, rest;

    if (check_parse_ipv4(text, &address, &prefix) < 0)
        return err_set(
            why, ERR_INVALID,
            "invalid CIDR address: %s: say an IPv4 address with its prefix length, as 172.30.0.1/16", text);
    if (prefix == 0 || prefix > 30)
        return err_set(why, ERR_INVALID, "a network of /%u has no room for containers: /1 to /30", prefix);
    rest = (1U << (32 - prefix)) - 1;
    if ((address & rest) == 0 || (address & rest) == rest)
        return err_set(why, ERR_INVALID,
                       "this is the address of the network itself, or its broadcast: give the bridge's, as "
                       "172.30.0.1/16");
    return 0;
}

int check_dns(const char *text, struct err *why)
{
    struct in6_addr any;

    if (inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1)
        return 0;
    return err_set(why, ERR_INVALID, "invalid IP address: %s is not an ip address", text);
}

/* Letters, digits, hyphens and underscores between dots, no part with a hyphen at an end. "." turns searching off. */
int check_dns_search(const char *text, struct err *why)
{
    bool good = *text && strlen(text) <= NAME_MAX_LEN;
    size_t part = 0;

    if (str_eq(text, "."))
        return 0;
    for (const char *c = text; *c && good; c++) {
        bool last = c[1] == '\0' || c[1] == '.';

        if (*c == '.') {
            good = part > 0;
            part = 0;
            continue;
        }
        good = (isalnum((unsigned char)*c) || *c == '_' || (*c == '-' && part > 0 && !last)) &&
               ++part <= LABEL_MAX_LEN;
    }
    return good ? 0 : err_set(why, ERR_INVALID, "%s is not a valid domain", text);
}

int check_mtu(const char *text, struct err *why)
{
    int64_t mtu;

    if (str_to_i64(text, &mtu) == 0 && (mtu == 0 || (mtu >= MTU_LEAST && mtu <= MTU_MOST)))
        return 0;
    return err_set(why, ERR_INVALID, "invalid default MTU: %s (%d to %d, or 0: the default route's)", text,
                   MTU_LEAST, MTU_MOST);
}

/* ---- registries ---- */

/* The host of an address up to its port, path or end: letters, digits, '.', '-', ':' in brackets. */
static bool is_host(const char *text, size_t len)
{
    bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';

    if (len == 0 || text[0] == '-' || text[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("-._", text[i]) &&
            !(brackets && strchr("[]:%", text[i])))
            return false;
    return true;
}

/* "host", "host:port", "[::1]:port" */
static int check_host_port(const char *text, struct err *why)
{
    const char *bracket = strchr(text, ']'), *colon = strrchr(bracket ? bracket : text, ':');
    uint32_t port = 1;

    if (!is_host(text, colon ? (size_t)(colon - text) : strlen(text)))
        return err_set(why, ERR_INVALID,
                       "invalid host \"%s\": say HOST, HOST:PORT or a network as 10.0.0.0/8", text);
    if (colon && (str_to_u32(colon + 1, &port) < 0 || port == 0 || port > 65535))
        return err_set(why, ERR_INVALID, "invalid port \"%s\": 1 to 65535", colon + 1);
    return 0;
}

int check_mirror(const char *text, struct err *why)
{
    static const char say[] = "must use either 'https://' or 'http://'";
    const char *rest = strstr(text, "://");
    _cleanup_free_ char *host = NULL;

    if (!rest)
        return err_set(why, ERR_INVALID, "invalid mirror: no scheme specified for \"%s\": %s", text, say);
    rest += 3;
    if (!str_starts(text, "https://") && !str_starts(text, "http://"))
        return err_set(why, ERR_INVALID, "invalid mirror: unsupported scheme \"%.*s\" in \"%s\": %s",
                       (int)(rest - 3 - text), text, text, say);
    if (strpbrk(rest, "?#"))
        return err_set(why, ERR_INVALID, "invalid mirror: query or fragment at end of the URI \"%s\"", text);
    host = xstrndup(rest, strcspn(rest, "/"));
    if (strchr(host, '@'))
        return err_set(why, ERR_INVALID,
                       "invalid mirror: username/password not allowed in URI: log in at the mirror instead");
    return check_host_port(host, why) < 0 ? err_wrap(why, "invalid mirror") : 0;
}

int check_insecure(const char *text, struct err *why)
{
    const char *bare = str_after(text, "http://"), *slash;
    struct in6_addr six;
    uint32_t address, prefix;

    if (!bare && !(bare = str_after(text, "https://")))
        bare = text;
    slash = strchr(bare, '/');
    if (!slash)
        return check_host_port(bare, why) < 0 ? err_wrap(why, "insecure registry %s is not valid", text) : 0;
    if (check_parse_ipv4(bare, &address, &prefix) == 0)
        return 0;
    _cleanup_free_ char *network = xstrndup(bare, (size_t)(slash - bare));
    if (inet_pton(AF_INET6, network, &six) == 1 && str_to_u32(slash + 1, &prefix) == 0 && prefix <= 128)
        return 0;
    return err_set(why, ERR_INVALID,
                   "insecure registry %s is not valid: say HOST, HOST:PORT or a network as 10.0.0.0/8, "
                   "without a path",
                   text);
}

/* ---- containers, the daemon ---- */

int check_label(const char *text, struct err *why)
{
    static const char *const reserved[] = {"com.docker.", "io.docker.", "org.dockerproject."};
    const char *equals = strchr(text, '=');

    if (!equals || equals == text)
        return err_set(why, ERR_INVALID, "bad attribute format: %s: say KEY=VALUE", text);
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (str_starts(text, reserved[i]))
            return err_set(why, ERR_INVALID,
                           "label %s is not allowed: the namespaces com.docker.*, io.docker.*, and "
                           "org.dockerproject.* are reserved for internal use",
                           text);
    return 0;
}

/* As of a container's own. */
int check_cgroup_parent(const char *text, struct err *why)
{
    return strstr(text, "..") ? err_set(why, ERR_INVALID, "invalid cgroup parent: %s: no \"..\" in it", text)
                              : 0;
}

/* A profile that can't be read would be found out by the first container. */
int check_seccomp(const char *text, struct err *why)
{
    _cleanup_json_ json_t *profile = NULL;

    if (!*text || str_eq(text, "builtin") || str_eq(text, "unconfined"))
        return 0;
    profile = json_load(AT_FDCWD, text, SECCOMP_MAX, why);
    if (!profile)
        return err_wrap(why, "opening seccomp profile (%s) failed", text);
    return json_is_object(profile)
               ? 0
               : err_set(why, ERR_INVALID, "Decoding seccomp profile failed: %s holds no JSON object", text);
}
