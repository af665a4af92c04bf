/* What comes from the message bus. */
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "sys/dbus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(dbus_message_finish) struct dbus_message m = {};
    char header[DBUS_HEADER_FIXED];
    const char *text;
    uint32_t number;

    if (size < sizeof(header))
        return 0;
    memcpy(header, data, sizeof(header));
    if (dbus_message_length(header) != (ssize_t)size)
        return 0;
    char *whole = xmalloc(size);
    memcpy(whole, data, size);
    if (dbus_message_parse(whole, &m) < 0)
        return 0;
    (void)dbus_read_u32(&m, &number);
    (void)dbus_read_signature(&m, &text);
    while (dbus_read_string(&m, &text))
        ;
    return 0;
}
