/* Contexts. */
#include "tls/setup.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *tls_reason(char *out, size_t size)
{
    unsigned long last = 0, code;
    const char *text;

    while ((code = ERR_get_error()))
        last = code;
    text = last ? ERR_reason_error_string(last) : NULL;
    snprintf(out, size, "%s", text ? text : "");
    return out;
}

static int bad_file(const char *what, const char *path, struct err *err)
{
    char reason[200];

    if (access(path, R_OK) < 0)
        return err_errno(err, errno, "could not read %s \"%s\"", what, path);
    return err_set(err, ERR_INVALID, "%s \"%s\" cannot be used: %s", what, path,
                   tls_reason(reason, sizeof(reason)));
}

static int load_files(SSL_CTX *context, const struct tls_options *o, struct err *err)
{
    if (o->ca && SSL_CTX_load_verify_locations(context, o->ca, NULL) != 1)
        return bad_file("CA certificate", o->ca, err);
    if (o->cert && SSL_CTX_use_certificate_chain_file(context, o->cert) != 1)
        return bad_file("certificate", o->cert, err);
    if (o->key && SSL_CTX_use_PrivateKey_file(context, o->key, SSL_FILETYPE_PEM) != 1)
        return bad_file("key", o->key, err);
    if (o->cert && o->key && SSL_CTX_check_private_key(context) != 1)
        return err_set(err, ERR_INVALID, "certificate \"%s\" and key \"%s\" don't belong together", o->cert,
                       o->key);
    return 0;
}

SSL_CTX *tls_context_new(const struct tls_options *o, bool server, struct err *err)
{
    SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    int mode = SSL_VERIFY_NONE;

    if (!context) {
        err_set(err, ERR_SYSTEM, "cannot set TLS up");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    if (o->verify)
        mode = SSL_VERIFY_PEER | (server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_verify(context, mode, NULL);
    if (load_files(context, o, err) < 0) {
        SSL_CTX_free(context);
        return NULL;
    }
    if (o->verify && !o->ca)
        SSL_CTX_set_default_verify_paths(context);
    if (server) {
        SSL_CTX_set_session_id_context(context, (const unsigned char *)"keg", 3);
        if (o->verify && o->ca) /* clients with several certificates choose by it */
            SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(o->ca));
    }
    return context;
}
