/* Digests as images name them: "sha256:<64 lower-case hexadecimal digits>". Nothing else is accepted
 * anywhere, so a digest that passed digest_valid() is safe as a part of a path and of a URL. */
#ifndef KEG_IMAGE_DIGEST_H
#define KEG_IMAGE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hash.h"

#define DIGEST_PREFIX "sha256:"
enum { DIGEST_SIZE = sizeof(DIGEST_PREFIX) - 1 + SHA256_HEX_SIZE }; /* with the final NUL */

/* True for "sha256:" and exactly 64 lower-case hexadecimal digits. NULL is false. */
bool digest_valid(const char *digest);
/* True for 64 lower-case hexadecimal digits. */
bool digest_hex_valid(const char *hex);
/* The digest of one piece of memory. */
void digest_of(const void *data, size_t len, char out[DIGEST_SIZE]);
/* "sha256:" + hex (which must be valid). */
void digest_from_hex(const char *hex, char out[DIGEST_SIZE]);
/* The hexadecimal part of a valid digest. */
const char *digest_hex(const char *digest);
/* Chain id of a layer (OCI image specification, "Layer ChainID"): the first layer's is its diff id, each next
 * one's is sha256(PARENT + " " + DIFF). parent NULL or "" for the first. */
void digest_chain(const char *parent, const char *diff_id, char out[DIGEST_SIZE]);

#endif
