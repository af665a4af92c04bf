/* The mount option idmap=uids=0-1-10#10-11-10;gids=0-100-10, as crun has it: ranges "of the filesystem"-"of the host"-size,
 * separated by "#"; "@" before them counts the host's ids as the container does. */
#include <string.h>

#include "base/str.h"
#include "runtime/spec.h"
#include "runtime/spec_fields.h"

/* An id of the container as the host has it. */
static int to_host(const struct id_mapping *map, size_t count, uint32_t *id)
{
    for (size_t i = 0; i < count; i++)
        if (*id >= map[i].container && *id - map[i].container < map[i].size) {
            *id = map[i].host + (*id - map[i].container);
            return 0;
        }
    return -ERANGE;
}

static int range_parse(const char *text, struct id_mapping *ret)
{
    _cleanup_strv_ char **numbers = strv_split(text, '-');

    if (strv_len(numbers) != 3 || str_to_u32(numbers[0], &ret->container) < 0 ||
        str_to_u32(numbers[1], &ret->host) < 0 || str_to_u32(numbers[2], &ret->size) < 0 || !ret->size)
        return -EINVAL;
    return 0;
}

static int ranges_parse(const char *text, const struct id_mapping *own, size_t own_count,
                        struct id_mapping **ret, size_t *ret_count)
{
    _cleanup_strv_ char **ranges = strv_split(text, '#');
    size_t n = strv_len(ranges);

    free(*ret);
    *ret = xcalloc(n + 1, sizeof(**ret));
    *ret_count = n;
    for (size_t i = 0; i < n; i++) {
        bool relative = ranges[i][0] == '@';
        int result = range_parse(ranges[i] + relative, &(*ret)[i]);

        if (result == 0 && relative)
            result = to_host(own, own_count, &(*ret)[i].host);
        if (result < 0)
            return result;
    }
    return n ? 0 : -EINVAL;
}

static int option_parse(const struct spec *spec, struct spec_mount *m)
{
    _cleanup_strv_ char **parts = strv_split(m->idmap_ranges, ';');
    int result = 0;

    for (char **part = parts; result == 0 && *part; part++) {
        const char *uids = str_after(*part, "uids="), *gids = str_after(*part, "gids=");

        if (uids)
            result = ranges_parse(uids, spec->uids, spec->uid_count, &m->uids, &m->uid_count);
        else if (gids)
            result = ranges_parse(gids, spec->gids, spec->gid_count, &m->gids, &m->gid_count);
        else
            result = -EINVAL;
    }
    return result < 0 ? result : m->uid_count && m->gid_count ? 0 : -EINVAL;
}

int spec_idmap_options_parse(struct spec *spec, struct err *err)
{
    for (size_t i = 0; i < spec->mount_count; i++) {
        struct spec_mount *m = &spec->mounts[i];
        int result = m->idmap_ranges ? option_parse(spec, m) : 0;

        if (result == -ERANGE)
            return err_set(err, ERR_INVALID,
                           "invalid configuration: mounts[%zu]: idmap=%s: no such id in the container's user "
                           "namespace",
                           i, m->idmap_ranges);
        if (result < 0)
            return err_set(err, ERR_INVALID,
                           "invalid configuration: mounts[%zu]: idmap=%s: expected "
                           "uids=FROM-TO-SIZE[#…];gids=FROM-TO-SIZE[#…]",
                           i, m->idmap_ranges);
    }
    return 0;
}
