#include "responder/conn/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

/* RFC 9113 9.2.2: none of these is on its list of ciphers that HTTP/2 forbids. TLS 1.3 has its own, all good. */
#define CIPHERS_1_2                                                                                                         \
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"                          \
        "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

struct tls_context {
        SSL_CTX *ssl;
};

struct tls {
        SSL *ssl;
        bool wants_write;
};

/* ---- context ---- */

/* RFC 7301 3.2: of what the client offers, HTTP/2 first; with nothing in common the handshake fails. */
static int choose_protocol(
        SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len, const unsigned char *offer, unsigned offer_len, void *data)
{
        static const unsigned char ours[] = "\x02h2\x08http/1.1";

        (void)ssl;
        (void)data;
        if (SSL_select_next_proto((unsigned char **)ret_name, ret_len, ours, sizeof ours - 1, offer, offer_len) != OPENSSL_NPN_NEGOTIATED)
                return SSL_TLSEXT_ERR_ALERT_FATAL;
        return SSL_TLSEXT_ERR_OK;
}

static bool set_policy(SSL_CTX *ssl)
{
        SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                        SSL_OP_IGNORE_UNEXPECTED_EOF);
        SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_read_ahead(ssl, 1);
        SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
        return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 && SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
                SSL_CTX_set_cipher_list(ssl, CIPHERS_1_2) == 1;
}

/* A passphrase is asked for by nobody. */
static int no_passphrase(char *buffer, int size, int is_writing, void *data)
{
        (void)buffer;
        (void)size;
        (void)is_writing;
        (void)data;
        return 0;
}

static const char *load(SSL_CTX *ssl, const char *certificate, const char *key)
{
        if (!set_policy(ssl))
                return "OpenSSL refuses TLS 1.2";
        SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
        if (SSL_CTX_use_certificate_chain_file(ssl, certificate) != 1)
                return "the certificate cannot be read";
        if (SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1)
                return "the key cannot be read, or is not the certificate's";
        return NULL;
}

enum err tls_context_new(const char *certificate, const char *key, struct tls_context **ret_context, char ret_problem[256])
{
        struct tls_context *context = calloc(1, sizeof *context);
        const char *problem;

        if (!context)
                return ERR_NOMEM;
        context->ssl = SSL_CTX_new(TLS_server_method());
        problem = context->ssl ? load(context->ssl, certificate, key) : "out of memory";
        if (problem) {
                unsigned long code = ERR_peek_last_error();
                const char *reason = code ? ERR_reason_error_string(code) : NULL;

                snprintf(ret_problem, 256, "%s (%s)", problem, reason ? reason : "no reason given");
                ERR_clear_error();
                tls_context_free(context);
                return ERR_CRYPTO;
        }
        *ret_context = context;
        return OK;
}

void tls_context_free(struct tls_context *context)
{
        if (!context)
                return;
        SSL_CTX_free(context->ssl);
        free(context);
}

/* ---- connection ---- */

struct tls *tls_new(struct tls_context *context, int fd)
{
        struct tls *tls = calloc(1, sizeof *tls);

        if (!tls)
                return NULL;
        tls->ssl = SSL_new(context->ssl);
        if (!tls->ssl || SSL_set_fd(tls->ssl, fd) != 1) {
                ERR_clear_error();
                tls_free(tls);
                return NULL;
        }
        SSL_set_accept_state(tls->ssl);
        return tls;
}

void tls_free(struct tls *tls)
{
        if (!tls)
                return;
        SSL_free(tls->ssl);
        free(tls);
}

/* What recv or send would say. */
static ssize_t outcome(struct tls *tls, int n)
{
        int error = n > 0 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, n);

        tls->wants_write = error == SSL_ERROR_WANT_WRITE;
        if (error == SSL_ERROR_NONE)
                return n;
        if (error == SSL_ERROR_ZERO_RETURN)
                return 0;
        errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
        return -1;
}

static int clamp(size_t len)
{
        return len < INT32_MAX ? (int)len : INT32_MAX;
}

ssize_t tls_receive(struct tls *tls, void *ret_data, size_t cap)
{
        ERR_clear_error(); /* SSL_get_error looks at what anybody left there */
        return outcome(tls, SSL_read(tls->ssl, ret_data, clamp(cap)));
}

ssize_t tls_send(struct tls *tls, struct bytes data)
{
        ERR_clear_error();
        return outcome(tls, SSL_write(tls->ssl, data.data, clamp(data.len)));
}

bool tls_wants_write(const struct tls *tls)
{
        return tls->wants_write;
}

bool tls_is_up(const struct tls *tls)
{
        return SSL_is_init_finished(tls->ssl);
}

bool tls_is_http2(const struct tls *tls)
{
        const unsigned char *name;
        unsigned len;

        SSL_get0_alpn_selected(tls->ssl, &name, &len);
        return len == 2 && name[0] == 'h' && name[1] == '2';
}

void tls_shutdown(struct tls *tls)
{
        if (tls_is_up(tls))
                SSL_shutdown(tls->ssl);
        ERR_clear_error();
}
