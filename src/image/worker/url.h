/* What the registry client asks about URLs. */
#ifndef KEG_IMAGE_WORKER_URL_H
#define KEG_IMAGE_WORKER_URL_H

#include <stdbool.h>

/* True for a URL that starts with https://. */
bool url_is_secure(const char *url);
/* scheme://host:port; NULL if it is no URL. The caller frees. */
char *url_origin(const char *url);
/* Scheme, host and port are the same. */
bool url_same_origin(const char *a, const char *b);
/* Where `location` leads from `base`; NULL if nowhere. The caller frees. */
char *url_resolve(const char *base, const char *location);

#endif
