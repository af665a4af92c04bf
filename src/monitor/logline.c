/* Records of the json-file log. The inner loop copies 16 bytes at a time as long as none of them needs an
 * escape. */
#include "monitor/logline.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"

typedef unsigned char block __attribute__((vector_size(16)));
typedef uint64_t block_words __attribute__((vector_size(16)));

enum { BLOCK = sizeof(block), FRACTION_AT = 20, FRACTION_DIGITS = 9 };

/* How many bytes of the block stand before the first one that needs a look. */
static inline unsigned plain_prefix(block b)
{
    block special = (block)(b < 0x20) | (block)(b >= 0x80) | (block)(b == '"') | (block)(b == '\\') |
                    (block)(b == '&') | (block)((b & 0xfd) == '<'); /* '<' and '>' differ in one bit */
    block_words words = (block_words)special;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (words[0])
        return (unsigned)__builtin_ctzll(words[0]) / 8;
    if (words[1])
        return 8 + (unsigned)__builtin_ctzll(words[1]) / 8;
#else
    if (words[0])
        return (unsigned)__builtin_clzll(words[0]) / 8;
    if (words[1])
        return 8 + (unsigned)__builtin_clzll(words[1]) / 8;
#endif
    return BLOCK;
}

static inline bool is_special(unsigned char c)
{
    return c < 0x20 || c >= 0x80 || c == '"' || c == '\\' || c == '&' || c == '<' || c == '>';
}

/* Length of the UTF-8 character at p (n bytes left), 0 if there is none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    size_t need = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    unsigned char min = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char max = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;

    if (need == 0 || need > n || p[1] < min || p[1] > max)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

static inline char *put(char *out, const void *text, size_t len)
{
    return (char *)memcpy(out, text, len) + len;
}

static char *escape_ascii(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";

    *out++ = '\\';
    if (c == '"' || c == '\\') {
        *out++ = (char)c;
    } else if (c == '\r') {
        *out++ = 'r';
    } else {
        out = put(out, "u00", 3);
        *out++ = hex[c >> 4];
        *out++ = hex[c & 15];
    }
    return out;
}

/* Copies the character of more than one byte at *in, or the mark for an invalid one. */
static char *copy_character(char *out, const char **in, const char *end)
{
    const unsigned char *p = (const unsigned char *)*in;
    size_t len = utf8_length(p, (size_t)(end - *in));

    if (len == 0) {
        *in += 1;
        return put(out, "\\ufffd", 6);
    }
    *in += len;
    if (len == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
        return put(out, p[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
    return put(out, p, len);
}

char *logline_copy(char *out, const char **in, const char *end)
{
    const char *p = *in;

    for (;;) {
        while (end - p >= BLOCK) {
            block b;
            unsigned plain;

            memcpy(&b, p, BLOCK);
            memcpy(out, &b, BLOCK);
            plain = plain_prefix(b);
            p += plain;
            out += plain;
            if (plain < BLOCK)
                break;
        }
        while (p < end && !is_special((unsigned char)*p))
            *out++ = *p++;
        if (p == end || *p == '\n')
            break;
        if ((unsigned char)*p < 0x80)
            out = escape_ascii(out, (unsigned char)*p++);
        else
            out = copy_character(out, &p, end);
    }
    *in = p;
    return out;
}

size_t logline_cut(const char *p, size_t n)
{
    for (size_t back = 1; back <= 3 && back < n; back++) {
        unsigned char c = (unsigned char)p[n - back];

        if (c < 0x80)
            return n;
        if (c >= 0xc0) /* a character begins here: is all of it in front of n? */
            return (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) > back ? n - back : n;
    }
    return n;
}

/* Puts the digits, without their trailing zeros, and the Z behind the seconds. */
static void stamp_finish(struct logline_stamp *s)
{
    size_t digits = FRACTION_DIGITS;

    while (digits > 0 && s->digits[digits - 1] == '0')
        digits--;
    s->len = FRACTION_AT - 1;
    if (digits) {
        s->text[FRACTION_AT - 1] = '.';
        memcpy(s->text + FRACTION_AT, s->digits, FRACTION_DIGITS);
        s->len = FRACTION_AT + digits;
    }
    s->text[s->len++] = 'Z';
}

static void stamp_format(struct logline_stamp *s)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t fraction = s->ns % CLOCK_NS_PER_S;

    clock_format(s->ns, text);
    memcpy(s->text, text, FRACTION_AT - 1);
    for (int i = FRACTION_DIGITS - 1; i >= 0; i--, fraction /= 10)
        s->digits[i] = (char)('0' + fraction % 10);
    stamp_finish(s);
}

void logline_stamp_set(struct logline_stamp *s, int64_t ns)
{
    if (ns <= s->ns && s->ns - ns < CLOCK_NS_PER_S)
        ns = s->ns + 1;
    s->ns = ns;
    stamp_format(s);
}

void logline_stamp_step(struct logline_stamp *s)
{
    int i = FRACTION_DIGITS - 1;

    s->ns++;
    while (i >= 0 && s->digits[i] == '9')
        s->digits[i--] = '0';
    if (i < 0) { /* the second is over */
        stamp_format(s);
        return;
    }
    s->digits[i]++;
    stamp_finish(s);
}
