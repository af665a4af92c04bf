/* Writes tar headers: ustar, with a pax header in front where ustar has no room (long names, large numbers,
 * fractions of seconds, extended attributes). The same entries give the same bytes. */
#ifndef KEG_TAR_WRITER_H
#define KEG_TAR_WRITER_H

#include "tar/sink.h"
#include "tar/reader.h"

/* Writes the header(s) of an entry; e->segments is passed over: holes are written as zeros. */
int tar_write_header(struct sink *s, const struct tar_entry *e, struct err *err);
/* Zeros up to a whole block behind `size` bytes of data. */
int tar_write_padding(struct sink *s, int64_t size, struct err *err);
/* The end of the archive. */
int tar_write_end(struct sink *s, struct err *err);

#endif
