/* Base64. */
#include "base/base64.h"

#include <string.h>

#include "base/cleanup.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *base64_encode(const void *data, size_t len, bool url)
{
    const char *letters = url ? url_alphabet : alphabet;
    const unsigned char *p = data;
    char *out = xmalloc(len / 3 * 4 + 5), *at = out;

    for (size_t i = 0; i < len; i += 3) {
        unsigned bits =
            (unsigned)p[i] << 16 | (i + 1 < len ? p[i + 1] << 8 : 0) | (i + 2 < len ? p[i + 2] : 0);

        *at++ = letters[bits >> 18];
        *at++ = letters[bits >> 12 & 63];
        *at++ = i + 1 < len ? letters[bits >> 6 & 63] : '=';
        *at++ = i + 2 < len ? letters[bits & 63] : '=';
    }
    *at = '\0';
    return out;
}

char *base64_decode(const char *text)
{
    char *out = xmalloc(strlen(text) + 1), *at = out;
    unsigned bits = 0;
    int have = 0;

    for (; *text && *text != '='; text++) {
        const char *letter = strchr(alphabet, *text);

        if (!letter) {
            free(out);
            return NULL;
        }
        bits = bits << 6 | (unsigned)(letter - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            *at++ = (char)(bits >> have & 255);
        }
    }
    *at = '\0';
    return out;
}
