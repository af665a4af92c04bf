/* hosts.toml. */
#include <stdint.h>

#include "image/worker/hosts_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hosts_file file;
    struct err err = {0};

    hosts_file_parse((const char *)data, size, "hosts.toml", &file, &err);
    hosts_file_finish(&file);
    return 0;
}
