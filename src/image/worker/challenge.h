/* WWW-Authenticate (RFC 9110 section 11.6.1): "Bearer realm=\"…\",service=\"…\",scope=\"…\"". */
#ifndef KEG_IMAGE_WORKER_CHALLENGE_H
#define KEG_IMAGE_WORKER_CHALLENGE_H

#include <stdbool.h>

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
    enum challenge_scheme scheme;
    char *realm, *service, *scope, *error; /* NULL when absent */
};

void challenge_finish(struct challenge *c);
/* Parses one header's value (hostile text of any length). Of several challenges in it the best is kept:
 * Bearer before Basic. Unknown schemes give CHALLENGE_NONE. */
void challenge_parse(const char *value, struct challenge *ret);

#endif
