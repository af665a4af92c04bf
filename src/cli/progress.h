/* The JSON progress of pull, load and import, drawn as bars in a terminal and as plain lines elsewhere. */
#ifndef KEG_CLI_PROGRESS_H
#define KEG_CLI_PROGRESS_H

#include "cli/cli.h"
#include "cli/http.h"

/* Reads the stream to its end, drawing on `out`. An error in the stream is returned (ERR_SYSTEM, without a prefix).
 * With `quiet` only errors count. */
int progress_show(struct http *http, FILE *out, bool quiet, struct err *err);

/* The bar of a message: "[=====>    ]  1.2MB/3MB", as wide as `columns` allows; "" when there is nothing to show. */
void progress_bar(const json_t *detail, unsigned columns, struct buf *out);

#endif
