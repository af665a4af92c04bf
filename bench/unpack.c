/* The floor of a pull: gzip layers become trees with all cores, and nothing else: no registry, no digests, no limits, no
 * owners or times, no sandbox, nothing kept of the compressed bytes.
 *
 *     unpack DIRECTORY LAYER…        each layer into a directory of its own; two threads a layer
 *     unpack -s DIRECTORY LAYER…     the same, and at the end all of it is on the disk
 *
 * Reads layers with plain ustar headers alone: files and directories. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAR_BLOCK = 512, PIECE = 256 * 1024, N_PIECES = 8, PATH_SIZE = 256 };

struct layer {
    const char *file;
    int dir;
    pthread_t inflater, writer;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint8_t *pieces;
    size_t lens[N_PIECES];
    unsigned filled, taken;
    int ended;
    size_t at; /* the writer's place in its piece */
    char parent[PATH_SIZE];
};

static void ring_step(struct layer *l, unsigned *counter)
{
    pthread_mutex_lock(&l->lock);
    ++*counter;
    pthread_cond_signal(&l->moved);
    pthread_mutex_unlock(&l->lock);
}

static void *inflate(void *arg)
{
    struct layer *l = arg;
    struct inflate_state state;
    struct stat st;
    int fd = open(l->file, O_RDONLY);
    void *in;

    if (fd < 0 || fstat(fd, &st) < 0 ||
        (in = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0)) == MAP_FAILED)
        err(1, "%s", l->file);
    isal_inflate_init(&state);
    state.crc_flag = ISAL_GZIP;
    state.next_in = in;
    state.avail_in = st.st_size;
    while (state.block_state != ISAL_BLOCK_FINISH) {
        pthread_mutex_lock(&l->lock);
        while (l->filled - l->taken == N_PIECES)
            pthread_cond_wait(&l->moved, &l->lock);
        pthread_mutex_unlock(&l->lock);
        state.next_out = l->pieces + (size_t)(l->filled % N_PIECES) * PIECE;
        state.avail_out = PIECE;
        if (isal_inflate(&state) != ISAL_DECOMP_OK || state.avail_out == PIECE)
            errx(1, "%s: damaged", l->file);
        l->lens[l->filled % N_PIECES] = PIECE - state.avail_out;
        ring_step(l, &l->filled);
    }
    pthread_mutex_lock(&l->lock);
    l->ended = 1;
    pthread_cond_signal(&l->moved);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* At most `max` bytes that come next; 0 at the end. */
static size_t take(struct layer *l, size_t max, const uint8_t **ret)
{
    unsigned i = l->taken % N_PIECES;
    size_t n;

    if (l->at > 0 && l->at == l->lens[i]) {
        l->at = 0;
        ring_step(l, &l->taken);
        i = l->taken % N_PIECES;
    }
    pthread_mutex_lock(&l->lock);
    while (l->taken == l->filled && !l->ended)
        pthread_cond_wait(&l->moved, &l->lock);
    n = l->taken == l->filled ? 0 : l->lens[i] - l->at;
    pthread_mutex_unlock(&l->lock);
    n = n < max ? n : max;
    *ret = l->pieces + (size_t)i * PIECE + l->at;
    l->at += n;
    return n;
}

static void make_parents(struct layer *l, const char *path)
{
    const char *name = strrchr(path, '/');
    char dir[PATH_SIZE];

    snprintf(dir, sizeof(dir), "%.*s", name ? (int)(name - path) : 0, path);
    if (strcmp(dir, l->parent) == 0)
        return;
    for (char *slash = strchr(dir, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (strncmp(dir, l->parent, strlen(dir)) != 0)
            mkdirat(l->dir, dir, 0755);
        *slash = '/';
    }
    mkdirat(l->dir, dir, 0755);
    strcpy(l->parent, dir);
}

static void write_file(struct layer *l, const char *path, size_t size)
{
    const uint8_t *data;
    size_t n, left = (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    int fd;

    make_parents(l, path);
    fd = openat(l->dir, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        err(1, "%s", path);
    for (; left > 0 && (n = take(l, left, &data)) > 0; left -= n) {
        size_t wanted = n < size ? n : size;

        if (wanted && write(fd, data, wanted) != (ssize_t)wanted)
            err(1, "%s", path);
        size -= wanted;
    }
    close(fd);
}

static void *unpack(void *arg)
{
    struct layer *l = arg;
    const uint8_t *data;
    char header[TAR_BLOCK], path[PATH_SIZE];
    size_t have = 0, n;

    while ((n = take(l, TAR_BLOCK - have, &data)) > 0) {
        memcpy(header + have, data, n);
        have += n;
        if (have < TAR_BLOCK)
            continue;
        have = 0;
        if (!header[0])
            continue;
        snprintf(path, sizeof(path), "%.100s", header);
        if (header[156] == '5')
            mkdirat(l->dir, path, 0755);
        else if (header[156] == '0')
            write_file(l, path, strtoul(header + 124, NULL, 8));
        else
            errx(1, "%s: neither a file nor a directory", path);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int sync = argc > 1 && strcmp(argv[1], "-s") == 0, n = argc - sync - 2;
    const char *place = argv[1 + sync];
    struct layer *layers;

    if (n < 1 || (mkdir(place, 0700) < 0 && errno != EEXIST) || !(layers = calloc(n, sizeof(*layers))))
        return 2;
    for (int i = 0; i < n; i++) {
        struct layer *l = &layers[i];
        char name[PATH_SIZE];

        l->file = argv[2 + sync + i];
        l->pieces = malloc((size_t)N_PIECES * PIECE);
        pthread_mutex_init(&l->lock, NULL);
        pthread_cond_init(&l->moved, NULL);
        snprintf(name, sizeof(name), "%s/%d", place, i);
        if (!l->pieces || mkdir(name, 0755) < 0 || (l->dir = open(name, O_RDONLY | O_DIRECTORY)) < 0 ||
            pthread_create(&l->inflater, NULL, inflate, l) != 0 ||
            pthread_create(&l->writer, NULL, unpack, l) != 0)
            err(1, "%s", name);
    }
    for (int i = 0; i < n; i++)
        pthread_join(layers[i].writer, NULL);
    if (sync && syncfs(layers[0].dir) < 0)
        err(1, "%s", place);
    return 0;
}
