/* What a worker that strangers' bytes have taken over might try. Each attempt runs in a process of its own that has shut itself in
 * as the worker does; it has to fail, or to be the end of that process. */
#ifndef KEG_TESTS_UNIT_ESCAPE_H
#define KEG_TESTS_UNIT_ESCAPE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { ESCAPE_HANDLE_SIZE = 128 };

/* The host, as far as attempts aim at it; open to everybody, so that nothing but the walls is in the way. */
struct escape_host {
    char dir
        [64]; /* "sentinel/" and in it "file"; "layer/", "lower/", "empty/", "work/" for whoever needs them */
    char sentinel[100]; /* dir/sentinel */
    char file[128];     /* dir/sentinel/file */
    char socket[32];    /* name of an abstract socket that listens */
    int listener;
    pid_t victim; /* a process of nobody's */
    union {
        struct file_handle handle; /* of file */
        char room[sizeof(struct file_handle) + ESCAPE_HANDLE_SIZE];
    };
};

/* Makes the host in /tmp. 0, or -1. */
int escape_set_up(struct escape_host *h);
void escape_tear_down(struct escape_host *h);

/* What an attempt may be allowed to do for a worker's own work. */
enum {
    ESCAPE_NETWORK = 1, /* sockets of the Internet */
    ESCAPE_THREADS = 2, /* harmless questions about itself go with that */
    ESCAPE_READ = 4,    /* reading what everybody may read */
};

/* Runs all attempts behind `shut_in`, which returns 0 when it has shut the process in. The number of those that got through, each
 * named on standard error; or of changes to the sentinel. *ret_tried: how many there were. */
int escape_try_all(const struct escape_host *h, int (*shut_in)(const struct escape_host *h), unsigned allowed,
                   int *ret_tried);

#endif
