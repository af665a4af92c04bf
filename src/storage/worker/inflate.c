/* Decompression: one row per format. ISA-L inflates 2.5 times as fast as zlib. */
#include "storage/worker/inflate.h"

#include <bzlib.h>
#include <isa-l/igzip_lib.h>
#include <lzma.h>
#include <string.h>
#include <zstd.h>

/* xz -9 asks for 65 MiB; a stranger's header may ask for 4 GiB. */
enum { XZ_MEMORY_MAX = 256 * 1024 * 1024 };

struct format {
    const char *name;
    uint8_t magic[INFLATE_MAGIC_SIZE];
    uint8_t magic_len;
    uint8_t mask_first; /* of the first byte */
    bool foreign;       /* no media type of layers tells of it */
    bool (*init)(struct inflate *z);
    int (*run)(struct inflate *z, struct inflate_step *step, struct err *err);
};

struct inflate {
    const struct format *format;
    struct inflate_state *gzip;
    struct isal_gzip_header
        header; /* kept: isal_inflate's own forgets between calls what a header in pieces had */
    bool in_header;
    ZSTD_DStream *zstd;
    lzma_stream xz;
    bz_stream bzip2;
    bool begun;  /* inside a member or frame */
    bool padded; /* only zeros may follow */
};

/* At the start of a member. */
static void gzip_begin(struct inflate *z)
{
    isal_inflate_reset(z->gzip);
    z->gzip->crc_flag = ISAL_GZIP_NO_HDR_VER; /* the header is read here; checksum and length are verified */
    z->header = (struct isal_gzip_header){};
    isal_gzip_header_init(&z->header);
    z->begun = z->in_header = true;
}

static bool gzip_init(struct inflate *z)
{
    z->gzip = xcalloc(1, sizeof(*z->gzip));
    isal_inflate_init(z->gzip);
    gzip_begin(z);
    return true;
}

/* Between members: 1 when the next one begins, 0 for the padding that tapes and some registries leave. */
static int between(struct inflate *z, struct inflate_step *step, struct err *err)
{
    while (step->in_len > 0 && *step->in == 0) {
        z->padded = true;
        step->in++;
        step->in_len--;
    }
    if (step->in_len == 0)
        return 0;
    if (z->padded || *step->in != z->format->magic[0])
        return err_set(err, ERR_INVALID, "there is garbage behind the %s stream", z->format->name);
    return 1;
}

/* What is left of the header: 1, or 0 when more input has to come. */
static int gzip_header(struct inflate *z, struct inflate_step *step, struct err *err)
{
    int r;

    z->gzip->next_in = (uint8_t *)step->in;
    z->gzip->avail_in = (uint32_t)step->in_len;
    r = isal_read_gzip_header(z->gzip, &z->header);
    step->in = z->gzip->next_in;
    step->in_len = z->gzip->avail_in;
    if (r == ISAL_END_INPUT)
        return 0;
    if (r != ISAL_DECOMP_OK)
        return err_set(err, ERR_INVALID, "the gzip stream is damaged (header)");
    z->in_header = false;
    return 1;
}

static int gzip_run(struct inflate *z, struct inflate_step *step, struct err *err)
{
    struct inflate_state *s = z->gzip;
    int r;

    if (!z->begun) {
        r = between(z, step, err);
        if (r <= 0)
            return r;
        gzip_begin(z);
    }
    if (z->in_header && (r = gzip_header(z, step, err)) <= 0)
        return r;
    s->next_in = (uint8_t *)step->in;
    s->avail_in = (uint32_t)step->in_len;
    s->next_out = step->out;
    s->avail_out = (uint32_t)step->out_len;
    r = isal_inflate(s);
    step->in = s->next_in;
    step->in_len = s->avail_in;
    step->out = s->next_out;
    step->out_len = s->avail_out;
    if (r == ISAL_INCORRECT_CHECKSUM)
        return err_set(err, ERR_INVALID, "the gzip stream is damaged (checksum)");
    if (r < 0)
        return err_set(err, ERR_INVALID, "the gzip stream is damaged");
    if (s->block_state == ISAL_BLOCK_FINISH)
        z->begun = false;
    return 0;
}

static bool zstd_init(struct inflate *z)
{
    z->zstd = ZSTD_createDStream();
    return z->zstd != NULL;
}

static int zstd_run(struct inflate *z, struct inflate_step *step, struct err *err)
{
    ZSTD_inBuffer in = {step->in, step->in_len, 0};
    ZSTD_outBuffer out = {step->out, step->out_len, 0};
    size_t r;

    if (!z->begun && step->in_len == 0) /* between frames it would ask for the next one */
        return 0;
    r = ZSTD_decompressStream(z->zstd, &out, &in);
    if (ZSTD_isError(r))
        return err_set(err, ERR_INVALID, "the zstd stream is damaged: %s", ZSTD_getErrorName(r));
    z->begun = r != 0; /* 0: a frame has ended and all of it was given out */
    step->in += in.pos;
    step->in_len -= in.pos;
    step->out += out.pos;
    step->out_len -= out.pos;
    return 0;
}

static bool xz_init(struct inflate *z)
{
    z->begun = lzma_stream_decoder(&z->xz, XZ_MEMORY_MAX, 0) == LZMA_OK;
    return z->begun;
}

static int xz_run(struct inflate *z, struct inflate_step *step, struct err *err)
{
    lzma_ret r;

    if (!z->begun) {
        int more = between(z, step, err);

        if (more <= 0)
            return more;
        if (!xz_init(z))
            return err_errno(err, ENOMEM, "cannot start decompressing");
    }
    z->xz.next_in = step->in;
    z->xz.avail_in = step->in_len;
    z->xz.next_out = step->out;
    z->xz.avail_out = step->out_len;
    r = lzma_code(&z->xz, LZMA_RUN);
    step->in = z->xz.next_in;
    step->in_len = z->xz.avail_in;
    step->out = z->xz.next_out;
    step->out_len = z->xz.avail_out;
    if (r == LZMA_MEMLIMIT_ERROR)
        return err_set(err, ERR_INVALID,
                       "the xz stream needs more than %d MiB of memory: recompress it with gzip or zstd",
                       XZ_MEMORY_MAX >> 20);
    if (r != LZMA_OK && r != LZMA_STREAM_END && r != LZMA_BUF_ERROR)
        return err_set(err, ERR_INVALID, "the xz stream is damaged");
    z->begun = r != LZMA_STREAM_END;
    return 0;
}

static bool bzip2_init(struct inflate *z)
{
    BZ2_bzDecompressEnd(&z->bzip2); /* of the stream before; one that isn't there is no harm */
    z->bzip2 = (bz_stream){0};
    z->begun = BZ2_bzDecompressInit(&z->bzip2, /* verbosity= */ 0, /* small= */ 0) == BZ_OK;
    return z->begun;
}

static int bzip2_run(struct inflate *z, struct inflate_step *step, struct err *err)
{
    int r;

    if (!z->begun) {
        r = between(z, step, err);
        if (r <= 0)
            return r;
        if (!bzip2_init(z))
            return err_errno(err, ENOMEM, "cannot start decompressing");
    }
    z->bzip2.next_in = (char *)step->in;
    z->bzip2.avail_in = (unsigned)step->in_len;
    z->bzip2.next_out = (char *)step->out;
    z->bzip2.avail_out = (unsigned)step->out_len;
    r = BZ2_bzDecompress(&z->bzip2);
    step->in = (const uint8_t *)z->bzip2.next_in;
    step->in_len = z->bzip2.avail_in;
    step->out = (uint8_t *)z->bzip2.next_out;
    step->out_len = z->bzip2.avail_out;
    if (r != BZ_OK && r != BZ_STREAM_END)
        return err_set(err, ERR_INVALID, "the bzip2 stream is damaged");
    z->begun = r != BZ_STREAM_END;
    return 0;
}

static bool plain_init(struct inflate *z _unused_)
{
    return true;
}

static int plain_run(struct inflate *z _unused_, struct inflate_step *step, struct err *err _unused_)
{
    size_t n = MIN_OF(step->in_len, step->out_len);

    memcpy(step->out, step->in, n);
    step->in += n;
    step->in_len -= n;
    step->out += n;
    step->out_len -= n;
    return 0;
}

/* To add a format: a row. The last one takes everything. */
static const struct format formats[] = {
    {"gzip", {0x1f, 0x8b}, 2, 0xff, false, gzip_init, gzip_run},
    {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, 0xff, false, zstd_init, zstd_run},
    {"zstd",
     {0x50, 0x2a, 0x4d, 0x18},
     4,
     0xf0,
     false,
     zstd_init,
     zstd_run}, /* begins with a skippable frame */
    {"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, 0xff, true, xz_init, xz_run},
    {"bzip2", {'B', 'Z', 'h'}, 3, 0xff, true, bzip2_init, bzip2_run},
    {"plain", {0}, 0, 0, false, plain_init, plain_run},
};

static const struct format *find_format(const uint8_t *start, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(formats) - 1; i++) {
        const struct format *f = &formats[i];

        if (len >= f->magic_len && (start[0] & f->mask_first) == f->magic[0] &&
            memcmp(start + 1, f->magic + 1, f->magic_len - 1U) == 0)
            return f;
    }
    return &formats[ARRAY_SIZE(formats) - 1];
}

struct inflate *inflate_new(const uint8_t *start, size_t len, struct err *err)
{
    const struct format *format = find_format(start, len);
    struct inflate *z;

    z = xcalloc(1, sizeof(*z));
    z->format = format;
    if (!format->init(z)) {
        err_errno(err, ENOMEM, "cannot start decompressing");
        inflate_free(z);
        return NULL;
    }
    return z;
}

void inflate_free(struct inflate *z)
{
    if (!z)
        return;
    free(z->gzip);
    ZSTD_freeDStream(z->zstd);
    lzma_end(&z->xz);
    BZ2_bzDecompressEnd(&z->bzip2);
    free(z);
}

bool inflate_is_foreign(const uint8_t *start, size_t len)
{
    return find_format(start, len)->foreign;
}

bool inflate_is_plain(const struct inflate *z)
{
    return z->format->run == plain_run;
}

int inflate_run(struct inflate *z, struct inflate_step *step, struct err *err)
{
    return z->format->run(z, step, err);
}

int inflate_end(const struct inflate *z, struct err *err)
{
    if (z->begun)
        return err_set(err, ERR_INVALID, "the %s stream is truncated", z->format->name);
    return 0;
}
