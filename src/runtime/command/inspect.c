/* state and list. */
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/command/command.h"
#include "runtime/internal.h"

enum { JSON_MAX = 1024 * 1024 };

int command_print_json(const json_t *json, bool compact)
{
    char *text = json_dumps(json, compact ? JSON_COMPACT : JSON_INDENT(2));

    puts(text);
    free(text);
    return 0;
}

json_t *command_load_json(const char *path, struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(JSON_MAX);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int result = fd < 0 ? -errno : fd_read_all(fd, &text);

    if (result < 0) {
        err_errno(err, result, "open %s", path);
        return NULL;
    }
    return json_parse_wide(buf_str(&text), text.len, path, err);
}

/* Who made the container, from the host's /etc/passwd; "#1000" when it isn't there. No NSS: this program is static, and
 * loads nothing. */
static void owner_name(uid_t uid, char out[64])
{
    FILE *f = fopen("/etc/passwd", "re");
    const struct passwd *user = NULL;

    while (f && (user = fgetpwent(f)) && user->pw_uid != uid)
        ;
    if (user)
        snprintf(out, 64, "%s", user->pw_name);
    else
        snprintf(out, 64, "#%u", uid);
    if (f)
        fclose(f);
}

static char *root_of(const struct runtime_container *c)
{
    const char *path = c->spec->root_path;

    return path && c->bundle && !path_is_absolute(path) ? path_join(c->bundle, path)
                                                        : xstrdup(path ? path : "");
}

/* OCI's state and what else runc tells, in its order. With `owner` the name of who made it. */
static json_t *state_of(struct runtime_container *c, bool owner)
{
    _cleanup_json_ json_t *oci = state_json(c, state_status(c));
    _cleanup_free_ char *path = path_join(c->state_dir, STATE_FILE), *root = root_of(c);
    char created[CLOCK_TEXT_SIZE] = CLOCK_ZERO_TEXT, name[64] = "";
    json_t *state = json_object();
    struct stat st;

    if (stat(path, &st) == 0) {
        clock_format(st.st_mtim.tv_sec * CLOCK_NS_PER_S + st.st_mtim.tv_nsec, created);
        if (owner)
            owner_name(st.st_uid, name);
    }
    json_set_str(state, "ociVersion", json_str(oci, "ociVersion"));
    json_set_str(state, "id", json_str(oci, "id"));
    json_set_int(state, "pid", json_int_or(oci, "pid", 0));
    json_set_str(state, "status", json_str(oci, "status"));
    json_set_str(state, "bundle", json_str(oci, "bundle"));
    json_set_str(state, "rootfs", root);
    json_set_str(state, "created", created);
    if (json_object_get(oci, "annotations"))
        json_object_set(state, "annotations", json_object_get(oci, "annotations"));
    json_set_str(state, "owner", name);
    return state;
}

int command_state(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);
    _cleanup_json_ json_t *state = c ? state_of(c, /* owner= */ false) : NULL;

    return state ? command_print_json(state, /* compact= */ false) : -1;
}

/* Of all containers below --root, by name. What isn't there (any more) is passed over, what can't be read is told. */
static json_t *list(const struct request *request)
{
    json_t *array = json_array();
    struct dirent **entries = NULL;
    int count = scandir(request->root, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        _cleanup_free_ char *path = path_join(request->root, entries[i]->d_name);
        _cleanup_(runtime_container_free_p) struct runtime_container *c = NULL;
        struct err err = {0};

        if (entries[i]->d_name[0] != '.')
            c = runtime_open(path, &err);
        if (!c && err.kind && err.kind != ERR_NOT_FOUND &&
            err_wrap(&err, "container %s", entries[i]->d_name) < 0)
            command_warn(request, err.message);
        if (c)
            json_array_append_new(array, state_of(c, /* owner= */ true));
        free(entries[i]);
    }
    free(entries);
    return array;
}

static const char *const columns[] = {"id", "pid", "status", "bundle", "created", "owner"};

/* A cell's text; numbers are written to `number`. */
static const char *cell(const json_t *container, size_t column, char number[24])
{
    snprintf(number, 24, "%lld", (long long)json_int_or(container, columns[column], 0));
    return json_str_or(container, columns[column], number);
}

/* Columns as wide as their widest cell and three blanks, but twelve at least. */
static void print_table(const json_t *containers)
{
    static const char *const titles[] = {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"};
    size_t widths[ARRAY_SIZE(columns)], last = ARRAY_SIZE(columns) - 1, i;
    char number[24];
    json_t *c;

    for (size_t k = 0; k <= last; k++) {
        widths[k] = MAX_OF(strlen(titles[k]) + 3, 12);
        json_array_foreach (containers, i, c)
            widths[k] = MAX_OF(widths[k], strlen(cell(c, k, number)) + 3);
    }
    for (size_t k = 0; k <= last; k++)
        printf("%-*s%s", k < last ? (int)widths[k] : 0, titles[k], k < last ? "" : "\n");
    json_array_foreach (containers, i, c)
        for (size_t k = 0; k <= last; k++)
            printf("%-*s%s", k < last ? (int)widths[k] : 0, cell(c, k, number), k < last ? "" : "\n");
}

int command_list(struct request *request, struct err *err)
{
    _cleanup_json_ json_t *containers = NULL;
    json_t *c;
    size_t i;

    if (request->format && !str_eq(request->format, "table") && !str_eq(request->format, "json"))
        return err_set(err, ERR_INVALID, "invalid format option: %s", request->format);
    containers = list(request);
    if (request->quiet) {
        json_array_foreach (containers, i, c)
            printf("%s\n", json_str_or(c, "id", ""));
        return 0;
    }
    if (str_eq(request->format, "json"))
        return command_print_json(containers, /* compact= */ true);
    print_table(containers);
    return 0;
}
