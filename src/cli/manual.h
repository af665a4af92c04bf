/* Manual pages, generated from the tables of commands and options: `keg __manual DIRECTORY`, which `make install` calls. */
#ifndef KEG_CLI_MANUAL_H
#define KEG_CLI_MANUAL_H

#include "base/err.h"

/* Writes keg.1, keg-container-run.1 and so on into a directory, which is made. */
int manual_write(const char *directory, struct err *err);

#endif
