/* daemon.json: the same options as the command line's, under dockerd's keys. */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "daemon/options.h"

enum { CONFIG_FILE_MAX = 1024 * 1024 };

static int config_check_keys(const json_t *file, struct err *err)
{
    _cleanup_strv_ char **unknown = NULL;
    _cleanup_free_ char *all = NULL;
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)file, key, value)
        if (!option_by_key(key))
            strv_push(&unknown, key);
    if (!unknown)
        return 0;
    all = strv_join(unknown, ", ");
    return err_set(err, ERR_INVALID, "the following directives don't match any configuration option: %s",
                   all);
}

/* A value as Go prints it, as far as it is a string or a list of them. The caller frees. */
static char *config_value_text(const json_t *value)
{
    _cleanup_json_ json_t *holder = json_pack("{s:O}", "v", value);
    _cleanup_strv_ char **list = json_strv(holder, "v");
    _cleanup_free_ char *joined =
        list && strv_len(list) == json_array_size(value) ? strv_join(list, " ") : NULL;

    if (json_is_string(value))
        return xstrdup(json_string_value(value));
    return joined ? xasprintf("[%s]", joined) : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

static int config_check_conflicts(const struct config *c, const json_t *file, const bool *given,
                                  struct err *err)
{
    _cleanup_strv_ char **conflicts = NULL;
    _cleanup_free_ char *all = NULL;
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)file, key, value) {
        const struct option_row *row = option_by_key(key);
        _cleanup_free_ char *from_flag = NULL, *from_file = NULL;

        if (!given[row - option_rows] || row->kind == OPTION_RUNTIMES)
            continue;
        from_flag = option_text(c, row);
        from_file = config_value_text(value);
        strv_push_take(&conflicts,
                       xasprintf("%s: (from flag: %s, from file: %s)", key, from_flag, from_file));
    }
    if (!conflicts)
        return 0;
    all = strv_join(conflicts, ", ");
    return err_set(err, ERR_INVALID,
                   "the following directives are specified both as a flag and in the configuration file: %s",
                   all);
}

static int config_apply(struct config *c, const json_t *file, struct err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)file, key, value)
        if (option_set_json(c, option_by_key(key), value, err) < 0)
            return -1;
    return 0;
}

int config_read_file(struct config *c, const char *path, const bool *given, bool required, struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
    _cleanup_json_ json_t *file = NULL;
    int r = file_read(AT_FDCWD, path, &text);

    if (r == -ENOENT && !required)
        return 0;
    if (r < 0) {
        err_errno(err, r, "cannot read the file");
    } else if (text.len == 0) {
        return 0;
    } else if ((file = json_parse(buf_str(&text), text.len, path, err))) {
        if (!json_is_object(file))
            err_set(err, ERR_INVALID, "the file must hold a JSON object");
        else if (config_check_keys(file, err) == 0 && config_check_conflicts(c, file, given, err) == 0 &&
                 config_apply(c, file, err) == 0)
            return 0;
    }
    return err_wrap(err, "unable to configure the daemon with file %s", path);
}
