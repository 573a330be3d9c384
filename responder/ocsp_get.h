/* ocsp_get: the request inside a GET's path (RFC 6960 A.1, req 1.2-1.6). Pure. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

/* `text` is what follows the responder's own path: base64, raw or %-encoded. ret_der holds text.len octets.
 * ERR_INVALID: HTTP 400 (white space, not base64; req 1.6). */
MUST_CHECK enum err ocsp_get_decode(struct bytes text, uint8_t *ret_der, size_t *ret_len);
