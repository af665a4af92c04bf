/* Completion: what could stand where the user is typing, from the tables of commands and options and, for names, from the
 * daemon (which isn't started for it). The shells' scripts call `keg __complete WORD…`, cmd_completion.c has them. */
#ifndef KEG_CLI_COMPLETE_H
#define KEG_CLI_COMPLETE_H

#include "cli/cli.h"

enum { COMPLETE_FILES = 0, COMPLETE_NO_SPACE = 2, COMPLETE_NO_FILES = 4 };

/* Appends the candidates for the last word ("name\tdescription", one a line) that start with what is typed of it. Returns
 * what the shell shall do besides: COMPLETE_FILES, or a sum of the others. cli NULL: names stay out (tests). */
int complete_words(struct cli *cli, int count, char *const *words, struct buf *out);
/* "keg __complete WORD…": the candidates and a last line ":<what to do>", as docker's scripts expect it too. */
int complete_run(struct cli *cli, int count, char *const *words);

#endif
