/* The user's config.json: what it says becomes a header of a request. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/config.h"
#include "cli/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const domains[] = {"docker.io", "registry.example", "localhost:5000"};
    struct cli cli = {.config = json_parse((const char *)data, size, "config.json", NULL)};

    if (!json_is_object(cli.config)) {
        json_decref(cli.config);
        return 0;
    }
    json_object_del(cli.config, "credsStore"); /* these are programs to run */
    json_object_del(cli.config, "credHelpers");
    for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
        _cleanup_free_ char *header = credentials_header(&cli, domains[i]);

        if (strcspn(header, "\r\n") != strlen(header) - 2)
            abort(); /* one line */
    }
    config_str(&cli, "detachKeys");
    json_decref(cli.config);
    return 0;
}
