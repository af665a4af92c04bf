/* Fuzz entry: a tar stream, given to the reader in pieces of changing size. */
#include "tar_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *original, size_t size)
{
    _cleanup_free_ uint8_t *data = fuzz_mend_tar(original, size);
    struct fuzz_pieces pieces = {.data = data, .left = size};
    const struct tar_input input = fuzz_input(&pieces);
    _cleanup_(tar_reader_free_p) struct tar_reader *reader = tar_reader_new(&input);
    const struct tar_entry *e;
    struct err err;

    while (tar_reader_next(reader, &e, &err) > 0) {
        const uint8_t *piece;
        int64_t offset, end = 0;
        ssize_t n;

        while ((n = tar_reader_data(reader, &piece, &offset, &err)) > 0) {
            if (offset < end || offset + n > e->size) /* pieces are ordered and inside the file */
                abort();
            end = offset + n;
        }
    }
    return 0;
}
