/* The small languages of the API: no input may crash them, and what they accept keeps its promises. */
#include <stdint.h>
#include <stdlib.h>

#include "api/text.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_match(const char *pattern, const char *path)
{
    const char *start;
    size_t len;

    if (!text_match(pattern, path, &start, &len))
        return;
    if (start < path || start + len > path + strlen(path))
        abort();
    if (!strchr(pattern, '*') && memchr(start, '/', len))
        abort(); /* one part of a path only */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    _cleanup_(buf_finish) struct buf decoded = BUF_INIT(1024);
    unsigned version = 0;
    const char *path = text_split_version(text, &version);

    if (path < text || path > text + strlen(text) || (path != text && *path != '/'))
        abort();
    text_is_true(text);
    check_match("/containers/{id}/json", path);
    check_match("/images/{name*}/json", path);
    check_match("/volumes/{name}", path);
    if (text_base64url_decode(text, &decoded) == 0 && decoded.len > strlen(text))
        abort();
    return 0;
}
