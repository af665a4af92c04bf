/* Image references: "busybox", "localhost:5000/team/app:v1@sha256:…". Docker's grammar and normalisation: no
 * domain means docker.io, no folder there means library/. */
#ifndef KEG_IMAGE_REFERENCE_H
#define KEG_IMAGE_REFERENCE_H

#include <stdbool.h>

#include "base/err.h"
#include "image/digest.h"

#define REFERENCE_DEFAULT_DOMAIN "docker.io"
#define REFERENCE_DEFAULT_TAG    "latest"

struct reference {
    char *domain; /* "docker.io", "localhost:5000" */
    char *path;   /* "library/busybox" */
    char *tag;    /* "1.36", or NULL */
    char *digest; /* "sha256:…", or NULL */
};

void reference_finish(struct reference *ref);
#define _cleanup_reference_ _cleanup_(reference_finish)

/* Parses and normalises. ERR_INVALID with Docker's words ("invalid reference format: repository name
 * (library/X) must be lowercase"). Tag and digest stay NULL when the text has none. A text of 64 hexadecimal
 * digits is refused, as docker does: it is an image id. */
int reference_parse(const char *text, struct reference *ret, struct err *err);
/* The same, and sets the tag to "latest" when there is neither tag nor digest. */
int reference_parse_tagged(const char *text, struct reference *ret, struct err *err);
/* A name and a tag or digest given apart, as in /images/create?fromImage=X&tag=Y. `tag` may be NULL, "", a
 * tag, or a digest; it replaces the one in name. */
int reference_parse_parts(const char *name, const char *tag, struct reference *ret, struct err *err);
/* Whether an image may be given that name: ERR_INVALID for one that would read as a digest ("sha256:abc"). */
int reference_check_tag(const struct reference *ref, struct err *err);
void reference_copy(const struct reference *ref, struct reference *ret);

/* True for [\w][\w.-]{0,127}. */
bool reference_tag_valid(const char *tag);

/* All four: the caller frees. */
char *reference_name(const struct reference *ref);          /* docker.io/library/busybox */
char *reference_string(const struct reference *ref);        /* docker.io/library/busybox:latest@sha256:… */
char *reference_familiar_name(const struct reference *ref); /* busybox */
char *reference_familiar(const struct reference *ref);      /* busybox:latest@sha256:… as far as set */

#endif
