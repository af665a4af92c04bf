/* Blobs, leases and sweeps, over a layer store that only pretends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "image/store.h"
#include "image/store_internal.h"

/* ---- the pretended layer store: a stack of two layers ---- */

static struct storage_layer fake_layers[2];
static size_t n_fake_layers;

int storage_layer_list(struct storage *s _unused_, struct storage_layer **ret, size_t *ret_n,
                       struct err *err _unused_)
{
    *ret = xcalloc(n_fake_layers + 1, sizeof(**ret));
    memcpy(*ret, fake_layers, n_fake_layers * sizeof(**ret));
    *ret_n = n_fake_layers;
    return 0;
}

int storage_layer_remove(struct storage *s _unused_, const char *chain_id, struct err *err)
{
    for (size_t i = 0; i < n_fake_layers; i++)
        if (str_eq(fake_layers[i].parent, chain_id))
            return err_set(err, ERR_CONFLICT, "a layer stands on it");
    for (size_t i = 0; i < n_fake_layers; i++)
        if (str_eq(fake_layers[i].chain_id, chain_id))
            fake_layers[i] = fake_layers[--n_fake_layers];
    return 0;
}

static char *make_root(void)
{
    char *path = xstrdup("/tmp/keg-test-image-store.XXXXXX");

    assert_non_null(mkdtemp(path));
    return path;
}

static void remove_root(char *path)
{
    assert_int_equal(path_remove_all(AT_FDCWD, path), 0);
    free(path);
}

static void test_blobs(void **state _unused_)
{
    char *root = make_root(), digest[DIGEST_SIZE], other[DIGEST_SIZE];
    _cleanup_(buf_finish) struct buf b = BUF_INIT(100), small = BUF_INIT(3);
    _cleanup_(blob_writer_free_p) struct blob_writer *w = NULL;
    struct err err = {0};
    struct blobs *blobs = blobs_open(root, &err);
    int64_t size = 0;
    int fd;

    assert_non_null(blobs);
    assert_int_equal(blobs_put(blobs, "hello", 5, digest, &err), 0);
    assert_int_equal(blobs_put(blobs, "hello", 5, digest, &err), 0);
    assert_string_equal(digest, "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    assert_true(blobs_has(blobs, digest));
    assert_int_equal(blobs_read(blobs, digest, &b, &err), 0);
    assert_string_equal(buf_str(&b), "hello");
    assert_int_equal(blobs_read(blobs, digest, &small, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    fd = blobs_get(blobs, digest, &size, &err);
    assert_true(fd >= 0);
    assert_int_equal(size, 5);
    close(fd);
    assert_int_equal(blobs_get(blobs, "sha256:../../../etc/passwd", NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);

    w = blob_writer_new(blobs, &err);
    assert_int_equal(blob_writer_write(w, "world", 5, &err), 0);
    assert_int_equal(blob_writer_commit(w, digest, -1, NULL, &err), -1); /* other bytes than promised */
    assert_int_equal(err.kind, ERR_INVALID);
    digest_of("world", 5, other);
    assert_false(blobs_has(blobs, other));

    assert_int_equal(blobs_remove(blobs, digest, &err), 0);
    assert_int_equal(blobs_remove(blobs, digest, &err), 0);
    assert_int_equal(blobs_get(blobs, digest, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    blobs_close(blobs);
    remove_root(root);
}

static void test_damaged_blob(void **state _unused_)
{
    char *root = make_root(), digest[DIGEST_SIZE];
    _cleanup_(buf_finish) struct buf b = BUF_INIT(100);
    _cleanup_free_ char *path = NULL;
    struct err err = {0};
    struct blobs *blobs = blobs_open(root, &err);
    FILE *file;

    assert_int_equal(blobs_put(blobs, "hello", 5, digest, &err), 0);
    path = xasprintf("%s/blobs/sha256/%s", root, digest_hex(digest));
    assert_int_equal(chmod(path, 0600), 0);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("hellO", file);
    fclose(file);
    assert_int_equal(blobs_read(blobs, digest, &b, &err), -1);
    assert_non_null(strstr(err.message, "damaged on disk"));
    blobs_close(blobs);
    remove_root(root);
}

struct wanted {
    char **digests;
    int removed;
    bool cannot_tell;
};

static int is_wanted(void *arg, enum image_object kind _unused_, const char *digest)
{
    const struct wanted *w = arg;

    return w->cannot_tell ? -1 : strv_contains(w->digests, digest);
}

static void count_removed(void *arg, enum image_object kind _unused_, const char *digest _unused_,
                          int64_t size _unused_)
{
    ((struct wanted *)arg)->removed++;
}

static void fake_stack(char lower[DIGEST_SIZE], char upper[DIGEST_SIZE])
{
    digest_of("lower", 5, lower);
    digest_chain(lower, lower, upper);
    memset(fake_layers, 0, sizeof(fake_layers));
    strcpy(fake_layers[0].chain_id, lower);
    strcpy(fake_layers[1].chain_id, upper);
    strcpy(fake_layers[1].parent, lower);
    n_fake_layers = 2;
}

static void test_sweep(void **state _unused_)
{
    char *root = make_root(), leased[DIGEST_SIZE], recorded[DIGEST_SIZE], garbage[DIGEST_SIZE],
         lower[DIGEST_SIZE], upper[DIGEST_SIZE];
    struct image_store_options options = {.data_dir = root};
    struct err err = {0};
    struct image_store *store = image_store_open(&options, &err);
    struct blobs *blobs = image_store_blobs(store);
    struct wanted wanted = {0};
    struct image_sweep sweep = {is_wanted, count_removed, &wanted};
    struct image_lease *lease = image_lease_new(store), *other = image_lease_new(store);

    fake_stack(lower, upper);
    blobs_put(blobs, "leased", 6, leased, &err);
    blobs_put(blobs, "recorded", 8, recorded, &err);
    blobs_put(blobs, "garbage", 7, garbage, &err);
    image_lease_add(lease, leased);
    image_lease_add(lease, upper); /* the lower one is neither leased nor recorded, but needed by it */
    strv_push(&wanted.digests, recorded);

    wanted.cannot_tell = true;
    assert_int_equal(image_store_sweep(store, &sweep, &err), -1);
    assert_int_equal(wanted.removed, 0);
    wanted.cannot_tell = false;
    assert_int_equal(image_store_sweep(store, &sweep, &err), 0);
    assert_int_equal(wanted.removed, 1);
    assert_false(blobs_has(blobs, garbage));
    assert_true(blobs_has(blobs, leased) && blobs_has(blobs, recorded));
    assert_int_equal(n_fake_layers, 2);

    image_lease_free(lease);
    assert_int_equal(image_store_sweep(store, &sweep, &err), 0);
    assert_int_equal(wanted.removed, 4); /* both layers, the upper one first, and the blob */
    assert_int_equal(n_fake_layers, 0);
    assert_true(blobs_has(blobs, recorded));
    image_lease_free(other);
    strv_free(wanted.digests);
    image_store_close(store);
    remove_root(root);
}

static void *release_later(void *store)
{
    usleep(20000);
    image_store_unclaim(store, "sha256:x");
    return NULL;
}

static void test_claims(void **state _unused_)
{
    char *root = make_root();
    struct image_store_options options = {.data_dir = root};
    struct image_store *store = image_store_open(&options, NULL);
    pthread_t thread;

    assert_true(image_store_claim(store, "sha256:x"));
    assert_false(image_store_claim(store, "sha256:x"));
    assert_true(image_store_claim(store, "sha256:y"));
    assert_false(image_store_wait_unclaimed(store, "sha256:x", 1));
    assert_int_equal(pthread_create(&thread, NULL, release_later, store), 0);
    assert_true(image_store_wait_unclaimed(store, "sha256:x", 10000));
    pthread_join(thread, NULL);
    assert_true(image_store_claim(store, "sha256:x"));
    image_store_close(store);
    remove_root(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blobs),
        cmocka_unit_test(test_damaged_blob),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_claims),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
