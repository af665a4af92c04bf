/* Detach keys: the sequence that takes a client off a terminal and leaves the program running. */
#ifndef KEG_MONITOR_DETACH_H
#define KEG_MONITOR_DETACH_H

#include <stdbool.h>
#include <stddef.h>

enum { DETACH_KEYS_MAX = 32 };
#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

struct detach {
    unsigned char keys[DETACH_KEYS_MAX];
    unsigned count;   /* 0: nothing detaches */
    unsigned matched; /* how many of them the client has just typed */
};

/* Reads Docker's syntax: keys separated by commas, each one character, "ctrl-" and one of a-z @ [ \ ] ^ _, or
 * "DEL". NULL and "" mean the default. 0 or -EINVAL. */
int detach_parse(struct detach *d, const char *text);
/* Passes n bytes of input on to `out` (room for n + DETACH_KEYS_MAX), without a sequence that may still
 * become the detach keys: that is held back until it does, or until another key comes. Returns the bytes
 * passed on; with *ret_detached the rest of the input was not looked at. */
size_t detach_filter(struct detach *d, const char *in, size_t n, char *out, bool *ret_detached);

#endif
