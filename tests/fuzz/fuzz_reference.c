/* References: what parses, prints as something that parses to the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/str.h"
#include "image/platform.h"
#include "image/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = xstrndup((const char *)data, size), *whole = NULL, *again_whole = NULL;
    _cleanup_reference_ struct reference ref = {0}, again = {0};
    struct platform platform;

    platform_parse(text, &platform, NULL);
    if (reference_parse(text, &ref, NULL) < 0)
        return 0;
    whole = reference_string(&ref);
    if (strstr(whole, "..") && strstr(ref.path, ".."))
        abort(); /* paths are parts of URLs */
    if (reference_parse(whole, &again, NULL) < 0)
        abort();
    again_whole = reference_string(&again);
    if (!str_eq(whole, again_whole))
        abort();
    return 0;
}
