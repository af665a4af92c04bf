/* Digests and chain ids. */
#include "image/digest.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

bool digest_hex_valid(const char *hex)
{
    return hex && strspn(hex, "0123456789abcdef") == SHA256_HEX_SIZE - 1 && !hex[SHA256_HEX_SIZE - 1];
}

bool digest_valid(const char *digest)
{
    return digest && digest_hex_valid(str_after(digest, DIGEST_PREFIX));
}

void digest_from_hex(const char *hex, char out[DIGEST_SIZE])
{
    snprintf(out, DIGEST_SIZE, DIGEST_PREFIX "%.64s", hex);
}

void digest_of(const void *data, size_t len, char out[DIGEST_SIZE])
{
    char hex[SHA256_HEX_SIZE];

    sha256_of(data, len, hex);
    digest_from_hex(hex, out);
}

const char *digest_hex(const char *digest)
{
    return digest + sizeof(DIGEST_PREFIX) - 1;
}

void digest_chain(const char *parent, const char *diff_id, char out[DIGEST_SIZE])
{
    char both[2 * DIGEST_SIZE];
    int len;

    if (str_empty(parent)) {
        snprintf(out, DIGEST_SIZE, "%s", diff_id);
        return;
    }
    len = snprintf(both, sizeof(both), "%s %s", parent, diff_id);
    digest_of(both, (size_t)len, out);
}
