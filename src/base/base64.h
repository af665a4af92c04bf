/* Base64, as HTTP's headers and Docker's credentials have it. */
#ifndef KEG_BASE_BASE64_H
#define KEG_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* With padding, of the URL alphabet if `url`; the caller frees. */
char *base64_encode(const void *data, size_t len, bool url);
/* The text that is meant; NULL when the text is no base64. The caller frees. */
char *base64_decode(const char *text);

#endif
