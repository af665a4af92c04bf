/* How things look: aligned tables, sizes and durations for people, indented JSON. */
#ifndef KEG_CLI_OUTPUT_H
#define KEG_CLI_OUTPUT_H

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

/* Prints lines whose cells end in tabs, in columns: every cell at least `least` wide and 3 blanks from the next; what
 * follows a line's last tab is printed as it is. */
void output_table(FILE *out, const char *text, int least);

enum { SIZE_TEXT = 32 };
/* 1234567 → "1.235MB" (powers of 1000, `digits` significant ones). */
const char *human_size(double bytes, int digits, char out[SIZE_TEXT]);
/* 1048576 → "1MiB" (powers of 1024, 4 significant digits). */
const char *human_bytes(double bytes, char out[SIZE_TEXT]);
enum { DURATION_TEXT = 40 };
/* "Less than a second", "2 minutes", "About an hour", "3 weeks" */
const char *human_duration(int64_t ns, char out[DURATION_TEXT]);
/* An RFC 3339 time or unix seconds as "2 minutes ago"; the caller frees. */
char *human_ago(int64_t then_ns);
/* "2006-01-02 15:04:05 +0000 UTC" in local time; the caller frees. */
char *local_time(int64_t ns);

/* Appends JSON text with every level indented by four blanks (each line behind `prefix`), strings byte for byte. */
void indent_json(struct buf *out, const char *json, const char *prefix);

/* "sha256:0123…" or "0123…" → its first 12 characters; others whole. The caller frees. */
char *short_id(const char *id);
/* At most `width` characters, the last one "…" if text was cut. The caller frees. */
char *ellipsis(const char *text, size_t width);

#endif
