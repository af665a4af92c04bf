/* WWW-Authenticate headers. */
#include <stdint.h>

#include "base/cleanup.h"
#include "image/worker/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    struct challenge c;

    challenge_parse(text, &c);
    challenge_finish(&c);
    return 0;
}
