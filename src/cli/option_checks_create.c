/* Checks of what containers, networks and volumes are made of. */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "cli/option_checks.h"

int option_check_env(const char *value, struct err *err)
{
    return !*value || *value == '=' ? err_set(err, ERR_INVALID, "invalid environment variable: %s", value)
                                    : 0;
}

int option_check_label(const char *value, struct err *err)
{
    const char *name = value + strspn(value, " \t");
    size_t len = strcspn(name, "=");

    if (!len)
        return err_set(err, ERR_INVALID, "invalid label '%s': empty name", value);
    if (strcspn(name, " \t") < len)
        return err_set(err, ERR_INVALID, "label '%.*s' contains whitespaces", (int)len, name);
    return 0;
}

static bool is_address(const char *text)
{
    unsigned char ignored[16];

    return inet_pton(AF_INET, text, ignored) == 1 || inet_pton(AF_INET6, text, ignored) == 1;
}

/* "name:address" or "name=address", the address in brackets or not. */
int option_check_host(const char *value, struct err *err)
{
    size_t name = strcspn(value, strchr(value, '=') ? "=" : ":"), len;
    const char *address = value + name + (value[name] != '\0');
    _cleanup_free_ char *bare = NULL;

    if (!value[name] || !name || memchr(value, ':', name))
        return err_set(err, ERR_INVALID, "bad format for add-host: \"%s\"", value);
    len = strlen(address);
    bare = len > 2 && *address == '[' && address[len - 1] == ']' ? xstrndup(address + 1, len - 2)
                                                                 : xstrdup(address);
    if (!str_eq(bare, "host-gateway") && !is_address(bare))
        return err_set(err, ERR_INVALID, "invalid IP address in add-host: \"%s\"", bare);
    return 0;
}

/* Those that the kernel has one of for each namespace. */
int option_check_sysctl(const char *value, struct err *err)
{
    static const char *const names[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                        "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                        "kernel.shmmni", "kernel.shm_rmid_forced"};
    static const char *const trees[] = {"net.", "fs.mqueue."};
    _cleanup_free_ char *name = xstrndup(value, strcspn(value, "="));
    bool allowed = false;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        allowed |= str_eq(name, names[i]);
    for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
        allowed |= str_starts(name, trees[i]);
    if (!allowed || !strchr(value, '='))
        return err_set(err, ERR_INVALID, "sysctl '%s' is not allowed", value);
    return 0;
}

int option_check_link(const char *value, struct err *err)
{
    const char *colon = strchr(value, ':');

    if (!*value)
        return err_set(err, ERR_INVALID, "empty string specified for links");
    return colon && strchr(colon + 1, ':') ? err_set(err, ERR_INVALID, "bad format for links: %s", value) : 0;
}

int option_check_stream(const char *value, struct err *err)
{
    if (strcasecmp(value, "stdin") == 0 || strcasecmp(value, "stdout") == 0 ||
        strcasecmp(value, "stderr") == 0)
        return 0;
    return err_set(err, ERR_INVALID, "valid streams are STDIN, STDOUT and STDERR");
}

int option_check_address(const char *value, struct err *err)
{
    _cleanup_free_ char *bare =
        xstrndup(value + strspn(value, " "), strcspn(value + strspn(value, " "), " "));

    return is_address(bare) ? 0
                            : err_set(err, ERR_INVALID, "IP address is not correctly formatted: %s", value);
}

/* Labels of letters, digits and inner dashes between single dots; "." alone means no domain. */
static bool is_domain(const char *s)
{
    size_t len = strlen(s);
    bool letter = false;

    if (len && s[len - 1] == '.')
        len--;
    for (size_t i = 0; i < len; i++) {
        bool edge = i == 0 || i + 1 == len || s[i - 1] == '.' || s[i + 1] == '.';

        letter |= isalpha((unsigned char)s[i]) != 0;
        if (!isalnum((unsigned char)s[i]) && (edge || !strchr("-.", s[i])))
            return false;
    }
    return letter && len < 255;
}

int option_check_domain(const char *value, struct err *err)
{
    _cleanup_free_ char *bare = xstrdup(value + strspn(value, " "));
    size_t len = strlen(bare);

    while (len && bare[len - 1] == ' ')
        bare[--len] = '\0';
    if (str_eq(bare, ".") || is_domain(bare))
        return 0;
    return err_set(err, ERR_INVALID, "%s is not a valid domain", bare);
}

/* Behind "*" or a number, or NULL. */
static const char *skip_number(const char *s)
{
    size_t digits = strspn(s, "0123456789");

    return *s == '*' ? s + 1 : digits ? s + digits : NULL;
}

/* "c 1:3 rwm" */
int option_check_device_rule(const char *value, struct err *err)
{
    const char *s = *value && strchr("acb", *value) && value[1] == ' ' ? skip_number(value + 2) : NULL;

    s = s && *s == ':' ? skip_number(s + 1) : NULL;
    if (!s || *s != ' ' || strlen(s + 1) < 1 || strlen(s + 1) > 3 || strspn(s + 1, "rwm") != strlen(s + 1))
        return err_set(err, ERR_INVALID, "invalid device cgroup format '%s'", value);
    return 0;
}

/* What stands behind the path of "/dev/path:value", or NULL. */
static const char *device_value(const char *value, struct err *err)
{
    const char *colon = strchr(value, ':');

    if (!colon || colon == value) {
        err_set(err, ERR_INVALID, "bad format: %s", value);
        return NULL;
    }
    if (!str_starts(value, "/dev/")) {
        err_set(err, ERR_INVALID, "bad format for device path: %s", value);
        return NULL;
    }
    return colon + 1;
}

int option_check_weight(const char *value, struct err *err)
{
    const char *text = device_value(value, err);
    uint64_t weight;

    if (!text)
        return -1;
    if (option_parse_uint(text, UINT16_MAX, &weight) < 0 || (weight && (weight < 10 || weight > 1000)))
        return err_set(err, ERR_INVALID, "invalid weight for device: %s", value);
    return 0;
}

int option_check_bps(const char *value, struct err *err)
{
    const char *text = device_value(value, err);
    int64_t rate;

    if (!text)
        return -1;
    if (str_to_bytes(text, &rate) < 0)
        return err_set(err, ERR_INVALID,
                       "invalid rate for device: %s. The correct format is <device-path>:<number>[<unit>]. "
                       "Number must be a positive integer. Unit is optional and can be kb, mb, or gb",
                       value);
    return 0;
}

int option_check_iops(const char *value, struct err *err)
{
    const char *text = device_value(value, err);
    uint64_t rate;

    if (!text)
        return -1;
    if (option_parse_uint(text, UINT64_MAX, &rate) < 0)
        return err_set(err, ERR_INVALID,
                       "invalid rate for device: %s. The correct format is <device-path>:<number>. Number "
                       "must be a positive integer",
                       value);
    return 0;
}
