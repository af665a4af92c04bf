/* SHA-256 by OpenSSL's own functions for it, linked statically: a dozen objects instead of the 3 MB of memory that the whole
 * library with its providers costs each program that loads it. They pick the processor's instructions as EVP does. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/hash.h"

#include <openssl/sha.h>

#include "base/str.h"

struct sha256 {
    SHA256_CTX ctx;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *h = xcalloc(1, sizeof(*h));

    SHA256_Init(&h->ctx);
    return h;
}

void sha256_free(struct sha256 *h)
{
    free(h);
}

void sha256_update(struct sha256 *h, const void *data, size_t len)
{
    SHA256_Update(&h->ctx, data, len);
}

void sha256_hex(struct sha256 *h, char out[SHA256_HEX_SIZE])
{
    unsigned char raw[SHA256_DIGEST_LENGTH];

    SHA256_Final(raw, &h->ctx);
    hex_encode(raw, sizeof(raw), out);
}

void sha256_of(const void *data, size_t len, char out[SHA256_HEX_SIZE])
{
    _cleanup_(sha256_free_p) struct sha256 *h = sha256_new();

    sha256_update(h, data, len);
    sha256_hex(h, out);
}
