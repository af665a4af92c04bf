/* Extended headers: "LENGTH KEY=VALUE\n" records, dispatched by a table. */
#include "tar/pax.h"

#include <string.h>

#include "base/str.h"
#include "tar/number.h"

#define XATTR_PREFIX "SCHILY.xattr."

struct record {
    const char *key;
    size_t key_len;
    const char *value;
    size_t len;
};

void tar_pax_finish(struct tar_pax *pax)
{
    for (size_t i = 0; i < pax->n_xattrs; i++) {
        free(pax->xattrs[i].name);
        free(pax->xattrs[i].value);
    }
    free(pax->xattrs);
    free(pax->segments);
    free(pax->path);
    free(pax->link);
    *pax = (struct tar_pax)TAR_PAX_INIT;
}

int tar_pax_add_segment(struct tar_pax *pax, int64_t offset, int64_t len, struct err *err)
{
    if (pax->n_segments == TAR_SPARSE_MAX)
        return err_set(err, ERR_INVALID, "a sparse map has more than %d segments", TAR_SPARSE_MAX);
    if ((pax->n_segments & (pax->n_segments - 1)) == 0) /* powers of two: 0, 1, 2, 4… */
        pax->segments = xreallocarray(pax->segments, MAX_OF(1, pax->n_segments * 2), sizeof(*pax->segments));
    pax->segments[pax->n_segments++] = (struct tar_segment){offset, len};
    return 0;
}

static int take_string(char **ret, const struct record *rec, struct err *err)
{
    if (rec->len > TAR_PATH_MAX)
        return err_set(err, ERR_INVALID, "a name of %zu bytes is too long", rec->len);
    if (memchr(rec->value, '\0', rec->len))
        return err_set(err, ERR_INVALID, "a name holds a NUL byte");
    free(*ret);
    *ret = xstrndup(rec->value, rec->len);
    return 0;
}

static int take_number(int64_t *ret, const struct record *rec, struct err *err)
{
    const char *end = rec->value + rec->len, *stop;

    if (tar_decimal_parse(rec->value, end, ret, &stop) < 0 || stop != end)
        return err_set(err, ERR_INVALID, "extended header: %.*s is no number", (int)rec->key_len, rec->key);
    return 0;
}

static int on_path(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    /* The other name of a sparse file is for programs that don't know of sparse files. */
    return pax->real_path ? 0 : take_string(&pax->path, rec, err);
}

static int on_sparse_name(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    pax->real_path = true;
    return take_string(&pax->path, rec, err);
}

static int on_link(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    return take_string(&pax->link, rec, err);
}

static int on_size(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    pax->has_size = true;
    return take_number(&pax->size, rec, err);
}

static int on_uid(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    pax->has_uid = true;
    return take_number(&pax->uid, rec, err);
}

static int on_gid(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    pax->has_gid = true;
    return take_number(&pax->gid, rec, err);
}

static int on_mtime(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    if (tar_time_parse(rec->value, rec->len, &pax->mtime, &pax->mtime_ns) < 0)
        return err_set(err, ERR_INVALID, "extended header: mtime is no time");
    pax->has_mtime = true;
    return 0;
}

static int on_sparse(struct tar_pax *pax, const struct record *rec _unused_, struct err *err _unused_)
{
    pax->sparse = true;
    return 0;
}

static int on_sparse_major(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    int64_t major;

    if (take_number(&major, rec, err) < 0)
        return -1;
    if (major > 1)
        return err_set(err, ERR_INVALID, "sparse format %lld is unknown", (long long)major);
    pax->sparse = true;
    pax->sparse_in_data = major == 1;
    return 0;
}

static int on_sparse_size(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    pax->has_real_size = true;
    return take_number(&pax->real_size, rec, err);
}

static int on_sparse_offset(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    return take_number(&pax->half_offset, rec, err);
}

static int on_sparse_len(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    int64_t len, offset = pax->half_offset;

    if (take_number(&len, rec, err) < 0)
        return -1;
    if (offset < 0)
        return err_set(err, ERR_INVALID, "a sparse map has a length without an offset");
    pax->half_offset = -1;
    return tar_pax_add_segment(pax, offset, len, err);
}

static int on_sparse_map(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    const char *p = rec->value, *end = rec->value + rec->len;
    int64_t pair[2];

    pax->sparse = true;
    while (p < end) {
        for (int i = 0; i < 2; i++) {
            if (tar_decimal_parse(p, end, &pair[i], &p) < 0 || (p < end && *p != ','))
                return err_set(err, ERR_INVALID, "a sparse map isn't \"offset,length,…\"");
            if (p < end)
                p++;
        }
        if (tar_pax_add_segment(pax, pair[0], pair[1], err) < 0)
            return -1;
    }
    return 0;
}

/* To add a key: a row. Unknown keys are passed over, as POSIX wants. */
static const struct {
    const char *key;
    int (*take)(struct tar_pax *pax, const struct record *rec, struct err *err);
} keys[] = {
    {"path", on_path},
    {"linkpath", on_link},
    {"size", on_size},
    {"uid", on_uid},
    {"gid", on_gid},
    {"mtime", on_mtime},
    {"GNU.sparse.name", on_sparse_name},
    {"GNU.sparse.major", on_sparse_major},
    {"GNU.sparse.realsize", on_sparse_size},
    {"GNU.sparse.size", on_sparse_size},
    {"GNU.sparse.numblocks", on_sparse},
    {"GNU.sparse.offset", on_sparse_offset},
    {"GNU.sparse.numbytes", on_sparse_len},
    {"GNU.sparse.map", on_sparse_map},
};

static int take_xattr(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    const char *name = rec->key + strlen(XATTR_PREFIX);
    size_t name_len = rec->key_len - strlen(XATTR_PREFIX);
    struct tar_xattr *x;

    if (name_len == 0 || name_len > TAR_XATTR_NAME_MAX || memchr(name, '\0', name_len))
        return err_set(err, ERR_INVALID, "an extended attribute has an impossible name");
    if (rec->len > TAR_XATTR_VALUE_MAX)
        return err_set(err, ERR_INVALID, "extended attribute %.*s: a value of %zu bytes is too long",
                       (int)name_len, name, rec->len);
    if (pax->n_xattrs == TAR_XATTRS_MAX)
        return err_set(err, ERR_INVALID, "more than %d extended attributes", TAR_XATTRS_MAX);
    pax->xattrs = xreallocarray(pax->xattrs, pax->n_xattrs + 1, sizeof(*pax->xattrs));
    x = &pax->xattrs[pax->n_xattrs++];
    x->name = xstrndup(name, name_len);
    x->value = xmalloc(rec->len + 1);
    memcpy(x->value, rec->value, rec->len);
    x->len = rec->len;
    return 0;
}

static bool key_is(const struct record *rec, const char *key)
{
    return rec->key_len == strlen(key) && memcmp(rec->key, key, rec->key_len) == 0;
}

static int take_record(struct tar_pax *pax, const struct record *rec, struct err *err)
{
    if (rec->key_len > strlen(XATTR_PREFIX) && memcmp(rec->key, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0)
        return take_xattr(pax, rec, err);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (key_is(rec, keys[i].key))
            return rec->len == 0 ? 0 : keys[i].take(pax, rec, err); /* an empty value unsets */
    return 0;
}

int tar_pax_parse(struct tar_pax *pax, const char *text, size_t len, struct err *err)
{
    const char *p = text, *end = text + len;

    while (p < end && *p != '\0') {
        const char *start = p, *equals;
        struct record rec;
        int64_t length;

        /* "LENGTH " has to be followed by at least "=\n", and LENGTH counts itself. */
        if (tar_decimal_parse(p, end, &length, &p) < 0 || p == end || *p != ' ' || length > end - start ||
            length < p - start + 3 || start[length - 1] != '\n')
            return err_set(err, ERR_INVALID, "damaged extended header");
        rec.key = p + 1;
        equals = memchr(rec.key, '=', (size_t)(start + length - 1 - rec.key));
        if (!equals)
            return err_set(err, ERR_INVALID, "damaged extended header");
        rec.key_len = (size_t)(equals - rec.key);
        rec.value = equals + 1;
        rec.len = (size_t)(start + length - 1 - rec.value);
        if (take_record(pax, &rec, err) < 0)
            return -1;
        p = start + length;
    }
    return 0;
}
