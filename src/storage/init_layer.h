/* The layer between an image and its containers. */
#ifndef KEG_STORAGE_INIT_LAYER_H
#define KEG_STORAGE_INIT_LAYER_H

#include "base/err.h"
#include "storage/storage.h"

/* Makes DIR/init for the image tree `image`, if it isn't there. DIR is a descriptor. */
int init_layer_make(struct storage *s, int dir, const struct storage_rootfs *image, struct err *err);

#endif
