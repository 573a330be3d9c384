/* tls: TLS 1.2 and 1.3 on a connection's socket (OpenSSL). Receiving and sending look like recv and send of a non-blocking socket;
 * the handshake is done on the way.
 *
 * The certificate and its key are read by the master, as whoever it is started; workers inherit them in memory and could not read the
 * file. No session tickets and no session cache: nothing outlives a connection that could decrypt it. No renegotiation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/bytes.h"

#define TLS_RECORD_MAX 16384

struct tls_context; /* of a certificate; shared by connections */
struct tls;         /* of one connection */

/* PEM files: the chain, the server's certificate first; its private key, without a passphrase. On failure ret_problem says why. */
MUST_CHECK enum err tls_context_new(const char *certificate, const char *key, struct tls_context **ret_context, char ret_problem[256]);
void tls_context_free(struct tls_context *context);

/* NULL: out of memory. `fd` stays the caller's. */
struct tls *tls_new(struct tls_context *context, int fd);
void tls_free(struct tls *tls);

/* Octets; 0: the client has ended; -1 with errno EAGAIN, or another when it is broken. */
ssize_t tls_receive(struct tls *tls, void *ret_data, size_t cap);
/* Octets taken; -1 with errno. After EAGAIN the same octets must be sent again (more may follow them). */
ssize_t tls_send(struct tls *tls, struct bytes data);
/* The last call that said EAGAIN waits until the socket can be written. */
bool tls_wants_write(const struct tls *tls);
/* The handshake is done. */
bool tls_is_up(const struct tls *tls);
/* The client chose HTTP/2 (ALPN, RFC 7301). */
bool tls_is_http2(const struct tls *tls);
/* Says that nothing more comes from us, as far as the socket takes it. */
void tls_shutdown(struct tls *tls);
