/* kegd(8) and keg-daemon.json(5), generated from the table of options. */
#ifndef KEG_DAEMON_MANUAL_H
#define KEG_DAEMON_MANUAL_H

#include "base/err.h"

/* Writes man8/kegd.8 and man5/keg-daemon.json.5 below a directory: `kegd __manual DIRECTORY`, which `make install` calls. */
int manual_write(const char *directory, struct err *err);

#endif
