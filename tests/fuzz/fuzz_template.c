/* Go templates: whatever the text, parsing and running it end, with a result or an error. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "cli/template/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char value[] =
        "{\"Name\": \"x\", \"List\": [1, \"b\", null], \"Map\": {\"k\": {}}, \"Real\": 1.5}";
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    _cleanup_json_ json_t *json = json_loads(value, 0, NULL);
    _cleanup_(template_free_p) struct template *t = NULL;
    _cleanup_(buf_finish) struct buf out = BUF_INIT(64 * 1024);
    struct err err = {0};

    t = template_parse("", text, &err);
    if (t && template_execute(t, json, &out, &err) < 0 && err.kind == ERR_NONE)
        abort();
    return 0;
}
