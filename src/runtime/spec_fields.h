/* Reading JSON objects by tables: each row says which member goes where and what it must be. Errors are
 * ERR_INVALID and name the member's whole path: "process.rlimits[2].soft: expected a number, not a string".
 *
 *     static const struct spec_field fields[] = {
 *         {"cwd", SPEC_PATH, offsetof(struct spec_process, cwd), SPEC_REQUIRED},
 *         …
 *     };
 *     if (spec_read(json, "process", fields, ARRAY_SIZE(fields), process, err) < 0) …
 *
 * To add a member to the configuration: a member in the struct (spec.h), a row in its table. */
#ifndef KEG_RUNTIME_SPEC_FIELDS_H
#define KEG_RUNTIME_SPEC_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum spec_type {
    SPEC_STRING,  /* const char *, borrowed from the JSON */
    SPEC_PATH,    /* const char *, absolute */
    SPEC_STRINGS, /* const char **, allocated, NULL-terminated; the strings borrowed */
    SPEC_BOOL,    /* bool */
    SPEC_I32,     /* int32_t */
    SPEC_U32,     /* uint32_t */
    SPEC_U16,     /* uint16_t */
    SPEC_I64,     /* int64_t */
    SPEC_U64,     /* uint64_t: negative ones are those from 2^63 on, see json_load_wide() */
    SPEC_OBJECT,  /* const json_t *, borrowed */
    SPEC_ARRAY,   /* const json_t *, borrowed */
};

enum spec_flags {
    SPEC_REQUIRED = 1,
};

struct spec_field {
    const char *key;
    enum spec_type type;
    size_t offset;
    unsigned flags;
};

/* Reads the members of `object` into `out`; missing ones and nulls stay as they are. `at` is the object's own
 * path. */
int spec_read(const json_t *object, const char *at, const struct spec_field *fields, size_t count, void *out,
              struct err *err);
/* ERR_INVALID: "at.key: …". */
int spec_error(struct err *err, const char *at, const char *fmt, ...) _printf_(3, 4);

#endif
