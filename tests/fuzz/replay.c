/* Runs a fuzz entry without a fuzzer: over each corpus file as it is, cut at every length, with every byte changed in a
 * few ways. Deterministic, so a failure comes again. With clang, link the entry with -fsanitize=fuzzer instead. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX = 64 * 1024, MUTATED_MAX = 4096 };

/* The entry gets a copy of exactly that size, so that tools see a read past its end. */
static void run_once(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_mutated(uint8_t *data, size_t size)
{
    static const uint8_t masks[] = {0x01, 0x20, 0x80, 0xff};

    for (size_t len = 0; len < size; len++)
        run_once(data, len);
    for (size_t i = 0; i < size; i++)
        for (size_t m = 0; m < sizeof(masks); m++) {
            data[i] ^= masks[m];
            run_once(data, size);
            data[i] ^= masks[m];
        }
}

int main(int argc, char **argv)
{
    static uint8_t data[FILE_MAX];

    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        size_t size;

        if (!file) {
            perror(argv[i]);
            return 1;
        }
        size = fread(data, 1, sizeof(data), file);
        fclose(file);
        run_once(data, size);
        if (size <= MUTATED_MAX)
            run_mutated(data, size);
    }
    if (argc < 2)
        fprintf(stderr, "usage: %s CORPUS-FILE…\n", argv[0]);
    return argc < 2;
}
