/* What TLS both ends speak: version 1.2 at least, from PEM files. */
#ifndef KEG_TLS_SETUP_H
#define KEG_TLS_SETUP_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/err.h"

struct tls_options {
    const char *ca, *cert, *key; /* files, or NULL */
    bool verify;                 /* the peer's certificate, by `ca` (a client without one: by the system's) */
    bool plain;                  /* no TLS at all (dial) */
    bool confine;                /* give up root when the connection stands (dial) */
};

/* ERR_INVALID names the file and what is wrong with it. */
SSL_CTX *tls_context_new(const struct tls_options *options, bool server, struct err *err);
/* What OpenSSL has last complained of; "" if nothing. */
const char *tls_reason(char *out, size_t size);

#endif
