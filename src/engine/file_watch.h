/* Who wants to know that files of a directory change. One inotify instance for all, because a user has few of them
 * (fs.inotify.max_user_instances, 128 as a rule) and followers of logs may be many; its thread runs from the first watch on. */
#ifndef KEG_ENGINE_FILE_WATCH_H
#define KEG_ENGINE_FILE_WATCH_H

#include "base/err.h"

struct file_watches;
struct file_watch;

struct file_watches *file_watches_new(void);
/* Every watch has been removed. Returns NULL. */
struct file_watches *file_watches_free(struct file_watches *w);

/* Files in the directory are written, made or renamed: the watch's descriptor becomes readable. NULL on failure. */
struct file_watch *file_watch_add(struct file_watches *w, const char *directory, struct err *err);
struct file_watch *file_watch_remove(struct file_watch *watch);
/* An eventfd, the watch's own: reading it makes it wait for what is new. */
int file_watch_fd(const struct file_watch *watch);

#endif
