/* The small languages of HTTP and of Docker's API. */
#include "api/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"

bool text_is_true(const char *value)
{
    static const char *const no[] = {"", "0", "no", "false", "none"};
    size_t len;

    if (!value)
        return false;
    value += strspn(value, " \t");
    len = strlen(value);
    while (len && strchr(" \t", value[len - 1]))
        len--;
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        if (strlen(no[i]) == len && strncasecmp(no[i], value, len) == 0)
            return false;
    return true;
}

int text_parse_version(const char *text, size_t len, unsigned *ret)
{
    unsigned parts[2] = {0, 0};
    size_t part = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.')
            part++;
        else if (!isdigit((unsigned char)text[i]))
            return -EINVAL;
        else if (part < ARRAY_SIZE(parts))
            parts[part] = MIN_OF(parts[part] * 10 + (unsigned)(text[i] - '0'), 999u);
    }
    if (!len)
        return -EINVAL;
    *ret = parts[0] * 1000 + parts[1];
    return 0;
}

const char *text_split_version(const char *url, unsigned *version)
{
    const char *end;

    if (!str_starts(url, "/v"))
        return url;
    end = strchr(url + 2, '/');
    if (!end || text_parse_version(url + 2, (size_t)(end - url - 2), version) < 0)
        return url;
    return end;
}

char *text_clean_path(const char *path)
{
    _cleanup_free_ char *slashed = xasprintf("%s/", path);
    char *clean;

    if (!strstr(path, "//") && !strstr(slashed, "/./") && !strstr(slashed, "/../"))
        return NULL;
    clean = path_clean(path);
    if (!str_eq(clean, "/") && path[strlen(path) - 1] == '/') {
        char *with = xasprintf("%s/", clean);

        free(clean);
        return with;
    }
    return clean;
}

bool text_match(const char *pattern, const char *path, const char **start, size_t *len)
{
    const char *open = strchr(pattern, '{'), *close;
    size_t before, after, length = strlen(path);

    *start = path;
    *len = 0;
    if (!open)
        return str_eq(pattern, path);
    close = strchr(open, '}');
    before = (size_t)(open - pattern);
    after = strlen(close + 1);
    if (length <= before + after || strncmp(path, pattern, before) != 0 ||
        strcmp(path + length - after, close + 1) != 0)
        return false;
    *start = path + before;
    *len = length - before - after;
    return close[-1] == '*' || !memchr(*start, '/', *len);
}

static int text_base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

int text_base64url_decode(const char *text, struct buf *ret)
{
    size_t len = strlen(text);
    unsigned bits = 0, n = 0;

    while (len && text[len - 1] == '=')
        len--;
    if (len % 4 == 1)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        int value = text_base64_value(text[i]);

        if (value < 0)
            return -EINVAL;
        bits = bits << 6 | (unsigned)value;
        n += 6;
        if (n >= 8) {
            n -= 8;
            buf_putc(ret, (char)(bits >> n & 0xff));
        }
    }
    return ret->error;
}
