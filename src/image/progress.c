/* Docker's progress texts. */
#include "image/progress.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "image/store_internal.h"

enum { BAR_WIDTH = 50 };

/* 1234567 → "1.235MB": four significant digits, decimal units, as docker prints sizes. */
static void human_size(int64_t bytes, char out[24])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double size = (double)bytes;
    size_t i = 0;

    while (size >= 1000.0 && i < ARRAY_SIZE(units) - 1) {
        size /= 1000.0;
        i++;
    }
    snprintf(out, 24, "%.4g%s", size, units[i]);
}

static void draw_bar(const struct image_progress *p, char *out, size_t size)
{
    char current[24], total[24], bar[BAR_WIDTH + 2];
    int64_t filled = 0;

    human_size(p->current, current);
    human_size(p->total, total);
    if (p->total <= 0 || p->current > p->total) {
        snprintf(out, size, "%8s", current);
        return;
    }
    filled = (int64_t)((double)p->current / (double)p->total * BAR_WIDTH);
    memset(bar, '=', (size_t)filled);
    bar[filled] = '>';
    memset(bar + filled + 1, ' ', (size_t)(BAR_WIDTH - filled));
    bar[BAR_WIDTH + 1] = '\0';
    snprintf(out, size, "[%s] %8s/%s", bar, current, total);
}

json_t *image_progress_json(const struct image_progress *p)
{
    json_t *json = json_object();

    json_set_str(json, "status", p->status);
    if (p->current > 0 || p->total > 0) {
        char text[BAR_WIDTH + 66];
        json_t *detail = json_object();

        draw_bar(p, text, sizeof(text));
        json_set_int(detail, "current", p->current);
        if (p->total > 0)
            json_set_int(detail, "total", p->total);
        json_object_set_new(json, "progressDetail", detail);
        json_set_str(json, "progress", text);
    } else if (p->id && !p->told) {
        json_object_set_new(json, "progressDetail", json_object());
    }
    if (p->id)
        json_set_str(json, "id", p->id);
    return json;
}

static int report(const struct image_listener *listener, const struct image_progress *p, struct err *err)
{
    if (!listener || !listener->report || listener->report(listener->arg, p) >= 0)
        return 0;
    return err_set(err, ERR_CANCELLED, "the client has gone");
}

int image_report(const struct image_listener *listener, const char *id, const char *status, int64_t current,
                 int64_t total, struct err *err)
{
    return report(listener,
                  &(struct image_progress){.id = id, .status = status, .current = current, .total = total},
                  err);
}

int image_tell(const struct image_listener *listener, const char *id, const char *text, struct err *err)
{
    return report(listener, &(struct image_progress){.id = id, .status = text, .told = true}, err);
}
