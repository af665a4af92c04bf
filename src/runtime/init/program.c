/* Finding the program, its environment, and execve(). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/init/init.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *env_get(const struct spec_process *p, const char *name)
{
    size_t n = strlen(name);

    for (const char **env = p->env; env && *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    return NULL;
}

enum { PASSWD_MAX = 10 * 1024 * 1024 };

/* The home directory of a user of the container, from its own file, which is read as data and within bounds.
 */
static int home_of(uint32_t uid, char **ret)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(PASSWD_MAX);
    _cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd =
        root < 0 ? -errno : path_open_in_root(root, "etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    struct stat st;
    char *rest, *line;
    int result;

    *ret = NULL;
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EACCES || fd == -ENXIO)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return fd < 0 ? fd : -errno;
    if (!S_ISREG(st.st_mode))
        return 0;
    result = fd_read_all(fd, &text);
    if (result < 0 || !text.data)
        return result == -EFBIG || result == -ENOSPC ? 0 : result;
    for (rest = text.data; (line = strsep(&rest, "\n"));) {
        char *field[7] = {0};
        size_t n = 0;
        uint32_t id;

        while (n < ARRAY_SIZE(field) && line)
            field[n++] = strsep(&line, ":");
        if (n == ARRAY_SIZE(field) && str_to_u32(field[2], &id) == 0 && id == uid && *field[5])
            *ret = xstrdup(field[5]);
        if (*ret)
            break;
    }
    return 0;
}

static size_t name_length(const char *variable)
{
    return strcspn(variable, "=");
}

/* Where a variable of that name is in env, or where the table says that there is none: open addressing, entries are an index
 * into env plus one. */
static size_t *find_variable(size_t *table, size_t size, const char *const *env, const char *variable)
{
    size_t n = name_length(variable), i = (size_t)hash64(variable, n) % size;

    while (table[i] && (name_length(env[table[i] - 1]) != n || strncmp(env[table[i] - 1], variable, n) != 0))
        i = (i + 1) % size;
    return &table[i];
}

int process_make_env(const struct spec_process *p, char ***ret_env, struct err *err)
{
    size_t count = 0, used = 0, *home;
    _cleanup_free_ size_t *table = NULL;
    const char **env;

    while (p->env && p->env[count])
        count++;
    env = xcalloc(count + 2, sizeof(*env));
    table = xcalloc(2 * count + 3, sizeof(*table));
    for (size_t i = 0; i < count; i++) {
        size_t *at = find_variable(table, 2 * count + 3, env, p->env[i]);

        if (!*at)
            *at = ++used;
        env[*at - 1] = p->env[i];
    }
    home = find_variable(table, 2 * count + 3, env, "HOME");
    if (!*home || str_empty(strchr(env[*home - 1], '=')) || str_eq(env[*home - 1], "HOME=")) {
        _cleanup_free_ char *directory = NULL;
        int result = home_of(p->uid, &directory);

        if (result < 0) {
            free(env);
            return err_errno(err, result, "read the home directory from /etc/passwd");
        }
        if (!*home)
            *home = ++used;
        env[*home - 1] = xasprintf("HOME=%s", directory ? directory : "/");
    }
    *ret_env = (char **)env;
    return 0;
}

const char *process_reason(int errnum, char *out, size_t size)
{
    snprintf(out, size, "%s", errnum == EISDIR ? "is a directory: permission denied" : strerror(errnum));
    if (*out >= 'A' && *out <= 'Z')
        *out = (char)(*out + ('a' - 'A'));
    return out;
}

static int check_program(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int not_invoked(const char *name, int errnum, struct err *err)
{
    char text[100];

    return err_set(err, ERR_CANNOT_INVOKE, "exec: \"%s\": %s", name,
                   process_reason(-errnum, text, sizeof(text)));
}

int process_find_program(const struct spec_process *p, struct err *err, char **ret_program)
{
    const char *name = p->args[0], *path = env_get(p, "PATH");
    _cleanup_strv_ char **directories = NULL;
    char text[100];
    int denied = 0;

    if (strchr(name, '/')) {
        int result = check_program(name);

        if (result == -ENOENT || result == -ENOTDIR)
            return err_set(err, ERR_NO_PROGRAM, "exec: \"%s\": stat %s: %s", name, name,
                           process_reason(-result, text, sizeof(text)));
        if (result < 0)
            return not_invoked(name, result, err);
        *ret_program = xstrdup(name);
        return 0;
    }
    directories = strv_split(path ? path : DEFAULT_PATH, ':');
    for (char **directory = directories; *name && *directory; directory++) {
        _cleanup_free_ char *candidate = path_is_absolute(*directory) ? path_join(*directory, name) : NULL;
        int result = candidate ? check_program(candidate) : -ENOENT;

        if (result == 0) {
            *ret_program = take_ptr(&candidate);
            return 0;
        }
        if (result == -EACCES)
            denied = result;
    }
    if (denied)
        return not_invoked(name, denied, err);
    return err_set(err, ERR_NO_PROGRAM, "exec: \"%s\": executable file not found in $PATH", name);
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int process_close_descriptors(unsigned preserve_fds, int *kept, size_t count, struct err *err)
{
    int next = (int)(3 + preserve_fds);

    qsort(kept, count, sizeof(*kept), compare);
    for (int fd = 3; fd < next; fd++) { /* what was opened here is close-on-exec: it isn't the user's */
        int flags = fcntl(fd, F_GETFD);

        if (flags >= 0 && flags & FD_CLOEXEC && !bsearch(&fd, kept, count, sizeof(*kept), compare))
            close(fd);
    }
    for (size_t i = 0; i < count; i++) {
        if (kept[i] > next && syscall(SYS_close_range, next, kept[i] - 1, 0) < 0)
            return err_errno(err, errno, "close descriptors");
        next = MAX_OF(next, kept[i] + 1);
    }
    return syscall(SYS_close_range, next, ~0U, 0) < 0 ? err_errno(err, errno, "close descriptors") : 0;
}

int process_execute(const struct spec_process *p, const char *program, char *const *env, struct err *err)
{
    char text[100];
    int errnum;

    execve(program, (char *const *)p->args, env);
    errnum = errno;
    process_reason(errnum, text, sizeof(text));
    if (errnum == ENOENT) /* it was there a moment ago: its interpreter is not */
        return err_set(err, ERR_NO_PROGRAM, "exec %s: %s", program, text);
    return err_set(err, ERR_CANNOT_INVOKE, "exec %s: %s", program, text);
}
