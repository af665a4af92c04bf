/* What a registry's answers mean: worth another try, or an error in Docker's words (Distribution
 * specification, "Error Codes"). */
#ifndef KEG_IMAGE_WORKER_ANSWERS_H
#define KEG_IMAGE_WORKER_ANSWERS_H

#include <stdbool.h>

#include "base/err.h"
#include "image/worker/client.h"
#include "image/worker/http.h"

enum { ANSWER_ATTEMPTS = 5 };

/* Another try may succeed: 408, 429 (if it doesn't take too long), 500, 502, 503, 504. */
bool answer_is_transient(const struct http_response *r);
/* Waits before attempt + 1: as long as the registry said, or longer from time to time. False: cancelled. */
bool answer_wait(int attempt, int retry_after, const struct client_watch *watch);

/* Sets *err from an answer to a pull; -1. name: the repository, display: the thing asked for. */
int answer_error(const struct http_response *r, const char *name, const char *display, struct err *err);
/* Likewise to a push: "denied: requested access to the resource is denied". */
int answer_push_error(const struct http_response *r, struct err *err);
/* Likewise to the request for a token: "unauthorized: incorrect username or password". */
int answer_token_error(const struct http_response *r, const char *url, struct err *err);

#endif
