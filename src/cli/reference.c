/* Image references. The grammar is that of the distribution project: [domain/]path[:tag][@digest]. */
#include "cli/reference.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

#define DEFAULT_DOMAIN "docker.io"

static bool is_domain(const char *s, size_t len)
{
    return memchr(s, '.', len) || memchr(s, ':', len) || (len == 9 && memcmp(s, "localhost", 9) == 0);
}

/* Whether a separator may follow the separator before it: any number of dashes, two underscores. */
static bool may_double(const char *start, const char *at)
{
    if (at == start || at[-1] != *at)
        return false;
    return *at == '-' || (*at == '_' && (at - start < 2 || at[-2] != '_'));
}

static bool check_path(const char *path)
{
    bool separator = true; /* a component neither starts nor ends with one */

    for (const char *c = path; *c; c++) {
        if (islower((unsigned char)*c) || isdigit((unsigned char)*c))
            separator = false;
        else if (strchr("/._-", *c) && (!separator || may_double(path, c)))
            separator = true;
        else
            return false;
    }
    return !separator;
}

static bool check_tag(const char *tag)
{
    if (!*tag || strlen(tag) > 128 || *tag == '.' || *tag == '-')
        return false;
    for (; *tag; tag++)
        if (!isalnum((unsigned char)*tag) && !strchr("_.-", *tag))
            return false;
    return true;
}

static bool check_digest(const char *digest)
{
    const char *hex = strchr(digest, ':');

    if (!hex || hex == digest || strlen(hex + 1) < 32)
        return false;
    return strspn(hex + 1, "0123456789abcdefABCDEF") == strlen(hex + 1);
}

int reference_parse(const char *text, struct reference *ret, struct err *err)
{
    struct reference r = {0};
    const char *slash = strchr(text, '/'), *rest = text, *at = strchr(text, '@'), *colon;
    bool ok;

    if (strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64) /* an image's id */
        return err_set(err, ERR_INVALID,
                       "invalid repository name (%s), cannot specify 64-byte hexadecimal strings", text);
    if (slash && is_domain(text, (size_t)(slash - text)) && (!at || slash < at)) {
        r.domain = xstrndup(text, (size_t)(slash - text));
        rest = slash + 1;
    }
    colon = strchr(rest, ':');
    if (colon && at && colon > at)
        colon = NULL;
    r.path = xstrndup(rest, colon ? (size_t)(colon - rest) : at ? (size_t)(at - rest) : strlen(rest));
    if (colon)
        r.tag = at ? xstrndup(colon + 1, (size_t)(at - colon - 1)) : xstrdup(colon + 1);
    if (at)
        r.digest = xstrdup(at + 1);
    ok = check_path(r.path) && (!r.tag || check_tag(r.tag)) && (!r.digest || check_digest(r.digest));
    if (!ok) {
        bool upper = false, hub = !r.domain && !strchr(r.path, '/');
        _cleanup_free_ char *path = xstrdup(r.path);

        for (const char *c = r.path; *c; c++)
            upper |= isupper((unsigned char)*c) != 0;
        reference_finish(&r);
        return err_set(err, ERR_INVALID,
                       upper ? "invalid reference format: repository name (%s%s) must be lowercase"
                             : "invalid reference format",
                       hub ? "library/" : "", path);
    }
    if (!r.domain || str_eq(r.domain, "index.docker.io")) {
        free(r.domain);
        r.domain = xstrdup(DEFAULT_DOMAIN);
    }
    if (str_eq(r.domain, DEFAULT_DOMAIN) && !strchr(r.path, '/')) {
        char *official = xasprintf("library/%s", r.path);

        free(r.path);
        r.path = official;
    }
    *ret = r;
    return 0;
}

void reference_finish(struct reference *r)
{
    free(r->domain);
    free(r->path);
    free(r->tag);
    free(r->digest);
    *r = (struct reference){0};
}

char *reference_name(const struct reference *r)
{
    return xasprintf("%s/%s", r->domain, r->path);
}

char *reference_familiar(const struct reference *r)
{
    const char *official = str_after(r->path, "library/");
    bool hub = str_eq(r->domain, DEFAULT_DOMAIN);

    return xasprintf("%s%s%s%s%s%s%s", hub ? "" : r->domain, hub ? "" : "/",
                     hub && official ? official : r->path, r->tag ? ":" : "", r->tag ? r->tag : "",
                     r->digest ? "@" : "", r->digest ? r->digest : "");
}

int platform_check(const char *text, struct err *err)
{
    static const char *const known[] = {
        "aix",   "android",  "darwin", "dragonfly", "freebsd", "hurd",    "illumos", "ios",     "js",
        "linux", "nacl",     "netbsd", "openbsd",   "plan9",   "solaris", "windows", "zos",     "386",
        "amd64", "amd64p32", "arm",    "armbe",     "arm64",   "arm64be", "ppc64",   "ppc64le", "loong64",
        "mips",  "mipsle",   "mips64", "mips64le",  "ppc",     "riscv",   "riscv64", "s390",    "s390x",
        "sparc", "sparc64",  "wasm",   "i386",      "x86_64",  "x86-64",  "aarch64", "armhf",   "armel"};
    _cleanup_strv_ char **parts = strv_split(text, '/');

    if (!*text)
        return 0;
    for (char **p = parts; *p; p++)
        if (!**p ||
            strspn(*p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != strlen(*p))
            return err_set(
                err, ERR_INVALID,
                "\"%s\" is an invalid component of \"%s\": platform specifier component must match "
                "\"^[A-Za-z0-9_.-]+$\": invalid argument",
                *p, text);
    if (strv_len(parts) > 3)
        return err_set(err, ERR_INVALID, "\"%s\": cannot parse platform specifier: invalid argument", text);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strcasecmp(known[i], text) == 0)
            return 0;
    return parts[1] ? 0
                    : err_set(err, ERR_INVALID,
                              "\"%s\": unknown operating system or architecture: invalid argument", text);
}
