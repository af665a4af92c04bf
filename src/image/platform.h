/* Platforms ("linux/arm64/v8") and the choice of one from a list. */
#ifndef KEG_IMAGE_PLATFORM_H
#define KEG_IMAGE_PLATFORM_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct platform {
    char os[32];
    char architecture[32]; /* Go's names: amd64, arm64, arm, … */
    char variant[16];      /* "v7"; "" when there is none */
};

enum { PLATFORM_TEXT_SIZE = 96 };

/* The host's own. */
void platform_host(struct platform *ret);
/* "linux/amd64", "arm64", "linux/arm/v7"; usual aliases (x86_64, aarch64, armhf…) are normalised; what is
 * missing is the host's. ERR_INVALID otherwise. NULL or "" gives the host's. */
int platform_parse(const char *text, struct platform *ret, struct err *err);
/* Brings aliases to Go's names and drops variants that are the default (arm64/v8, amd64/v1). */
void platform_normalize(struct platform *p);
/* "linux/arm/v7" */
void platform_format(const struct platform *p, char out[PLATFORM_TEXT_SIZE]);
/* OCI's form: {"architecture","os"} and "variant" where there is one. */
json_t *platform_json(const struct platform *p);
/* Back from it; what is missing or too long is "". */
void platform_from_json(const json_t *json, struct platform *ret);
/* How well an image of platform `have` serves `want`: 0 not at all, otherwise higher is better (arm/v7 also
 * runs v6 and v5, less well; amd64 runs 386 and arm64 arm, least well). */
int platform_match(const struct platform *want, const struct platform *have);

#endif
