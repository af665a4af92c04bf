/* The grammar of WWW-Authenticate: schemes, each with parameters name=token or name="quoted". */
#include "image/worker/challenge.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

void challenge_finish(struct challenge *c)
{
    free(c->realm);
    free(c->service);
    free(c->scope);
    free(c->error);
    *c = (struct challenge){0};
}

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_length(const char *p)
{
    size_t n = 0;

    while (is_token_char(p[n]))
        n++;
    return n;
}

/* The value at *p, quoted or not; *p moves behind it. */
static char *parse_value(const char **p)
{
    const char *s = *p;
    char *out = xmalloc(strlen(s) + 1);
    size_t n = 0;

    if (*s == '"') {
        for (s++; *s && *s != '"'; s++) {
            if (*s == '\\' && s[1])
                s++;
            out[n++] = *s;
        }
        if (*s)
            s++;
    } else {
        while (*s && *s != ',' && *s != ' ' && *s != '\t')
            out[n++] = *s++;
    }
    out[n] = '\0';
    *p = s;
    return out;
}

static void store(struct challenge *c, const char *name, size_t len, char *value)
{
    const struct {
        const char *name;
        char **field;
    } fields[] = {{"realm", &c->realm}, {"service", &c->service}, {"scope", &c->scope}, {"error", &c->error}};

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (strlen(fields[i].name) == len && strncasecmp(name, fields[i].name, len) == 0 &&
            !*fields[i].field) {
            *fields[i].field = value;
            return;
        }
    free(value);
}

static enum challenge_scheme scheme_of(const char *name, size_t len)
{
    if (len == 6 && strncasecmp(name, "bearer", len) == 0)
        return CHALLENGE_BEARER;
    if (len == 5 && strncasecmp(name, "basic", len) == 0)
        return CHALLENGE_BASIC;
    return CHALLENGE_NONE;
}

static void keep_better(struct challenge *best, struct challenge *next)
{
    if (next->scheme > best->scheme) {
        challenge_finish(best);
        *best = *next;
        *next = (struct challenge){0};
    } else {
        challenge_finish(next);
    }
}

void challenge_parse(const char *value, struct challenge *ret)
{
    struct challenge current = {0};
    const char *p = value;

    *ret = (struct challenge){0};
    while (*p) {
        size_t n;
        const char *after;

        p += strspn(p, " \t,");
        n = token_length(p);
        if (n == 0) {
            if (*p)
                p++;
            continue;
        }
        after = p + n + strspn(p + n, " \t");
        if (*after == '=') { /* a parameter */
            const char *v = after + 1 + strspn(after + 1, " \t");

            store(&current, p, n, parse_value(&v));
            p = v;
        } else {
            keep_better(ret, &current);
            current.scheme = scheme_of(p, n);
            p = after;
        }
    }
    keep_better(ret, &current);
}
