/* What keg-tls gives up before it reads a stranger's bytes. */
#ifndef KEG_TLS_CONFINE_H
#define KEG_TLS_CONFINE_H

#include "base/err.h"

/* Of root: becomes nobody, with a network of its own that has nothing, no core dumps and no way back; open descriptors stay. Of
 * anybody else: nothing. */
int tls_confine(struct err *err);

#endif
