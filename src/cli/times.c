/* --since, --until. */
#include "cli/times.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/client.h"

/* Dates without a zone are the local one's. */
static int64_t from_local(const char *value, int64_t ns)
{
    size_t dashes = 0;
    time_t seconds = (time_t)(ns / CLOCK_NS_PER_S);
    struct tm tm;

    for (const char *c = value; *c; c++)
        dashes += *c == '-';
    if (!isdigit((unsigned char)*value) || dashes != 2 || strpbrk(value, "zZ+") || !gmtime_r(&seconds, &tm))
        return ns;
    tm.tm_isdst = -1;
    return (int64_t)mktime(&tm) * CLOCK_NS_PER_S + ns % CLOCK_NS_PER_S;
}

int times_add(struct buf *url, const char *key, const char *value, bool named, struct err *err)
{
    char text[64];
    int64_t ns;

    if (!*value)
        return 0;
    if (clock_parse_since(value, clock_now(), &ns) < 0)
        return err_set(err, ERR_INVALID, "%s%s%sfailed to parse value as time or duration: \"%s\"",
                       named ? "invalid value for \"" : "", named ? key : "", named ? "\": " : "", value);
    ns = from_local(value, ns);
    snprintf(text, sizeof(text), "%lld.%09lld", (long long)(ns / CLOCK_NS_PER_S),
             (long long)(ns % CLOCK_NS_PER_S));
    url_add(url, key, text);
    return 0;
}
