/* Pulling an image, for pull itself and for run and create. */
#ifndef KEG_CLI_PULL_H
#define KEG_CLI_PULL_H

#include <stdio.h>

#include "cli/cli.h"

struct pull_wish {
    const char *image;
    const char *platform; /* "" for the daemon's own */
    bool all_tags;
    bool quiet;
    FILE *out;
};

int pull_image(struct cli *cli, const struct pull_wish *wish, struct err *err);
/* For run and create: with progress on stderr, unless --quiet. */
int pull_for_create(struct cli *cli, const struct args *args, const char *image, struct err *err);
/* "Unable to find image 'busybox:latest' locally" */
int pull_announce(const char *image, struct err *err);

#endif
