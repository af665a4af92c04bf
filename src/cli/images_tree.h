/* keg images --tree. */
#ifndef KEG_CLI_IMAGES_TREE_H
#define KEG_CLI_IMAGES_TREE_H

#include <jansson.h>
#include <stdbool.h>

/* Prints what /images/json?manifests=true gave: each image under its names, with a line for every platform it has. all: those
 * without a name, too. */
void images_tree_print(const json_t *images, bool all);

#endif
