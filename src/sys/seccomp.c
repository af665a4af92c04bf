/* Getting a filter (by cache or compiler) and putting it on. */
#include "sys/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <seccomp.h>

#include "base/json.h"
#include "base/str.h"
#include "sys/seccomp_internal.h"

enum { KEY_TEXT_MAX = 8 << 20 };

struct seccomp_filter *seccomp_filter_new(size_t count)
{
    struct seccomp_filter *f = xcalloc(1, sizeof(*f) + count * sizeof(f->code[0]));
    f->count = (unsigned short)count;
    return f;
}

struct seccomp_filter *seccomp_filter_free(struct seccomp_filter *f)
{
    free(f);
    return NULL;
}

bool seccomp_is_default(const json_t *seccomp)
{
    return str_eq(json_str(seccomp, SECCOMP_PROFILE_KEY), SECCOMP_PROFILE_DEFAULT);
}

static int seccomp_key_append(const char *data, size_t len, void *arg)
{
    return buf_append(arg, data, len);
}

/* Everything that the compiled program depends on. */
static int seccomp_cache_key(const json_t *seccomp, uint64_t capabilities, struct buf *key)
{
    struct utsname host;
    const struct scmp_version *v = seccomp_version();
    if (uname(&host) < 0)
        return -errno;
    buf_printf(key, "keg %s libseccomp %u.%u.%u %s %s\n", KEG_VERSION, v->major, v->minor, v->micro,
               host.machine, host.release);
    if (seccomp_is_default(seccomp))
        seccomp_default_key(capabilities, key);
    else if (json_dump_callback(seccomp, seccomp_key_append, key, JSON_COMPACT | JSON_SORT_KEYS) < 0)
        return -EINVAL;
    return key->error;
}

/* Into the cache, by a process of its own: compiling takes a megabyte, of which the heap of one who lives long, as a monitor
 * does, would keep a part. */
static void seccomp_compile_apart(const json_t *seccomp, uint64_t capabilities, const char *cache_dir,
                                  const struct buf *key)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct seccomp_filter *f = seccomp_compile(seccomp, capabilities, NULL);
        if (f)
            seccomp_cache_store(cache_dir, key, f);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

struct seccomp_filter *seccomp_get(const json_t *seccomp, uint64_t capabilities, const char *cache_dir,
                                   struct err *err)
{
    _cleanup_(buf_finish) struct buf key = BUF_INIT(KEY_TEXT_MAX);
    if (!cache_dir || seccomp_cache_key(seccomp, capabilities, &key) < 0)
        return seccomp_compile(seccomp, capabilities, err);
    struct seccomp_filter *f = seccomp_cache_load(cache_dir, &key);
    if (f)
        return f;
    seccomp_compile_apart(seccomp, capabilities, cache_dir, &key);
    f = seccomp_cache_load(cache_dir, &key);
    return f ? f : seccomp_compile(seccomp, capabilities, err);
}

int seccomp_install(const struct seccomp_filter *f, int *ret_listener)
{
    struct sock_fprog program = {.len = f->count, .filter = (struct sock_filter *)f->code};
    unsigned flags = f->flags;
    if (f->wants_listener) {
        if (!ret_listener)
            return -EINVAL;
        flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
        if (flags & SECCOMP_FILTER_FLAG_TSYNC) /* both want the return value */
            flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
    }
    long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (r < 0)
        return -errno;
    if (f->wants_listener)
        *ret_listener = (int)r;
    else if (r > 0) /* TSYNC: the thread that couldn't follow */
        return -ESRCH;
    return 0;
}
