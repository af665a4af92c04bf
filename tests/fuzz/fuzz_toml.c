/* hosts.toml. */
#include <stdint.h>

#include "base/json.h"
#include "image/worker/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};

    json_decref(toml_parse((const char *)data, size, "hosts.toml", &err));
    return 0;
}
