/* SHA-256 (OpenSSL's, in hardware where there is any) and a fast 64-bit hash for tables. */
#ifndef KEG_BASE_HASH_H
#define KEG_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

enum { SHA256_HEX_SIZE = 65 };

struct sha256; /* a running digest */

struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *h);
DEFINE_CLEANUP_PTR(struct sha256, sha256_free)
void sha256_update(struct sha256 *h, const void *data, size_t len);
/* Writes 64 lower-case hexadecimal characters and a NUL. The digest takes no more data after. */
void sha256_hex(struct sha256 *h, char out[SHA256_HEX_SIZE]);
/* The digest of one piece. */
void sha256_of(const void *data, size_t len, char out[SHA256_HEX_SIZE]);

/* FNV-1a: for hash tables and cache names, not for trust. In hash64.c, which needs no library. */
uint64_t hash64(const void *data, size_t len);

#endif
