/* Templates of tags: text, and fields in {{ }}. */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/logs.h"

#define PREFIX "failed to initialize logging driver: template: log-tag:1"

enum { TAG_MAX = 4096 };

static const char *const fields[] = {"ID",        "FullID",     "Name",    "ImageID", "ImageFullID",
                                     "ImageName", "DaemonName", "Command", "Hostname"};

static bool is_field(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (str_eq(fields[i], name))
            return true;
    return false;
}

/* The field between the braces; the caller frees. */
static char *field_name(const char *begin, const char *end)
{
    static const char blank[] = " \t-";
    begin += strspn(begin, blank);
    while (end > begin && strchr(blank, end[-1]))
        end--;
    return xstrndup(begin, (size_t)(end - begin));
}

char *log_tag_expand(const char *template, const json_t *values, struct err *err)
{
    struct buf out = BUF_INIT(TAG_MAX);
    const char *p = template, *open;
    while ((open = strstr(p, "{{"))) {
        const char *close = strstr(open, "}}");
        _cleanup_free_ char *name = close ? field_name(open + 2, close) : NULL;
        if (!name)
            err_set(err, ERR_INVALID, PREFIX ": unclosed action");
        else if (*name != '.' || strpbrk(name + 1, " .|"))
            err_set(err, ERR_INVALID, PREFIX ": \"%.64s\" is not supported: use fields such as {{.Name}}",
                    name);
        else if (!is_field(name + 1))
            err_set(err, ERR_INVALID,
                    PREFIX ":%d: executing \"log-tag\" at <%.64s>: can't evaluate field %.64s in "
                           "type *logger.Info",
                    (int)(open - template) + 2, name, name + 1);
        else {
            buf_append(&out, p, (size_t)(open - p));
            buf_puts(&out, json_str_or(values, name + 1, ""));
            p = close + 2;
            continue;
        }
        buf_finish(&out);
        return NULL;
    }
    buf_puts(&out, p);
    if (buf_failed(&out)) {
        buf_finish(&out);
        err_set(err, ERR_INVALID, "a log's tag is longer than %d bytes", TAG_MAX);
        return NULL;
    }
    char *text = xstrdup(buf_str(&out));
    buf_finish(&out);
    return text;
}
