/* Pulling: a reference becomes an image. Manifest, configuration, then every missing layer downloaded,
 * verified and unpacked in parallel streams. */
#ifndef KEG_IMAGE_PULL_H
#define KEG_IMAGE_PULL_H

#include "image/progress.h"
#include "image/reference.h"
#include "image/store.h"

/* Credentials, as X-Registry-Auth carries them. Every member may be NULL. */
struct registry_auth {
    const char *username;
    const char *password;
    const char *identity_token; /* an OAuth2 refresh token */
    const char *registry_token; /* a bearer token */
    const char *server_address;
};

struct image_pull_options {
    const struct reference *reference; /* with tag or digest */
    const struct platform *platform;   /* NULL: the host's */
    const struct registry_auth *auth;  /* NULL: none */
    const json_t *others; /* credentials for mirrors, as X-Registry-Config has them; NULL: none */
    const struct image_listener *listener; /* NULL: quiet */
    /* Is the image already what the tag points to? Only chooses the closing words. NULL allowed. */
    const char *current_id;
};

/* Blocks. The lease gets all that the image needs; the caller records *ret and then frees the lease. The
 * closing lines
 * ("Digest: …", "Status: …") are reported by this function; so record before telling success of your own.
 * Errors: ERR_NOT_FOUND ("manifest for X not found: manifest unknown: …", "pull access denied for X,
 * repository does not exist or may require 'docker login': …"), ERR_UNAUTHORIZED, ERR_UNAVAILABLE (registry
 * doesn't answer), ERR_INVALID (what it sent is wrong), ERR_CANCELLED, ERR_NOT_IMPLEMENTED. */
int image_pull(struct image_store *store, struct image_lease *lease, const struct image_pull_options *options,
               struct image *ret, struct err *err);

/* `docker login`: checks credentials against server (NULL: Docker Hub). *ret_token is a refresh token to
 * store instead of the password, or NULL. The caller frees. */
int image_login(struct image_store *store, const char *server, const struct registry_auth *auth,
                char **ret_token, struct err *err);

#endif
