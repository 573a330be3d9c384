/* private_key: a private key in PEM, as far as to tell whose it is. OpenSSL reads it; nothing of OpenSSL shows here. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

/* The SubjectPublicKeyInfo (DER) that belongs to it: that of a certificate for this key. ERR_DENIED: it has a passphrase. ERR_INVALID: it is no
 * private key. */
MUST_CHECK enum err private_key_read_spki(struct bytes pem, struct builder *ret_spki);
