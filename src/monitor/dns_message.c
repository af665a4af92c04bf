/* Reading and writing DNS messages. */
#include "monitor/dns_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum {
    FLAG_RESPONSE = 0x8000,
    FLAG_OPCODE = 0x7800,
    FLAG_TRUNCATED = 0x0200,
    FLAG_RECURSION = 0x0100,
    FLAG_AVAILABLE = 0x0080,
    FLAG_CODE = 0x000f,
    COUNT_QUESTIONS = 4,
    COUNT_ANSWERS = 6,
    COUNT_AUTHORITIES = 8,
    COUNT_ADDITIONAL = 10,
    TYPE_OPT = 41,
    LABEL_MAX = 63,
    POINTER = 0xc0,
    RECORD_FIXED = 10,
    OPT_SIZE = 11,
    UDP_MIN = 512,
    OWN_UDP_SIZE = 4096,
};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

/* One label into the name's text. */
static void add_label(struct dns_query *q, size_t *at, const uint8_t *label, size_t len)
{
    if (*at)
        q->name[(*at)++] = '.';
    for (size_t i = 0; i < len; i++) {
        uint8_t c = label[i];
        if (c <= ' ' || c == '.' || c >= 0x7f)
            q->plain = false;
        q->name[(*at)++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
}

/* The question's name from data+12; pointers have no place there. Returns where it ends, or 0. */
static size_t read_name(const uint8_t *data, size_t len, struct dns_query *q)
{
    size_t at = DNS_HEADER_SIZE, text = 0;
    q->plain = true;
    while (at < len) {
        size_t label = data[at++];
        if (label == 0) {
            q->name[text] = '\0';
            return at;
        }
        if (label > LABEL_MAX || at + label > len || at + label + 1 > DNS_HEADER_SIZE + DNS_NAME_MAX)
            return 0;
        add_label(q, &text, data + at, label);
        at += label;
    }
    return 0;
}

/* Passes over a name of a record. Returns where it ends, or 0. */
static size_t skip_name(const uint8_t *data, size_t len, size_t at)
{
    while (at < len) {
        size_t label = data[at];
        if (label >= POINTER)
            return at + 2 <= len ? at + 2 : 0;
        if (label > LABEL_MAX)
            return 0;
        at += label + 1;
        if (label == 0)
            return at;
    }
    return 0;
}

/* Looks for EDNS among the records behind the question. -EINVAL for records that aren't there. */
static int read_records(const uint8_t *data, size_t len, struct dns_query *q)
{
    unsigned count =
        get16(data + COUNT_ANSWERS) + get16(data + COUNT_AUTHORITIES) + get16(data + COUNT_ADDITIONAL);
    size_t at = q->question_end;
    for (unsigned i = 0; i < count; i++) {
        at = skip_name(data, len, at);
        if (!at || at + RECORD_FIXED > len)
            return -EINVAL;
        if (get16(data + at) == TYPE_OPT) {
            q->edns = true;
            q->udp_size = get16(data + at + 2);
        }
        at += RECORD_FIXED + get16(data + at + 8);
        if (at > len)
            return -EINVAL;
    }
    return 0;
}

int dns_parse(const void *message, size_t len, struct dns_query *ret)
{
    const uint8_t *data = message;
    *ret = (struct dns_query){.udp_size = UDP_MIN, .question_end = DNS_HEADER_SIZE};
    if (len < DNS_HEADER_SIZE || len > DNS_MESSAGE_MAX)
        return -EBADMSG;
    ret->id = get16(data);
    ret->flags = get16(data + 2);
    if (ret->flags & FLAG_RESPONSE)
        return -EBADMSG;
    if (ret->flags & FLAG_OPCODE)
        return -ENOTSUP;
    if (len > DNS_QUERY_MAX || get16(data + COUNT_QUESTIONS) != 1)
        return -EINVAL;
    size_t end = read_name(data, len, ret);
    if (!end || end + 4 > len)
        return -EINVAL;
    ret->type = get16(data + end);
    ret->class = get16(data + end + 2);
    ret->question_end = end + 4;
    int r = read_records(data, len, ret);
    if (ret->udp_size < UDP_MIN)
        ret->udp_size = UDP_MIN;
    if (r < 0)
        ret->question_end = DNS_HEADER_SIZE;
    return r;
}

/* ---- answers ---- */

/* The head of a record whose name is the question's. */
static uint8_t *put_record(uint8_t *p, unsigned type, unsigned data_len)
{
    put16(p, POINTER << 8 | DNS_HEADER_SIZE);
    put16(p + 2, type);
    put16(p + 4, DNS_IN);
    put16(p + 6, DNS_TTL >> 16);
    put16(p + 8, DNS_TTL & 0xffff);
    put16(p + 10, data_len);
    return p + 12;
}

/* A name in the wire's form; 0 when it is none. */
static size_t encode_name(const char *name, uint8_t out[DNS_NAME_MAX + 1])
{
    size_t at = 0;
    while (*name) {
        size_t label = strcspn(name, ".");
        if (label == 0 || label > LABEL_MAX || at + label + 2 > DNS_NAME_MAX)
            return 0;
        out[at++] = (uint8_t)label;
        memcpy(out + at, name, label);
        at += label;
        name += label + (name[label] == '.');
    }
    out[at++] = 0;
    return at;
}

static size_t put_opt(uint8_t *p)
{
    memset(p, 0, OPT_SIZE);
    put16(p + 1, TYPE_OPT);
    put16(p + 3, OWN_UDP_SIZE);
    return OPT_SIZE;
}

size_t dns_respond(const struct dns_query *q, const void *query, const struct dns_answer *a, void *out,
                   size_t max)
{
    uint8_t *message = out, *p = message + q->question_end, encoded[DNS_NAME_MAX + 1];
    const uint8_t *end = message + max - (q->edns ? OPT_SIZE : 0);
    unsigned type = q->type == DNS_AAAA ? DNS_AAAA : DNS_A, each = type == DNS_AAAA ? 16 : 4;
    size_t name_len = a->name ? encode_name(a->name, encoded) : 0, count = 0;
    unsigned flags = FLAG_RESPONSE | FLAG_AVAILABLE | (q->flags & (FLAG_RECURSION | FLAG_OPCODE)) | a->code;
    memcpy(message, query, q->question_end);
    for (; count < a->count && p + 12 + each <= end; count++) {
        p = put_record(p, type, each);
        memcpy(p, (const uint8_t *)a->addresses + count * each, each);
        p += each;
    }
    if (count < a->count)
        flags |= FLAG_TRUNCATED;
    if (name_len && p + 12 + name_len <= end) {
        p = put_record(p, DNS_PTR, (unsigned)name_len);
        memcpy(p, encoded, name_len);
        p += name_len;
        count++;
    }
    if (q->edns)
        p += put_opt(p);
    put16(message + 2, flags);
    put16(message + COUNT_QUESTIONS, q->question_end > DNS_HEADER_SIZE);
    put16(message + COUNT_ANSWERS, (unsigned)count);
    put16(message + COUNT_AUTHORITIES, 0);
    put16(message + COUNT_ADDITIONAL, q->edns);
    return (size_t)(p - message);
}

/* Names are compared without regard to case: askers vary it, and not every server gives it back. Type and class have
 * no letters that matter. */
static bool same_name(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t x = a[i], y = b[i];
        x = x >= 'A' && x <= 'Z' ? (uint8_t)(x + 32) : x;
        y = y >= 'A' && y <= 'Z' ? (uint8_t)(y + 32) : y;
        if (x != y)
            return false;
    }
    return true;
}

bool dns_is_response(const void *data, size_t data_len, uint16_t id, const void *query, size_t len)
{
    const uint8_t *d = data, *q = query;
    struct dns_query asked;
    if (data_len < DNS_HEADER_SIZE || dns_parse(query, len, &asked) < 0)
        return false;
    if (get16(d) != id || !(get16(d + 2) & FLAG_RESPONSE) || (get16(d + 2) & FLAG_OPCODE))
        return false;
    if (get16(d + COUNT_QUESTIONS) == 0) /* some leave it out when they refuse */
        return dns_code(d) != DNS_NOERROR && dns_code(d) != DNS_NXDOMAIN;
    return get16(d + COUNT_QUESTIONS) == 1 && data_len >= asked.question_end &&
           same_name(d + DNS_HEADER_SIZE, q + DNS_HEADER_SIZE, asked.question_end - DNS_HEADER_SIZE);
}

unsigned dns_code(const void *data)
{
    return get16((const uint8_t *)data + 2) & FLAG_CODE;
}

void dns_set_id(void *data, uint16_t id)
{
    put16(data, id);
}

size_t dns_truncate(void *data, size_t question_end)
{
    uint8_t *d = data;
    put16(d + 2, get16(d + 2) | FLAG_TRUNCATED);
    put16(d + COUNT_ANSWERS, 0);
    put16(d + COUNT_AUTHORITIES, 0);
    put16(d + COUNT_ADDITIONAL, 0);
    return question_end;
}

static int parse_reverse6(const char *name, uint8_t *out)
{
    static const char digits[] = "0123456789abcdef";
    enum { DIGITS = 32 };
    if (strlen(name) != 2 * DIGITS + strlen("ip6.arpa") || !str_eq(name + 2 * DIGITS, "ip6.arpa"))
        return -EINVAL;
    memset(out, 0, DIGITS / 2);
    for (int i = 0; i < DIGITS; i++) {
        const char *digit = strchr(digits, name[2 * i]);
        if (!digit || !*digit || name[2 * i + 1] != '.')
            return -EINVAL;
        out[(DIGITS - 1 - i) / 2] |= (uint8_t)((digit - digits) << (i % 2 ? 4 : 0));
    }
    return AF_INET6;
}

int dns_parse_reverse(const char *name, void *ret)
{
    unsigned a, b, c, d;
    int end = 0;
    if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa%n", &a, &b, &c, &d, &end) != 4 || !end || name[end] ||
        a > 255 || b > 255 || c > 255 || d > 255)
        return parse_reverse6(name, ret);
    uint32_t address = htonl(d << 24 | c << 16 | b << 8 | a);
    memcpy(ret, &address, sizeof(address));
    return AF_INET;
}
