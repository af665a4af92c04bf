/* --change instructions on a configuration. */
#include <stdint.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "image/change.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    _cleanup_json_ json_t *config = json_pack("{s:[s], s:s}", "Env", "PATH=/bin", "WorkingDir", "/x");
    char *const changes[] = {text, NULL};

    image_change_apply(config, changes, NULL);
    return 0;
}
