/* What a registry's answers mean: worth another try, or an error in Docker's words (Distribution
 * specification, "Error Codes"). */
#ifndef KEG_IMAGE_WORKER_ANSWERS_H
#define KEG_IMAGE_WORKER_ANSWERS_H

#include <stdbool.h>

#include "base/err.h"
#include "image/worker/client.h"
#include "image/worker/http.h"

enum { ANSWER_ATTEMPTS = 6, ANSWER_STALLS = 3 };

/* Another try may succeed: 408, 429, 500, 502, 503, 504, unless the registry wants to be left alone for longer. */
bool answer_is_transient(const struct http_response *r);
/* Likewise where no answer came (http_perform() failed). A registry that has `answered` before may be on its way back. */
bool answer_is_missed(const struct http_response *r, bool answered, int attempt);
/* Waits before attempt + 1: longer from time to time, and at least as long as the registry said. False: cancelled. */
bool answer_wait(int attempt, int retry_after, const struct client_watch *watch);

/* Sets *err from an answer to a pull; -1. name: the repository, display: the thing asked for. */
int answer_error(const struct http_response *r, const char *name, const char *display, struct err *err);
/* Likewise to a push: "denied: requested access to the resource is denied". */
int answer_push_error(const struct http_response *r, struct err *err);
/* Likewise to the request for a token: "unauthorized: incorrect username or password". */
int answer_token_error(const struct http_response *r, const char *url, struct err *err);

#endif
