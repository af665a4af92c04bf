/* What refers to a manifest (Distribution specification 1.1, "Pushing manifests with subject"). */
#ifndef KEG_IMAGE_REFERRERS_H
#define KEG_IMAGE_REFERRERS_H

#include "base/buf.h"
#include "base/err.h"
#include "image/registry.h"

/* The digest of a manifest's subject, or "". */
void referrers_subject(const struct buf *manifest, char ret[DIGEST_SIZE]);
/* For a registry that didn't notice the subject of the manifest just pushed: enters it in the list that the tag
 * "sha256-…" of the subject has there, unless it is in already. */
int referrers_note(struct registry *r, const char *subject, const struct buf *manifest, const char *digest,
                   const struct registry_watch *watch, struct err *err);

#endif
