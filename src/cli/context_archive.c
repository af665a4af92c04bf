/* Contexts as archives: the few bytes of ustar that docker's exports are made of. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/context.h"

#include <fcntl.h>

enum { BLOCK = 512, FILE_MAX = 1024 * 1024 };

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6],
        version[2], more[247];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

static unsigned checksum(const struct header *h)
{
    unsigned sum = 0;

    for (size_t i = 0; i < BLOCK; i++) {
        bool own = i >= offsetof(struct header, checksum) && i < offsetof(struct header, type);

        sum += own ? ' ' : ((const unsigned char *)h)[i];
    }
    return sum;
}

static void add_entry(struct buf *out, const char *name, const void *data, size_t len)
{
    bool directory = str_ends(name, "/");
    struct header h = {.type = directory ? '5' : '0', .magic = "ustar", .version = {'0', '0'}};

    snprintf(h.name, sizeof(h.name), "%s", name);
    snprintf(h.mode, sizeof(h.mode), "%07o", directory ? 0700u : str_eq(name, "meta.json") ? 0644u : 0600u);
    snprintf(h.uid, sizeof(h.uid), "%07o", 0u);
    snprintf(h.gid, sizeof(h.gid), "%07o", 0u);
    snprintf(h.size, sizeof(h.size), "%011zo", len);
    snprintf(h.mtime, sizeof(h.mtime), "%011o", 0u);
    snprintf(h.checksum, sizeof(h.checksum), "%06o", checksum(&h));
    h.checksum[7] = ' ';
    buf_append(out, &h, sizeof(h));
    buf_append(out, data, len);
    while (out->len % BLOCK && !buf_failed(out))
        buf_putc(out, '\0');
}

int context_pack(struct cli *cli, const char *name, struct buf *out, struct err *err)
{
    static const char end[2 * BLOCK];
    _cleanup_json_ json_t *meta = context_load(cli, name, err);
    _cleanup_free_ char *text = meta ? json_text(meta) : NULL;

    if (!text)
        return -1;
    add_entry(out, "meta.json", text, strlen(text));
    add_entry(out, "tls/", NULL, 0);
    for (const char *const *file = context_tls_names, *entry = NULL; *file; file++) {
        _cleanup_free_ char *path = context_tls_file(cli, name, *file),
                            *inside = xasprintf("tls/docker/%s", *file);
        _cleanup_(buf_finish) struct buf data = BUF_INIT(FILE_MAX);
        int r = path ? file_read(AT_FDCWD, path, &data) : 0;

        if (r < 0)
            return err_errno(err, r, "cannot read %s", path);
        if (!path)
            continue;
        if (!entry)
            add_entry(out, entry = "tls/docker/", NULL, 0);
        add_entry(out, inside, buf_str(&data), data.len);
    }
    buf_append(out, end, sizeof(end));
    return buf_failed(out) ? err_set(err, ERR_SYSTEM, "the context is too large") : 0;
}

/* ---- unpacking ---- */

static int take_entry(struct cli *cli, const char *name, const char *entry, const char *data, size_t len,
                      json_t **meta, struct err *err)
{
    const char *file = str_after(entry, "tls/docker/");

    if (str_eq(entry, "meta.json")) {
        json_decref(*meta);
        *meta = json_parse(data, len, "meta.json", err);
        return *meta ? 0 : -1;
    }
    for (const char *const *known = context_tls_names; file && *known; known++)
        if (str_eq(file, *known))
            return context_tls_save(cli, name, *known, data, len, err);
    if (str_ends(entry, "/") || str_starts(entry, "tls/"))
        return 0; /* other endpoints' */
    return err_set(err, ERR_INVALID, "%s: unexpected context file", entry);
}

int context_unpack(struct cli *cli, const char *name, const char *archive, size_t len, struct err *err)
{
    _cleanup_json_ json_t *meta = NULL;
    int r = 0;

    if (len >= 4 && memcmp(archive, "PK\3\4", 4) == 0)
        return err_set(err, ERR_NOT_IMPLEMENTED, "the context is a zip file: only tar archives are imported");
    for (size_t at = 0; r == 0 && at < len;) {
        const struct header *h = (const void *)(archive + at);
        char entry[sizeof(h->name) + 1], size[sizeof(h->size) + 1];
        size_t bytes;

        if (len - at < BLOCK)
            return err_set(err, ERR_INVALID, "unexpected EOF");
        if (!h->name[0])
            break;
        snprintf(entry, sizeof(entry), "%.*s", (int)sizeof(h->name), h->name);
        snprintf(size, sizeof(size), "%.*s", (int)sizeof(h->size), h->size);
        bytes = strtoull(size, NULL, 8);
        if (strtoul(h->checksum, NULL, 8) != checksum(h) || bytes > FILE_MAX)
            return err_set(err, ERR_INVALID, "the context is no tar archive");
        if (len - at - BLOCK < bytes)
            return err_set(err, ERR_INVALID, "unexpected EOF");
        r = take_entry(cli, name, entry, archive + at + BLOCK, bytes, &meta, err);
        at += BLOCK + (bytes + BLOCK - 1) / BLOCK * BLOCK;
    }
    if (r == 0 && !json_is_object(meta))
        r = err_set(err, ERR_INVALID, "invalid context: no metadata found");
    if (r == 0) {
        json_set_str(meta, "Name", name);
        r = context_save(cli, meta, err);
    }
    if (r < 0)
        context_tls_reset(cli, name);
    return r;
}
