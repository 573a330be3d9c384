/* csr: a PKCS#10 request (RFC 2986), its bytes made here, signed by the token. */
#pragma once

#include "signer/vault/token.h"

/* A Name in DER from "/CN=OCSP signer/O=Example": attributes by OpenSSL's short names, UTF-8, "\/" for a slash. ERR_INVALID.
 */
MUST_CHECK enum err csr_put_name(struct builder *b, const char *subject);
/* The request whole. Its signature is verified before it is handed out. */
MUST_CHECK enum err csr_make(struct token *token, const char *label, const char *subject, struct builder *ret_der,
        struct token_problem *ret_problem);
