/* --since, --until. */
#include "cli/times.h"

#include <stdio.h>

#include "base/clock.h"
#include "cli/client.h"

int times_add(struct buf *url, const char *key, const char *value, bool named, struct err *err)
{
    char text[64];
    int64_t ns;

    if (!*value)
        return 0;
    if (clock_parse_since(value, clock_now(), &ns) < 0)
        return err_set(err, ERR_INVALID, "%s%s%sfailed to parse value as time or duration: \"%s\"",
                       named ? "invalid value for \"" : "", named ? key : "", named ? "\": " : "", value);
    snprintf(text, sizeof(text), "%lld.%09lld", (long long)(ns / CLOCK_NS_PER_S),
             (long long)(ns % CLOCK_NS_PER_S));
    url_add(url, key, text);
    return 0;
}
