/* Image references as users type them: "busybox", "localhost:5000/a/b:tag", "name@sha256:…". */
#ifndef KEG_CLI_REFERENCE_H
#define KEG_CLI_REFERENCE_H

#include "base/err.h"

struct reference {
    char *domain; /* "docker.io" when none was typed */
    char *path;   /* "library/busybox" */
    char *tag;    /* NULL when none was typed */
    char *digest; /* likewise; "sha256:…" */
};

/* ERR_INVALID with docker's words: "invalid reference format". */
int reference_parse(const char *text, struct reference *ret, struct err *err);
void reference_finish(struct reference *r);
/* "docker.io/library/busybox"; the caller frees. */
char *reference_name(const struct reference *r);
/* As people write it: without docker.io/library, with its tag or digest. The caller frees. */
char *reference_familiar(const struct reference *r);

/* Whether "os", "arch" or "os/arch[/variant]" is one (ERR_INVALID); "" is. */
int platform_check(const char *text, struct err *err);

#endif
