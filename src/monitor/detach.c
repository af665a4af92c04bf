/* Detach keys. */
#include "monitor/detach.h"

#include <errno.h>
#include <string.h>

/* One key of `len` characters. Returns its code or -EINVAL. */
static int parse_key(const char *key, size_t len)
{
    static const char control_codes[] = "@abcdefghijklmnopqrstuvwxyz[\\]^_";
    const char *code;

    if (len == 1)
        return (unsigned char)key[0];
    if (len == 3 && memcmp(key, "DEL", 3) == 0)
        return 127;
    if (len != 6 || memcmp(key, "ctrl-", 5) != 0)
        return -EINVAL;
    code = memchr(control_codes, key[5], sizeof(control_codes) - 1);
    return code ? (int)(code - control_codes) : -EINVAL;
}

int detach_parse(struct detach *d, const char *text)
{
    struct detach parsed = {0};

    if (!text || !*text)
        text = DETACH_KEYS_DEFAULT;
    for (;;) {
        size_t len = strcspn(text, ",");
        int key = parse_key(text, len);

        if (key < 0 || parsed.count == DETACH_KEYS_MAX)
            return -EINVAL;
        parsed.keys[parsed.count++] = (unsigned char)key;
        if (!text[len])
            break;
        text += len + 1;
    }
    *d = parsed;
    return 0;
}

size_t detach_filter(struct detach *d, const char *in, size_t n, char *out, bool *ret_detached)
{
    size_t passed = 0;

    *ret_detached = false;
    if (d->count == 0) {
        memcpy(out, in, n);
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)in[i] == d->keys[d->matched]) {
            if (++d->matched < d->count)
                continue;
            d->matched = 0;
            *ret_detached = true;
            return passed;
        }
        memcpy(out + passed, d->keys, d->matched);
        passed += d->matched;
        d->matched = 0;
        out[passed++] = in[i];
    }
    return passed;
}
