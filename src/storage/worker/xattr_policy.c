/* The policy as a table; the first row that fits decides. */
#include "storage/worker/xattr_policy.h"

#include <stddef.h>

#include "base/str.h"

static const struct {
    const char *prefix;
    enum xattr_policy policy;
} rows[] = {
    /* An archive that could set these would choose what of the layers below is seen, or redirect to other
       paths. */
    {"trusted.overlay.", XATTR_DROP},
    {"user.overlay.", XATTR_DROP},
    {"security.capability", XATTR_MUST},
    {"system.posix_acl_", XATTR_MUST},
    {"user.", XATTR_MAY},
    {"trusted.", XATTR_MAY},
    /* Labels and signatures of a security module belong to the host they were made on. */
    {"", XATTR_DROP},
};

enum xattr_policy xattr_policy(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (str_starts(name, rows[i].prefix))
            return rows[i].policy;
    return XATTR_DROP;
}
