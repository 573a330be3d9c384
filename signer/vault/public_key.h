/* public_key: a public key object of the token as a SubjectPublicKeyInfo. */
#pragma once

#include "signer/vault/token.h"

/* Puts the SubjectPublicKeyInfo (RFC 3279 2.3). ERR_UNSUPPORTED: neither RSA nor P-256 nor P-384. */
MUST_CHECK enum err public_key_read(struct token *token, CK_OBJECT_HANDLE object, enum key_kind *ret_kind,
        struct builder *ret_spki, struct token_problem *ret_problem);

/* DER of the named curve's OID, for CKA_EC_PARAMS. */
struct bytes public_key_curve(enum key_kind kind);
