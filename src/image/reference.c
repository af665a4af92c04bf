/* Docker's reference grammar, read from left to right:
 *     reference := name [":" tag] ["@" digest]      name := [domain "/"] path
 *     domain    := host [":" port]                  path := component {"/" component}
 *     component := alnum {separator alnum}          separator := "_" | "__" | "-"… | "." */
#include "image/reference.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

enum { NAME_MAX_LENGTH = 255, TAG_MAX_LENGTH = 128 };

void reference_finish(struct reference *ref)
{
    free(ref->domain);
    free(ref->path);
    free(ref->tag);
    free(ref->digest);
    *ref = (struct reference){0};
}

void reference_copy(const struct reference *ref, struct reference *ret)
{
    *ret = (struct reference){
        .domain = xstrdup(ref->domain),
        .path = xstrdup(ref->path),
        .tag = xstrdup(ref->tag),
        .digest = xstrdup(ref->digest),
    };
}

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

bool reference_tag_valid(const char *tag)
{
    size_t n = tag ? strlen(tag) : 0;

    if (n == 0 || n > TAG_MAX_LENGTH || (!is_alnum(tag[0]) && tag[0] != '_'))
        return false;
    for (size_t i = 1; i < n; i++)
        if (!is_alnum(tag[i]) && !strchr("_.-", tag[i]))
            return false;
    return true;
}

/* Length of a separator at p: "_", "__", ".", or dashes; 0 if there is none. */
static size_t separator_length(const char *p)
{
    if (*p == '-')
        return strspn(p, "-");
    if (*p == '_')
        return p[1] == '_' ? 2 : 1;
    return *p == '.';
}

static bool component_valid(const char *p, size_t len)
{
    const char *end = p + len;

    if (p == end || !is_lower_alnum(*p))
        return false;
    while (p < end) {
        size_t n;

        while (p < end && is_lower_alnum(*p))
            p++;
        if (p == end)
            return true;
        n = separator_length(p);
        if (n == 0 || p + n >= end || !is_lower_alnum(p[n]))
            return false;
        p += n;
    }
    return true;
}

static bool path_valid(const char *path)
{
    for (;;) {
        const char *slash = strchrnul(path, '/');

        if (!component_valid(path, (size_t)(slash - path)))
            return false;
        if (!*slash)
            return true;
        path = slash + 1;
    }
}

/* [alnum]([alnum-]*[alnum])? parts joined by dots, or [IPv6], then an optional :port. */
static bool domain_valid(const char *domain)
{
    const char *p = domain;

    if (*p == '[') {
        p += 1 + strspn(p + 1, "0123456789abcdefABCDEF:");
        if (p == domain + 1 || *p++ != ']')
            return false;
    } else {
        for (;;) {
            const char *start = p;

            while (is_alnum(*p) || *p == '-')
                p++;
            if (p == start || *start == '-' || p[-1] == '-')
                return false;
            if (*p != '.')
                break;
            p++;
        }
    }
    if (*p == ':') {
        size_t digits = strspn(p + 1, "0123456789");

        if (digits == 0 || digits > 5)
            return false;
        p += 1 + digits;
    }
    return *p == '\0';
}

static bool has_upper(const char *s)
{
    for (; *s; s++)
        if (*s >= 'A' && *s <= 'Z')
            return true;
    return false;
}

/* Splits "name" into domain and path as docker does: the first part is a domain if it has a dot or a colon,
 * is "localhost", or isn't lower-case. */
static void split_name(const char *name, struct reference *ref)
{
    const char *slash = strchr(name, '/');
    _cleanup_free_ char *first = slash ? xstrndup(name, (size_t)(slash - name)) : NULL;

    if (slash && (strpbrk(first, ".:") || str_eq(first, "localhost") || has_upper(first))) {
        ref->domain = take_ptr(&first);
        ref->path = xstrdup(slash + 1);
    } else {
        ref->domain = xstrdup(REFERENCE_DEFAULT_DOMAIN);
        ref->path = xstrdup(name);
    }
    if (str_eq(ref->domain, "index.docker.io")) {
        free(ref->domain);
        ref->domain = xstrdup(REFERENCE_DEFAULT_DOMAIN);
    }
    if (str_eq(ref->domain, REFERENCE_DEFAULT_DOMAIN) && !strchr(ref->path, '/')) {
        char *official = xasprintf("library/%s", ref->path);

        free(ref->path);
        ref->path = official;
    }
}

static int check_name(const struct reference *ref, struct err *err)
{
    if (has_upper(ref->path))
        return err_set(err, ERR_INVALID, "invalid reference format: repository name (%s) must be lowercase",
                       ref->path);
    /* "sub_domain.x/a" is a path of two to the grammar, and a domain to those who look for a dot */
    if ((!domain_valid(ref->domain) && !component_valid(ref->domain, strlen(ref->domain))) ||
        !path_valid(ref->path))
        return err_set(err, ERR_INVALID, "invalid reference format");
    if (strlen(ref->path) > NAME_MAX_LENGTH)
        return err_set(err, ERR_INVALID, "repository name must not be more than %d characters",
                       NAME_MAX_LENGTH);
    return 0;
}

int reference_parse(const char *text, struct reference *ret, struct err *err)
{
    _cleanup_reference_ struct reference ref = {0};
    _cleanup_free_ char *name = NULL;
    char *at, *colon;

    if (str_empty(text) || strlen(text) > 4096)
        return err_set(err, ERR_INVALID, "invalid reference format");
    if (digest_hex_valid(text))
        return err_set(err, ERR_INVALID,
                       "invalid repository name (%s), cannot specify 64-byte hexadecimal strings", text);
    name = xstrdup(text);
    at = strchr(name, '@');
    if (at) {
        *at = '\0';
        if (!digest_valid(at + 1))
            return err_set(err, ERR_INVALID, "invalid reference format");
        ref.digest = xstrdup(at + 1);
    }
    colon = strrchr(name, ':');
    if (colon && !strchr(colon, '/')) {
        *colon = '\0';
        if (!reference_tag_valid(colon + 1))
            return err_set(err, ERR_INVALID, "invalid reference format");
        ref.tag = xstrdup(colon + 1);
    }
    split_name(name, &ref);
    if (check_name(&ref, err) < 0)
        return -1;
    *ret = ref;
    ref = (struct reference){0};
    return 0;
}

int reference_parse_tagged(const char *text, struct reference *ret, struct err *err)
{
    if (reference_parse(text, ret, err) < 0)
        return -1;
    if (!ret->tag && !ret->digest)
        ret->tag = xstrdup(REFERENCE_DEFAULT_TAG);
    return 0;
}

int reference_parse_parts(const char *name, const char *tag, struct reference *ret, struct err *err)
{
    _cleanup_reference_ struct reference ref = {0};

    if (reference_parse(name, &ref, err) < 0)
        return -1;
    if (digest_valid(tag)) {
        free(ref.digest);
        ref.digest = xstrdup(tag);
    } else if (reference_tag_valid(tag)) {
        free(ref.tag);
        ref.tag = xstrdup(tag);
    } else if (!str_empty(tag)) {
        return err_set(err, ERR_INVALID, "invalid tag format");
    }
    *ret = ref;
    ref = (struct reference){0};
    return 0;
}

int reference_check_tag(const struct reference *ref, struct err *err)
{
    if (str_eq(ref->domain, REFERENCE_DEFAULT_DOMAIN) && str_eq(ref->path, "library/sha256"))
        return err_set(err, ERR_INVALID,
                       "refusing to create an ambiguous tag using digest algorithm as name");
    return 0;
}

char *reference_name(const struct reference *ref)
{
    return xasprintf("%s/%s", ref->domain, ref->path);
}

char *reference_familiar_name(const struct reference *ref)
{
    const char *official;

    if (!str_eq(ref->domain, REFERENCE_DEFAULT_DOMAIN))
        return reference_name(ref);
    official = str_after(ref->path, "library/");
    return xstrdup(official && !strchr(official, '/') ? official : ref->path);
}

static char *append_tag_and_digest(char *name, const struct reference *ref)
{
    char *all = xasprintf("%s%s%s%s%s", name, ref->tag ? ":" : "", ref->tag ? ref->tag : "",
                          ref->digest ? "@" : "", ref->digest ? ref->digest : "");

    free(name);
    return all;
}

char *reference_string(const struct reference *ref)
{
    return append_tag_and_digest(reference_name(ref), ref);
}

char *reference_familiar(const struct reference *ref)
{
    return append_tag_and_digest(reference_familiar_name(ref), ref);
}
