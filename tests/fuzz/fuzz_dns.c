/* A container's queries and its servers' answers. The first byte chooses the room for an answer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const struct dns_query *q, const uint8_t *query, size_t size, size_t max)
{
    static const uint8_t addresses[200][16];
    static uint8_t out[DNS_MESSAGE_MAX];
    const struct dns_answer answers[] = {{.code = DNS_NXDOMAIN},
                                         {.addresses = addresses, .count = 200},
                                         {.name = "web.network"},
                                         {.name = "..bad.."}};
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        size_t len = dns_respond(q, query, &answers[i], out, max);
        if (len < DNS_HEADER_SIZE || len > max)
            abort();
        if (!dns_is_response(out, len, q->id, query, size))
            abort(); /* ours don't answer what was asked */
        if (dns_truncate(out, q->question_end) > len)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_query q;
    uint8_t address[16];
    if (size < 1)
        return 0;
    size_t max = DNS_QUERY_MAX + (size_t)data[0] * 64;
    uint8_t *message = malloc(size); /* of just this size: what is read beyond it is seen */
    if (!message)
        abort();
    memcpy(message, data + 1, --size);
    if (dns_parse(message, size, &q) == 0) {
        if (strlen(q.name) > DNS_NAME_MAX || q.question_end > size)
            abort();
        dns_parse_reverse(q.name, address);
        check_answer(&q, message, size, max);
    }
    dns_is_response(message, size, q.id, message, size);
    free(message);
    return 0;
}
