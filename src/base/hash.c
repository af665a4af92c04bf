/* SHA-256 over OpenSSL's EVP interface. */
#include "base/hash.h"

#include <openssl/evp.h>

#include "base/str.h"

struct sha256 {
    EVP_MD_CTX *ctx;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *h = xcalloc(1, sizeof(*h));

    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1)
        abort();
    return h;
}

void sha256_free(struct sha256 *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    free(h);
}

void sha256_update(struct sha256 *h, const void *data, size_t len)
{
    if (EVP_DigestUpdate(h->ctx, data, len) != 1)
        abort();
}

void sha256_hex(struct sha256 *h, char out[SHA256_HEX_SIZE])
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned int len = 0;

    if (EVP_DigestFinal_ex(h->ctx, raw, &len) != 1 || len != 32)
        abort();
    hex_encode(raw, len, out);
}

void sha256_of(const void *data, size_t len, char out[SHA256_HEX_SIZE])
{
    _cleanup_(sha256_free_p) struct sha256 *h = sha256_new();

    sha256_update(h, data, len);
    sha256_hex(h, out);
}
