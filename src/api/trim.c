/* Answers in the shape that an older API version had. */
#include "api/trim.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

static void trim_each(json_t *list, void (*fn)(json_t *item))
{
    json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        fn(item);
}

/* 1.44 dropped VirtualSize, which was the same as Size for long. */
static void trim_virtual_size(json_t *image)
{
    json_set_int(image, "VirtualSize", json_int_or(image, "Size", 0));
}

static void trim_virtual_sizes(json_t *images)
{
    trim_each(images, trim_virtual_size);
}

static void trim_virtual_sizes_of_df(json_t *usage)
{
    trim_each(json_object_get(usage, "Images"), trim_virtual_size);
}

static void trim_none_of(json_t *image, const char *key, const char *none)
{
    if (json_array_size(json_object_get(image, key)) == 0)
        json_object_set_new(image, key, json_pack("[s]", none));
}

/* 1.43 dropped the placeholders for no name. */
static void trim_none(json_t *image)
{
    trim_none_of(image, "RepoTags", "<none>:<none>");
    trim_none_of(image, "RepoDigests", "<none>@<none>");
}

static void trim_nones(json_t *images)
{
    trim_each(images, trim_none);
}

/* 1.42 dropped the sum over the build cache. */
static void trim_builder_size(json_t *usage)
{
    json_set_int(usage, "BuilderSize", 0);
}

/* 1.47 brought EnableIPv4. */
static void trim_ipv4(json_t *network)
{
    json_object_del(network, "EnableIPv4");
}

static void trim_ipv4s(json_t *networks)
{
    trim_each(networks, trim_ipv4);
}

static void trim_container_count(json_t *image)
{
    json_set_int(image, "Containers", -1);
}

static void trim_container_counts(json_t *images)
{
    trim_each(images, trim_container_count);
}

static const struct {
    const char *pattern;
    unsigned below; /* versions before this one */
    void (*change)(json_t *answer);
} rows[] = {
    {"/images/json", 1051, trim_container_counts},
    {"/images/json", 1044, trim_virtual_sizes},
    {"/images/json", 1043, trim_nones},
    {"/images/{name*}/json", 1044, trim_virtual_size},
    {"/system/df", 1044, trim_virtual_sizes_of_df},
    {"/system/df", 1042, trim_builder_size},
    {"/networks", 1047, trim_ipv4s},
    {"/networks/{id}", 1047, trim_ipv4},
};

bool trim_changes(const char *pattern, unsigned version)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (version < rows[i].below && str_eq(rows[i].pattern, pattern))
            return true;
    return false;
}

void trim_answer(const char *pattern, unsigned version, json_t *answer)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (version < rows[i].below && str_eq(rows[i].pattern, pattern))
            rows[i].change(answer);
}
