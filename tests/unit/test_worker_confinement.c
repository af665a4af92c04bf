/* Workers made to try: each shuts itself in as it does before it reads a stranger's first byte, and then does everything to get
 * out (escape.c). Beside it stands who isn't shut in, to whom most of it is open. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "escape.h"
#include "image/worker/privileges.h"
#include "storage/worker/sandbox.h"

static struct escape_host host;

static int say(const struct err *err)
{
    fprintf(stderr, "%s\n", err->message);
    return -1;
}

static int open_dir(const struct escape_host *h, const char *name, int number)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", h->dir, name);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd == number ? take_fd(&fd) : dup2(fd, number);
}

static int open_file(int number)
{
    _cleanup_close_ int fd = memfd_create("output", MFD_CLOEXEC);

    return fd == number ? take_fd(&fd) : dup2(fd, number);
}

/* overlay wants an empty one each time. */
static int fresh_dir(const struct escape_host *h, int number)
{
    char name[40];
    _cleanup_free_ char *path = NULL;

    snprintf(name, sizeof(name), "work/%d", getpid());
    path = xasprintf("%s/%s", h->dir, name);
    return mkdir(path, 0700) < 0 ? -1 : open_dir(h, name, number);
}

/* ---- How each shuts itself in ---- */

static int as_unpack(const struct escape_host *h)
{
    const struct sandbox_root root = {.tree = open_dir(h, "layer", 3), .work = -EBADF};
    struct err err = {};

    return sandbox_enter(&root, 3, &err) < 0 || sandbox_seal(&err) < 0 ? say(&err) : 0;
}

static int as_pack(const struct escape_host *h)
{
    const struct sandbox_root root = {.tree = open_dir(h, "layer", 3), .read_only = true, .work = -EBADF};
    struct err err = {};

    return sandbox_enter(&root, 3, &err) < 0 || sandbox_seal(&err) < 0 ? say(&err) : 0;
}

static int as_settle(const struct escape_host *h)
{
    const int lower[] = {open_dir(h, "lower", 5), open_dir(h, "empty", 6)};
    const struct sandbox_root root = {.tree = open_dir(h, "layer", 3),
                                      .at = "layer",
                                      .work = fresh_dir(h, 4),
                                      .lower = lower,
                                      .n_lower = 2,
                                      .below = true};
    struct err err = {};

    return sandbox_enter(&root, 3, &err) < 0 || sandbox_seal(&err) < 0 ? say(&err) : 0;
}

static int as_export(const struct escape_host *h)
{
    const int lower[] = {open_dir(h, "layer", 3), open_dir(h, "lower", 4)};
    const struct sandbox_root root = {.tree = -EBADF, .work = -EBADF, .lower = lower, .n_lower = 2};
    struct err err = {};

    return sandbox_enter(&root, 3, &err) < 0 || sandbox_seal(&err) < 0 ? say(&err) : 0;
}

static int as_apply(const struct escape_host *h)
{
    const int lower[] = {open_dir(h, "lower", 4)};
    const struct sandbox_root root = {
        .tree = open_dir(h, "layer", 3), .at = "layer", .work = -EBADF, .lower = lower, .n_lower = 1};
    struct err err = {};

    return sandbox_enter(&root, 3, &err) < 0 || sandbox_seal(&err) < 0 ? say(&err) : 0;
}

static int as_compare(const struct escape_host *h)
{
    const int lower[] = {open_dir(h, "lower", 4), open_dir(h, "empty", 5)};
    const struct sandbox_root root = {.tree = open_dir(h, "layer", 3),
                                      .read_only = true,
                                      .at = "layer",
                                      .work = -EBADF,
                                      .lower = lower,
                                      .n_lower = 2};
    struct err err = {};

    return sandbox_enter(&root, 3, &err) < 0 || sandbox_seal(&err) < 0 ? say(&err) : 0;
}

/* digest and erofs: the tree read-only, and a file for the image that they may read and write. */
static int as_erofs(const struct escape_host *h)
{
    const int image = open_file(3);
    const struct sandbox_root root = {.tree = open_dir(h, "layer", 4), .read_only = true, .work = -EBADF};
    struct err err = {};

    if (image < 0)
        return -1;
    return sandbox_enter(&root, 4, &err) < 0 || sandbox_seal(&err) < 0 ? say(&err) : 0;
}

/* compress and expand: what they write to has come from kegd before they shut themselves in. */
static int as_transform(const struct escape_host *h _unused_)
{
    struct err err = {};

    if (open_file(3) < 0)
        return -1;
    close_range(4, ~0U, 0);
    return privileges_drop(0, &err) < 0 || privileges_confine(&err) < 0 ? say(&err) : 0;
}

static int as_archive(const struct escape_host *h _unused_)
{
    struct err err = {};

    close_range(3, ~0U, 0);
    return privileges_drop(0, &err) < 0 || privileges_confine(&err) < 0 ? say(&err) : 0;
}

static int as_registry(const struct escape_host *h _unused_)
{
    struct err err = {};

    close_range(3, ~0U, 0);
    return privileges_drop(0, &err) < 0 || privileges_confine_client(&err) < 0 ? say(&err) : 0;
}

/* ---- */

static void assert_held(const char *who, int (*shut_in)(const struct escape_host *h), unsigned allowed)
{
    int tried, through = escape_try_all(&host, shut_in, allowed, &tried);

    printf("%s: %d attempts, %d got through\n", who, tried, through);
    assert_true(tried > 70);
    assert_int_equal(through, 0);
}

static void test_layer(void **state _unused_)
{
    assert_held("keg-layer unpack", as_unpack, 0);
    assert_held("keg-layer pack", as_pack, 0);
    assert_held("keg-layer settle", as_settle, 0);
    assert_held("keg-layer export", as_export, 0);
    assert_held("keg-layer apply", as_apply, 0);
    assert_held("keg-layer compare", as_compare, 0);
    assert_held("keg-layer erofs, digest", as_erofs, 0);
}

static void test_archive(void **state _unused_)
{
    assert_held("keg-archive", as_archive, 0);
    assert_held("keg-archive compress, expand", as_transform, 0);
}

static void test_registry(void **state _unused_)
{
    unsigned allowed = ESCAPE_NETWORK;

    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* its version */) < 1) {
        puts("this kernel has no Landlock: what everybody may read, keg-registry may read");
        allowed |= ESCAPE_READ;
    }
    assert_held("keg-registry", as_registry, allowed);
}

/* Without walls the sentinel is open: the attempts aim at something. */
static int as_nobody(const struct escape_host *h _unused_)
{
    struct err err = {};

    return privileges_drop(0, &err) < 0 ? say(&err) : 0;
}

static void test_attempts(void **state _unused_)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        if (as_nobody(&host) < 0)
            _exit(1);
        _exit(openat(AT_FDCWD, host.file, O_RDWR) >= 0 && kill(host.victim, 0) == 0 ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int group_setup(void **state _unused_)
{
    return escape_set_up(&host);
}

static int group_teardown(void **state _unused_)
{
    escape_tear_down(&host);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_layer),
        cmocka_unit_test(test_archive),
        cmocka_unit_test(test_registry),
    };

    if (geteuid() != 0) {
        puts("needs root");
        return 77; /* skipped */
    }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    puts("a sanitizer's own system calls leave no room for filters");
    return 77;
#endif
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
