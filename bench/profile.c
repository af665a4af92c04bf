/* Prints the default seccomp profile as an OCI object, for runtimes that have none of their own. */
#include <stdio.h>

#include "sys/capability.h"
#include "sys/seccomp.h"

int main(void)
{
    static const int held[] = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}; /* as Docker gives them */
    uint64_t capabilities = 0;
    json_t *profile;

    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++)
        capabilities |= CAPABILITY_BIT(held[i]);
    profile = seccomp_default_profile(capabilities);
    return !profile || json_dumpf(profile, stdout, 0) < 0;
}
