/* Manual pages, as man(7) has them: what the programs write of their own tables. */
#ifndef KEG_BASE_ROFF_H
#define KEG_BASE_ROFF_H

#include "base/buf.h"
#include "base/err.h"

enum { ROFF_PAGE_MAX = 1024 * 1024 }; /* for BUF_INIT() */

/* Text as roff has to have it. */
void roff_text(struct buf *out, const char *text, size_t len);
void roff_words(struct buf *out, const char *text);
/* The page's beginning: .TH and the section NAME. */
void roff_head(struct buf *out, const char *name, int section, const char *summary);
/* A .TP with "-x, --name VALUE"; letter '\0' and value NULL or "": none. */
void roff_option(struct buf *out, char letter, const char *name, const char *value);
/* Writes DIRECTORY/NAME.SECTION; the directory is made. ERR_SYSTEM. */
int roff_write(const char *directory, const char *name, int section, const struct buf *page, struct err *err);

#endif
