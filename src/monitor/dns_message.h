/* DNS messages, as far as a server of names and addresses needs them: one question is read, answers are written, others'
 * answers are looked at before they are passed on. Everything that is read is hostile: nothing outside [data, data+len)
 * is touched, nothing loops on compression pointers (none is followed). Sources: RFC 1035, RFC 6891 (EDNS). */
#ifndef KEG_MONITOR_DNS_MESSAGE_H
#define KEG_MONITOR_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNS_HEADER_SIZE = 12,
    DNS_NAME_MAX = 255,
    DNS_QUERY_MAX = 4096,
    DNS_UDP_MAX = 65507,
    DNS_MESSAGE_MAX = 65535,
    DNS_TTL = 600, /* Docker's */

    DNS_A = 1,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_AAAA = 28,
    DNS_IN = 1,

    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
};

struct dns_query {
    uint16_t id, flags, type, class;
    char name[DNS_NAME_MAX + 1]; /* lower case, with dots, none at the end */
    bool plain;                  /* every byte of the name is printable, and the dots separate labels */
    size_t question_end;         /* header and question are this long */
    bool edns;
    size_t udp_size; /* what the asker takes by UDP */
};

/* 0; -EBADMSG: no query that could be answered at all; -EINVAL: a malformed one (FORMERR), -ENOTSUP: another operation
 * (NOTIMP); after both only id, flags and question_end are good. */
int dns_parse(const void *data, size_t len, struct dns_query *ret);

/* What is answered: addresses (A, AAAA, by the query's type; in network byte order), or one name (PTR), or nothing but the
 * code. */
struct dns_answer {
    unsigned code;
    const void *addresses;
    size_t count;
    const char *name;
};
/* Writes the response to `query` (the message that q was read from) to out, at most `max` bytes (at least
 * DNS_QUERY_MAX). What doesn't fit in is left out, and the message says so. Returns its length. */
size_t dns_respond(const struct dns_query *q, const void *query, const struct dns_answer *a, void *out,
                   size_t max);

/* Whether `data` is a response with this id to the question of `query` (len bytes long). */
bool dns_is_response(const void *data, size_t data_len, uint16_t id, const void *query, size_t len);
/* Of a response. */
unsigned dns_code(const void *data);
void dns_set_id(void *data, uint16_t id);
/* Shortens a response to its header and question, and says so in it. Returns its new length. */
size_t dns_truncate(void *data, size_t question_end);

/* "4.3.2.1.in-addr.arpa" is 1.2.3.4, and 32 digits before ".ip6.arpa" are an IPv6 address. ret: 16 bytes. The family or
 * -EINVAL. */
int dns_parse_reverse(const char *name, void *ret);

#endif
