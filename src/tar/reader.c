/* Reads a tar stream; see the header for what and why. */
#include "tar/reader.h"

#include <stddef.h>
#include <string.h>

#include "tar/format.h"
#include "tar/number.h"
#include "tar/pax.h"

struct tar_reader {
    struct tar_input input;
    struct tar_entry entry;
    struct tar_pax pax;
    int64_t left;       /* bytes of the entry's data still in the stream */
    int64_t padding;    /* bytes behind them, up to a whole block */
    size_t pending;     /* bytes given out by tar_reader_data and not yet consumed */
    size_t segment;     /* where we are in the sparse map… */
    int64_t in_segment; /* …and in that segment, or in the whole file */
    bool ended;
};

struct tar_reader *tar_reader_new(const struct tar_input *input)
{
    struct tar_reader *r = xcalloc(1, sizeof(*r));

    r->input = *input;
    r->pax = (struct tar_pax)TAR_PAX_INIT;
    return r;
}

static void entry_finish(struct tar_reader *r)
{
    free(r->entry.path);
    free(r->entry.link);
    r->entry = (struct tar_entry){};
    tar_pax_finish(&r->pax); /* owns the entry's attributes and map */
}

void tar_reader_free(struct tar_reader *r)
{
    if (!r)
        return;
    entry_finish(r);
    free(r);
}

/* ---- Bytes ---- */

/* Reads n bytes; fewer only at the end of the input. Their number, or -1. */
static ssize_t read_some(struct tar_reader *r, void *data, size_t n, struct err *err)
{
    size_t done = 0;

    while (done < n) {
        const uint8_t *span;
        ssize_t have = r->input.span(r->input.arg, &span, err);
        size_t take;

        if (have < 0)
            return -1;
        if (have == 0)
            break;
        take = MIN_OF((size_t)have, n - done);
        memcpy((char *)data + done, span, take);
        r->input.consume(r->input.arg, take);
        done += take;
    }
    return (ssize_t)done;
}

static int read_exactly(struct tar_reader *r, void *data, size_t n, struct err *err)
{
    ssize_t have = read_some(r, data, n, err);

    if (have >= 0 && (size_t)have < n)
        return err_set(err, ERR_INVALID, "the archive is truncated");
    return have < 0 ? -1 : 0;
}

static int skip(struct tar_reader *r, int64_t n, struct err *err)
{
    while (n > 0) {
        const uint8_t *span;
        ssize_t have = r->input.span(r->input.arg, &span, err);

        if (have < 0)
            return -1;
        if (have == 0)
            return err_set(err, ERR_INVALID, "the archive is truncated");
        have = MIN_OF(have, n);
        r->input.consume(r->input.arg, (size_t)have);
        n -= have;
    }
    return 0;
}

/* At most TAR_SIZE_MAX. */
static void set_data(struct tar_reader *r, int64_t size)
{
    r->left = size;
    r->padding = (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

static void give_back(struct tar_reader *r)
{
    if (r->pending > 0)
        r->input.consume(r->input.arg, r->pending);
    r->pending = 0;
}

static int skip_data(struct tar_reader *r, struct err *err)
{
    int64_t n = r->left + r->padding;

    give_back(r);
    r->left = r->padding = 0;
    return skip(r, n, err);
}

/* ---- Headers ---- */

static bool is_zero(const void *block)
{
    static const char zeros[TAR_BLOCK];

    return memcmp(block, zeros, TAR_BLOCK) == 0;
}

static int check_sum(const struct tar_header *h, struct err *err)
{
    const unsigned char *bytes = (const unsigned char *)h;
    const size_t at = offsetof(struct tar_header, checksum);
    int64_t want, sum = 0, sum_signed = 0; /* some old programs added signed characters */

    for (size_t i = 0; i < sizeof(*h); i++) {
        unsigned char byte = i >= at && i < at + sizeof(h->checksum) ? ' ' : bytes[i];

        sum += byte;
        sum_signed += (signed char)byte;
    }
    if (tar_number_parse(h->checksum, sizeof(h->checksum), &want) < 0 || (want != sum && want != sum_signed))
        return err_set(err, ERR_INVALID, "this is no tar archive, or a damaged one (header checksum)");
    return 0;
}

static int number(const char *field, size_t size, const char *what, int64_t *ret, struct err *err)
{
    if (tar_number_parse(field, size, ret) < 0)
        return err_set(err, ERR_INVALID, "%s is no number", what);
    return 0;
}
#define NUMBER(field, what, ret) number(field, sizeof(field), what, ret, err)

/* The data of an extended header or long name, NUL-terminated. */
static char *read_text(struct tar_reader *r, int64_t size, size_t max, struct err *err)
{
    _cleanup_free_ char *text = NULL;

    if (size < 0 || (uint64_t)size > max) {
        err_set(err, ERR_INVALID, "an extended header of %lld bytes is too long", (long long)size);
        return NULL;
    }
    text = xmalloc((size_t)size + 1);
    set_data(r, 0);
    if (read_exactly(r, text, (size_t)size, err) < 0 ||
        skip(r, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK, err) < 0)
        return NULL;
    text[size] = '\0';
    return take_ptr(&text);
}

static int check_size(int64_t size, struct err *err)
{
    if (size < 0)
        return err_set(err, ERR_INVALID, "the size is negative");
    if (size > TAR_SIZE_MAX)
        return err_set(err, ERR_INVALID, "a size of %lld bytes is impossible", (long long)size);
    return 0;
}

static int take_long_name(struct tar_reader *r, char **where, int64_t size, struct err *err)
{
    char *text = read_text(r, size, TAR_PATH_MAX + 1, err);

    if (!text)
        return -1;
    free(*where);
    *where = text;
    return 0;
}

static int take_pax(struct tar_reader *r, int64_t size, struct err *err)
{
    _cleanup_free_ char *text = read_text(r, size, TAR_PAX_MAX, err);

    return text ? tar_pax_parse(&r->pax, text, (size_t)size, err) : -1;
}

static char *header_path(const struct tar_header *h)
{
    size_t prefix_max = memcmp(h->padding + 8, "tar", 4) == 0 ? 131 /* star: times follow */ : 155;
    int name_len = (int)strnlen(h->name, sizeof(h->name));

    if (memcmp(h->magic, "ustar", 6) == 0 && h->prefix[0])
        return xasprintf("%.*s/%.*s", (int)strnlen(h->prefix, prefix_max), h->prefix, name_len, h->name);
    return xstrndup(h->name, (size_t)name_len);
}

static int fill_ids(struct tar_entry *e, const struct tar_header *h, const struct tar_pax *pax,
                    struct err *err)
{
    int64_t uid = pax->uid, gid = pax->gid, mode;

    if ((!pax->has_uid && NUMBER(h->uid, "the owner", &uid) < 0) ||
        (!pax->has_gid && NUMBER(h->gid, "the group", &gid) < 0) || NUMBER(h->mode, "the mode", &mode) < 0)
        return -1;
    /* (uid_t)-1 means "leave it" to the kernel. */
    if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
        return err_set(err, ERR_INVALID, "owner %lld:%lld is out of range", (long long)uid, (long long)gid);
    e->uid = (uint32_t)uid;
    e->gid = (uint32_t)gid;
    e->mode = (mode_t)(mode & 07777);
    return 0;
}

static int fill_device(struct tar_entry *e, const struct tar_header *h, struct err *err)
{
    int64_t major, minor;

    if (NUMBER(h->dev_major, "the device number", &major) < 0 ||
        NUMBER(h->dev_minor, "the device number", &minor) < 0)
        return -1;
    if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
        return err_set(err, ERR_INVALID, "device %lld:%lld is out of range", (long long)major,
                       (long long)minor);
    e->dev_major = (uint32_t)major;
    e->dev_minor = (uint32_t)minor;
    return 0;
}

/* Maps the header's type to ours; 0: unknown. */
static enum tar_type entry_type(const struct tar_header *h, const char *path)
{
    size_t len = strlen(path);

    switch (h->type) {
    case '\0': /* from when there was no type for directories */
        return len > 0 && path[len - 1] == '/' ? TAR_DIR : TAR_FILE;
    case '0': /* with a slash at the end, too: others see a file then, and a digest stands for one tree */
    case '7': /* contiguous */
    case 'S':
        return TAR_FILE;
    case '1' ... '6':
        return (enum tar_type)h->type;
    default:
        return 0;
    }
}

/* ---- Sparse files ---- */

static int add_gnu_fields(struct tar_reader *r, const struct tar_sparse_field *fields, size_t n,
                          struct err *err)
{
    for (size_t i = 0; i < n && fields[i].offset[0]; i++) {
        int64_t offset, len;

        if (NUMBER(fields[i].offset, "a sparse segment's offset", &offset) < 0 ||
            NUMBER(fields[i].len, "a sparse segment's length", &len) < 0 ||
            tar_pax_add_segment(&r->pax, offset, len, err) < 0)
            return -1;
    }
    return 0;
}

/* The GNU form: the map begins in the header and goes on in blocks before the data. */
static int read_gnu_map(struct tar_reader *r, const struct tar_header *h, struct err *err)
{
    struct tar_sparse_block more;
    char extended = h->gnu.extended;

    r->pax.sparse = r->pax.has_real_size = true;
    if (NUMBER(h->gnu.real_size, "the size", &r->pax.real_size) < 0 ||
        add_gnu_fields(r, h->gnu.sparse, ARRAY_SIZE(h->gnu.sparse), err) < 0)
        return -1;
    while (extended) {
        if (read_exactly(r, &more, sizeof(more), err) < 0 ||
            add_gnu_fields(r, more.sparse, ARRAY_SIZE(more.sparse), err) < 0)
            return -1;
        extended = more.extended;
    }
    return 0;
}

/* One line of a map kept in the data (pax sparse format 1.0). */
static int read_map_number(struct tar_reader *r, int64_t *used, int64_t *ret, struct err *err)
{
    char line[24];
    size_t n = 0;
    const char *stop;

    do {
        if (n == sizeof(line) || *used >= r->left)
            return err_set(err, ERR_INVALID, "the sparse map is damaged");
        if (read_exactly(r, &line[n], 1, err) < 0)
            return -1;
        ++*used;
    } while (line[n++] != '\n');
    if (tar_decimal_parse(line, line + n - 1, ret, &stop) < 0 || stop != line + n - 1)
        return err_set(err, ERR_INVALID, "the sparse map is damaged");
    return 0;
}

static int read_data_map(struct tar_reader *r, struct err *err)
{
    int64_t used = 0, count, offset, len, rest;

    if (read_map_number(r, &used, &count, err) < 0)
        return -1;
    for (int64_t i = 0; i < count; i++)
        if (read_map_number(r, &used, &offset, err) < 0 || read_map_number(r, &used, &len, err) < 0 ||
            tar_pax_add_segment(&r->pax, offset, len, err) < 0)
            return -1;
    rest = (TAR_BLOCK - used % TAR_BLOCK) % TAR_BLOCK;
    if (used + rest > r->left)
        return err_set(err, ERR_INVALID, "the sparse map is damaged");
    r->left -= used + rest;
    return skip(r, rest, err);
}

/* The map has to be ordered, disjoint, inside the file, and as long as the data that follows. */
static int check_map(const struct tar_reader *r, struct err *err)
{
    int64_t at = 0, data = 0;

    for (size_t i = 0; i < r->pax.n_segments; i++) {
        const struct tar_segment *s = &r->pax.segments[i];
        int64_t end;

        if (s->offset < at || s->len < 0 || __builtin_add_overflow(s->offset, s->len, &end) ||
            end > r->pax.real_size)
            return err_set(err, ERR_INVALID, "the sparse map doesn't fit a file of %lld bytes",
                           (long long)r->pax.real_size);
        at = end;
        data += s->len;
    }
    if (data != r->left)
        return err_set(err, ERR_INVALID, "the sparse map tells of %lld bytes, the archive holds %lld",
                       (long long)data, (long long)r->left);
    return 0;
}

static int read_map(struct tar_reader *r, const struct tar_header *h, struct err *err)
{
    if (h->type == 'S' && read_gnu_map(r, h, err) < 0)
        return -1;
    if (!r->pax.sparse)
        return 0;
    if (!r->pax.has_real_size || r->pax.real_size < 0)
        return err_set(err, ERR_INVALID, "a sparse file without a size");
    if (r->pax.sparse_in_data && read_data_map(r, err) < 0)
        return -1;
    if (check_map(r, err) < 0)
        return -1;
    if (!r->pax.segments) /* nothing but a hole */
        r->pax.segments = xcalloc(1, sizeof(*r->pax.segments));
    r->entry.size = r->pax.real_size;
    r->entry.segments = r->pax.segments;
    r->entry.n_segments = r->pax.n_segments;
    return 0;
}

/* ---- Entries ---- */

static int fill_entry(struct tar_reader *r, const struct tar_header *h, int64_t size, struct err *err)
{
    struct tar_entry *e = &r->entry;
    struct tar_pax *pax = &r->pax;

    e->type = entry_type(h, e->path);
    if (e->type == 0)
        return err_set(err, ERR_INVALID, "entries of type %s%c aren't known", h->type < ' ' ? "^" : "",
                       h->type < ' ' ? h->type + '@' : h->type);
    e->link = pax->link ? take_ptr(&pax->link) : xstrndup(h->link, strnlen(h->link, sizeof(h->link)));
    if (e->type != TAR_HARDLINK && e->type != TAR_SYMLINK)
        e->link[0] = '\0';
    if (fill_ids(e, h, pax, err) < 0)
        return -1;
    e->mtime = pax->mtime;
    e->mtime_ns = pax->mtime_ns;
    if (!pax->has_mtime && NUMBER(h->mtime, "the time", &e->mtime) < 0)
        return -1;
    if ((e->type == TAR_CHAR || e->type == TAR_BLOCKDEV) && fill_device(e, h, err) < 0)
        return -1;
    e->xattrs = pax->xattrs;
    e->n_xattrs = pax->n_xattrs;
    /* A size that anything else states is of something else: of a link's target, of what a directory may take up. Data
     * follows files alone. */
    set_data(r, e->type == TAR_FILE ? size : 0);
    if (e->type != TAR_FILE)
        return 0;
    e->size = size;
    return read_map(r, h, err);
}

/* Takes in one header block: 1 when it (with what was before it) is an entry, 0 when more is to come. */
static int take_header(struct tar_reader *r, const struct tar_header *h, struct err *err)
{
    int64_t size;

    if (NUMBER(h->size, "the size", &size) < 0)
        return -1;
    switch (h->type) {
    case 'x':
    case 'X': /* Solaris */
        return take_pax(r, size, err);
    case 'L':
        return take_long_name(r, &r->pax.path, size, err);
    case 'K':
        return take_long_name(r, &r->pax.link, size, err);
    case 'g': /* speaks of the whole archive: nothing in it that a layer has */
    case 'V': /* GNU volume label */
        if (check_size(size, err) < 0)
            return -1;
        set_data(r, size);
        return skip_data(r, err);
    default:
        break;
    }
    r->entry.path = r->pax.path ? take_ptr(&r->pax.path) : header_path(h);
    if (r->pax.has_size)
        size = r->pax.size;
    if (check_size(size, err) < 0 || fill_entry(r, h, size, err) < 0)
        return err_wrap(err, "%s", r->entry.path);
    return 1;
}

int tar_reader_next(struct tar_reader *r, const struct tar_entry **ret, struct err *err)
{
    if (r->ended)
        return 0;
    if (skip_data(r, err) < 0)
        return r->entry.path ? err_wrap(err, "%s", r->entry.path) : -1;
    entry_finish(r);
    r->segment = 0;
    r->in_segment = 0;
    for (bool extended = false;; extended = true) {
        struct tar_header h;
        ssize_t n = read_some(r, &h, sizeof(h), err);
        int done;

        if (n < 0)
            return -1;
        if (n == 0 && !extended) { /* without the two zero blocks: written so by some, read so by all */
            r->ended = true;
            return 0;
        }
        if (n != sizeof(h))
            return err_set(err, ERR_INVALID, "the archive is truncated");
        if (is_zero(&h)) {
            r->ended = true;
            return 0;
        }
        if (check_sum(&h, err) < 0)
            return -1;
        done = take_header(r, &h, err);
        if (done < 0)
            return -1;
        if (done) {
            *ret = &r->entry;
            return 1;
        }
    }
}

ssize_t tar_reader_data(struct tar_reader *r, const uint8_t **ret_data, int64_t *ret_offset, struct err *err)
{
    const struct tar_segment *segments = r->entry.segments;
    int64_t limit = r->left;
    ssize_t have;

    give_back(r);
    if (r->left == 0 || r->entry.type != TAR_FILE)
        return 0;
    have = r->input.span(r->input.arg, ret_data, err);
    if (have < 0)
        return -1;
    if (have == 0)
        return err_set(err, ERR_INVALID, "the archive is truncated");
    *ret_offset = r->in_segment;
    if (segments) {
        while (r->in_segment == segments[r->segment].len) { /* the map was checked to have all of `left` */
            r->segment++;
            r->in_segment = 0;
        }
        *ret_offset = segments[r->segment].offset + r->in_segment;
        limit = MIN_OF(limit, segments[r->segment].len - r->in_segment);
    }
    have = MIN_OF(have, limit);
    r->left -= have;
    r->in_segment += have;
    r->pending = (size_t)have;
    return have;
}

int tar_reader_drain(struct tar_reader *r, struct err *err)
{
    const uint8_t *span;
    ssize_t have;

    give_back(r);
    while ((have = r->input.span(r->input.arg, &span, err)) > 0)
        r->input.consume(r->input.arg, (size_t)have);
    return have < 0 ? -1 : 0;
}
