/* Which extended attributes travel between archives and layers. */
#ifndef KEG_STORAGE_WORKER_XATTR_POLICY_H
#define KEG_STORAGE_WORKER_XATTR_POLICY_H

enum xattr_policy {
    XATTR_DROP, /* the union file system's, or this host's own: never crosses */
    XATTR_MAY,  /* crosses; a file system that can't hold it doesn't fail the layer */
    XATTR_MUST, /* crosses, or the layer fails: without it the file would mean something else */
};

#define XATTR_OPAQUE "trusted.overlay.opaque"

enum xattr_policy xattr_policy(const char *name);

#endif
