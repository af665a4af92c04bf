/* Platforms: names, aliases, and how well one serves another. */
#include "image/platform.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/json.h"
#include "base/str.h"

/* To add an architecture: its kernel names and other aliases, Go's name, and the variant that the alias
 * implies. */
static const struct {
    const char *alias, *architecture, *variant;
} architectures[] = {
    {"x86_64", "amd64", ""},   {"x86-64", "amd64", ""},
    {"i386", "386", ""},       {"i486", "386", ""},
    {"i586", "386", ""},       {"i686", "386", ""},
    {"aarch64", "arm64", ""},  {"armhf", "arm", "v7"},
    {"armel", "arm", "v6"},    {"armv7l", "arm", "v7"},
    {"armv6l", "arm", "v6"},   {"armv8l", "arm", "v7"},
    {"armv5tel", "arm", "v5"}, {"loongarch64", "loong64", ""},
    {"mips", "mips", ""},      {"mips64", "mips64", ""},
};

static const struct {
    const char *architecture, *variant;
} default_variants[] = {{"arm64", "v8"}, {"arm64", "8"}, {"amd64", "v1"}};

static void set(char *field, size_t size, const char *value)
{
    snprintf(field, size, "%s", value);
}

void platform_normalize(struct platform *p)
{
    for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
        if (str_eq(p->architecture, architectures[i].alias)) {
            set(p->architecture, sizeof(p->architecture), architectures[i].architecture);
            if (!p->variant[0])
                set(p->variant, sizeof(p->variant), architectures[i].variant);
            break;
        }
    if (str_eq(p->architecture, "arm") && p->variant[0] >= '0' && p->variant[0] <= '9') {
        char digit = p->variant[0];

        snprintf(p->variant, sizeof(p->variant), "v%c", digit);
    }
    if (str_eq(p->architecture, "arm") && !p->variant[0])
        set(p->variant, sizeof(p->variant), "v7");
    for (size_t i = 0; i < ARRAY_SIZE(default_variants); i++)
        if (str_eq(p->architecture, default_variants[i].architecture) &&
            str_eq(p->variant, default_variants[i].variant))
            p->variant[0] = '\0';
}

void platform_host(struct platform *ret)
{
    struct utsname uts;

    *ret = (struct platform){.os = "linux"};
    uname(&uts);
    snprintf(ret->architecture, sizeof(ret->architecture), "%.31s", uts.machine);
    platform_normalize(ret);
}

static bool part_valid(const char *part, size_t size)
{
    return part[0] && strlen(part) < size &&
           strspn(part, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == strlen(part);
}

static bool is_os(const char *s)
{
    static const char *const names[] = {"linux",  "windows", "darwin", "freebsd",
                                        "netbsd", "openbsd", "solaris"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_eq(s, names[i]))
            return true;
    return false;
}

static bool is_architecture(const char *s)
{
    static const char *const names[] = {
        "386",     "amd64",   "amd64p32", "arm",     "armbe",  "arm64",    "arm64be",   "ppc64",
        "ppc64le", "loong64", "mips",     "mipsle",  "mips64", "mips64le", "mips64p32", "mips64p32le",
        "ppc",     "riscv",   "riscv64",  "s390",    "s390x",  "sparc",    "sparc64",   "wasm",
        "i386",    "x86_64",  "x86-64",   "aarch64", "armhf",  "armel"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_eq(s, names[i]))
            return true;
    return false;
}

int platform_parse(const char *text, struct platform *ret, struct err *err)
{
    struct platform p = {0}, host;
    _cleanup_strv_ char **parts = NULL;
    size_t n;

    platform_host(&host);
    if (str_empty(text)) {
        *ret = host;
        return 0;
    }
    parts = strv_split(text, '/');
    n = strv_len(parts);
    for (size_t i = 0; i < n; i++)
        if (!part_valid(parts[i], i == 2 ? sizeof(p.variant) : sizeof(p.os)) || n > 3)
            return err_set(err, ERR_INVALID,
                           "\"%.100s\" is an invalid platform: it should look like linux/arm64/v8", text);
    if (n == 1 && is_os(parts[0])) {
        p = host;
        set(p.os, sizeof(p.os), parts[0]);
    } else if (n == 1 && !is_architecture(parts[0])) {
        return err_set(err, ERR_INVALID,
                       "\"%.100s\": unknown operating system or architecture: invalid argument", text);
    } else if (n == 1) {
        set(p.os, sizeof(p.os), "linux");
        set(p.architecture, sizeof(p.architecture), parts[0]);
    } else {
        set(p.os, sizeof(p.os), parts[0]);
        set(p.architecture, sizeof(p.architecture), parts[1]);
        set(p.variant, sizeof(p.variant), n > 2 ? parts[2] : "");
    }
    platform_normalize(&p);
    *ret = p;
    return 0;
}

void platform_format(const struct platform *p, char out[PLATFORM_TEXT_SIZE])
{
    snprintf(out, PLATFORM_TEXT_SIZE, "%s/%s%s%s", p->os, p->architecture, p->variant[0] ? "/" : "",
             p->variant);
}

json_t *platform_json(const struct platform *p)
{
    json_t *json = json_pack("{s:s, s:s}", "architecture", p->architecture, "os", p->os);

    if (p->variant[0])
        json_set_str(json, "variant", p->variant);
    return json;
}

static void copy_field(char *field, size_t size, const char *value)
{
    snprintf(field, size, "%s", value && strlen(value) < size ? value : "");
}

void platform_from_json(const json_t *json, struct platform *ret)
{
    copy_field(ret->os, sizeof(ret->os), json_str(json, "os"));
    copy_field(ret->architecture, sizeof(ret->architecture), json_str(json, "architecture"));
    copy_field(ret->variant, sizeof(ret->variant), json_str(json, "variant"));
}

/* "v7" → 7, "" → 0. */
static int variant_number(const char *variant)
{
    return variant[0] == 'v' && variant[1] >= '0' && variant[1] <= '9' && !variant[2] ? variant[1] - '0' : 0;
}

/* What a 64-bit processor also runs, when there is nothing better. */
static const struct {
    const char *architecture, *also;
} elders[] = {{"amd64", "386"}, {"arm64", "arm"}};

static int match_elder(const struct platform *want, const struct platform *have)
{
    for (size_t i = 0; i < ARRAY_SIZE(elders); i++)
        if (str_eq(want->architecture, elders[i].architecture) && str_eq(have->architecture, elders[i].also))
            return 1 + variant_number(have->variant) / 2;
    return 0;
}

int platform_match(const struct platform *want, const struct platform *have)
{
    struct platform w = *want, h = *have;
    int wanted, offered;

    platform_normalize(&w);
    platform_normalize(&h);
    if (!str_eq(w.os, h.os))
        return 0;
    if (!str_eq(w.architecture, h.architecture))
        return match_elder(&w, &h);
    if (str_eq(w.variant, h.variant))
        return 100;
    wanted = variant_number(w.variant);
    offered = variant_number(h.variant);
    if (str_eq(w.architecture, "arm") || str_eq(w.architecture, "amd64"))
        return offered <= wanted ? 10 + offered : 0; /* an older variant runs on a newer processor */
    return h.variant[0] ? 0 : 6;
}
