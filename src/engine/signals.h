/* Signals by name and number, as users write them. */
#ifndef KEG_ENGINE_SIGNALS_H
#define KEG_ENGINE_SIGNALS_H

#include "base/err.h"

/* "TERM", "sigterm", "15", "RTMIN+3". ERR_INVALID: "invalid signal: x". */
int signal_parse(const char *text, int *ret, struct err *err);
/* "SIGTERM"; a number as text for those without a name. */
const char *signal_text(int number, char out[16]);

#endif
