/* The quick parser of JSON beside jansson: what it reads, it reads as that does. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As text: the order of the members counts, too. */
static void compare(const char *text, size_t size, size_t flags)
{
    json_t *quick = json_plain(text, size, flags), *slow = quick ? json_loadb(text, size, flags, NULL) : NULL;
    char *a = quick ? json_dumps(quick, 0) : NULL, *b = slow ? json_dumps(slow, 0) : NULL;

    if (quick && (!a || !b || strcmp(a, b) != 0))
        abort();
    free(a);
    free(b);
    json_decref(quick);
    json_decref(slow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1);

    if (!text)
        abort();
    memcpy(text, data, size); /* its end is watched */
    compare(text, size, 0);
    compare(text, size, JSON_ALLOW_NUL);
    free(text);
    return 0;
}
