/* Names in archives: what is accepted stays inside. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "image/worker/unarchive.h"
#include "storage/worker/layer_path.h"
#include "storage/worker/pending.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(const char *path)
{
    const char *part = path;

    if (*path == '/')
        abort();
    while (*part) {
        size_t n = strcspn(part, "/");

        if (n == 0 || (n == 2 && memcmp(part, "..", 2) == 0) || (n == 1 && *part == '.' && path[1]))
            abort();
        part += n;
        part += *part == '/';
    }
}

/* The list that one worker hands to the next. */
static void check_pending(const char *text, size_t len)
{
    struct pending_row row;

    while (pending_next(&text, &len, &row) > 0)
        if (strlen(row.path) + (row.target ? strlen(row.target) : 0) > 1024 * 1024)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    _cleanup_free_ char *plain = unarchive_name(text, NULL, NULL),
                        *link = unarchive_name(text, "a/b/c", NULL);
    struct layer_path path;
    char parent[TAR_PATH_MAX + 1];

    if (plain)
        check_inside(plain);
    if (link)
        check_inside(link);
    if (layer_path_set(&path, text, NULL) == 0) {
        check_inside(path.text);
        layer_path_parent(&path, parent);
        check_inside(parent);
    }
    check_pending((const char *)data, size);
    return 0;
}
