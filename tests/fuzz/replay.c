/* Runs a fuzz entry without a fuzzer: over each corpus file as it is, cut at every length, with every byte changed in a
 * few ways; then, with --seconds=N, over mutations by chance, which --seed=N begins elsewhere. Deterministic, so a failure
 * comes again; the input that failed is left in fuzz-crash. With clang, the option "fuzzer" takes libFuzzer instead. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX = 64 * 1024, MUTATED_MAX = 4096, CORPUS_MAX = 64 };

static struct {
    uint8_t *data;
    size_t size;
} corpus[CORPUS_MAX];
static size_t n_corpus;

static const uint8_t *running;
static size_t running_size;
static uint64_t state = 0x9e3779b97f4a7c15;

static void keep_input(int signal)
{
    int fd = open("fuzz-crash", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n = write(fd, running, running_size);

    _exit(128 + signal + (n < 0));
}

/* The entry gets a copy of exactly that size, so that tools see a read past its end. */
static void run_once(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    memcpy(copy, data, size);
    running = data;
    running_size = size;
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

/* ---- By chance ---- */

static size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? (size_t)(state % n) : 0;
}

/* Copies a piece of `from` over or into `to`. */
static size_t put_piece(uint8_t *to, size_t size, const uint8_t *from, size_t from_size, int insert)
{
    size_t at = below(size + 1), start = below(from_size), len = below(from_size - start) % 600 + 1;

    len = len > from_size - start ? from_size - start : len;
    if (!insert) {
        len = len > size - at ? size - at : len;
        memmove(to + at, from + start, len);
        return size;
    }
    len = len > FILE_MAX - size ? FILE_MAX - size : len;
    memmove(to + at + len, to + at, size - at);
    memcpy(to + at, from + start, len);
    return size + len;
}

static size_t mutate(uint8_t *data, size_t size)
{
    static const uint8_t odd[] = {0,   1,   0x7f, 0x80, 0xff, ' ', '\n', '"',
                                  '/', '.', '-',  '0',  '9',  '{', '[',  '='};
    const size_t other = below(n_corpus), at = below(size), len = below(size - at) % 64 + 1;

    switch (size ? below(7) : 6) {
    case 0:
        data[at] ^= (uint8_t)(1U << below(8));
        return size;
    case 1:
        data[at] = odd[below(sizeof(odd))];
        return size;
    case 2:
        data[at] = (uint8_t)below(256);
        return size;
    case 3: /* taken away */
        memmove(data + at, data + at + len, size - at - (len > size - at ? size - at : len));
        return size - (len > size - at ? size - at : len);
    case 4: /* one byte many times */
        memset(data + at, odd[below(sizeof(odd))], len > size - at ? size - at : len);
        return size;
    case 5:
        return put_piece(data, size, corpus[other].data, corpus[other].size, 0);
    default:
        return put_piece(data, size, corpus[other].data, corpus[other].size, 1);
    }
}

static long long now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void run_random(unsigned seconds)
{
    static uint8_t data[FILE_MAX];
    const long long end = now_ms() + 1000LL * seconds;
    unsigned long long runs = 0;

    while (n_corpus > 0 && (runs % 16 || now_ms() < end)) {
        size_t i = below(n_corpus), size = corpus[i].size, times = 1 + below(6);

        memcpy(data, corpus[i].data, size);
        while (times-- > 0)
            size = mutate(data, size);
        run_once(data, size);
        runs++;
    }
    printf("%llu runs by chance\n", runs);
}

static void take_file(const char *path)
{
    static uint8_t data[FILE_MAX];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (!file) {
        perror(path);
        exit(1);
    }
    size = fread(data, 1, sizeof(data), file);
    fclose(file);
    run_once(data, size);
    if (size <= MUTATED_MAX)
        run_mutated(data, size);
    if (n_corpus == CORPUS_MAX)
        return;
    corpus[n_corpus].data = malloc(size ? size : 1);
    if (!corpus[n_corpus].data)
        abort();
    memcpy(corpus[n_corpus].data, data, size);
    corpus[n_corpus++].size = size;
}

int main(int argc, char **argv)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    unsigned seconds = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: %s [--seconds=N] [--seed=N] CORPUS-FILE…\n", argv[0]);
        return 1;
    }
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        signal(signals[i], keep_input);
    for (int i = 1; i < argc; i++)
        if (sscanf(argv[i], "--seconds=%u", &seconds) != 1 && sscanf(argv[i], "--seed=%lu", &state) != 1)
            take_file(argv[i]);
    run_random(seconds);
    return 0;
}
