/* OCI configurations: any JSON is parsed or refused with a reason, and nothing is lost on the way. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "runtime/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ json_t *config = json_parse((const char *)data, size, "fuzz", NULL);
    _cleanup_(spec_free_p) struct spec *spec = NULL;
    struct err err = {0};

    if (!config)
        return 0;
    spec = spec_parse(config, &err);
    if (!spec && (err.kind == ERR_NONE || !err.message[0]))
        abort();
    if (spec && spec->has_process && (!spec->process.args[0] || !spec->process.cwd))
        abort();
    return 0;
}
