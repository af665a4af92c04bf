/* How long a connection may take to bring a whole request, however it dribbles: libmicrohttpd's own time-out begins anew with
 * every byte. One thread that sleeps until the first deadline; what is late is shut down, and libmicrohttpd cleans up.
 *
 * A connection waits from its beginning and from the end of each answer, until its request is there: head and JSON body, of an
 * upload the head alone. Answers, uploads, streams and connections that were taken over have all the time they want. */
#ifndef KEG_API_DEADLINE_H
#define KEG_API_DEADLINE_H

#include "base/err.h"

struct deadlines;
struct deadline; /* a connection's */

/* NULL and err (ERR_SYSTEM) when there is no thread to be had. */
struct deadlines *deadlines_new(int64_t timeout_ms, struct err *err);
struct deadlines *deadlines_free(struct deadlines *all); /* its connections must have gone */

/* A connection that waits for its first request; fd stays the caller's and open until deadline_remove(). */
struct deadline *deadline_add(struct deadlines *all, int fd);
void deadline_remove(struct deadlines *all, struct deadline *d);
/* The request is there. */
void deadline_stop(struct deadlines *all, struct deadline *d);
/* The answer has been given: the next one is waited for. */
void deadline_restart(struct deadlines *all, struct deadline *d);
/* No request will be waited for any more. */
void deadline_release(struct deadlines *all, struct deadline *d);

#endif
