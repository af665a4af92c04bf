/* What containers use: docker stats. */
#ifndef KEG_ENGINE_STATS_H
#define KEG_ENGINE_STATS_H

#include "engine/engine.h"

struct engine_stats_options {
    bool stream;
    bool one_shot; /* at once, without figures to compare with */
};
/* One reading (StatsResponse); without one_shot there is one of the second before in it, which may have to be waited for. One
 * that doesn't run has zeros. client_fd (-1: none): when it hangs up, ERR_CANCELLED. */
int engine_container_stats(struct engine *e, const char *ref, const struct engine_stats_options *o,
                           int client_fd, json_t **ret, struct err *err);
/* One every second, each on a line of its own, until the client goes or the container is removed. However many streams of a
 * container there are, it is read once a second. */
int engine_container_stats_stream(struct engine *e, const char *ref, const struct engine_sink *sink,
                                  struct err *err);

#endif
