/* ocsp_get: the request inside a GET's path (RFC 6960 A.1, req 1.2-1.6). Pure. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

/* The groups of four digits that were decoded last, for texts that mostly begin like them: requests to one issuer share four
 * fifths of their octets. Zeroed it knows none. */
#define OCSP_GET_MEMO_TEXT 255
#define OCSP_GET_MEMO_GROUPS (OCSP_GET_MEMO_TEXT / 4)

struct ocsp_get_memo {
        uint8_t text[OCSP_GET_MEMO_TEXT];
        uint8_t der[3 * OCSP_GET_MEMO_GROUPS];
        uint8_t n_groups;
        uint8_t at[OCSP_GET_MEMO_GROUPS + 1]; /* where each begins in the text, and where the last one ends; escapes make them longer */
};

/* `text` is what follows the responder's own path: base64, raw or %-encoded. ret_der holds text.len octets.
 * `memo` changes how fast it goes and nothing else.
 * ERR_INVALID: HTTP 400 (white space, not base64; req 1.6). */
MUST_CHECK enum err ocsp_get_decode(struct ocsp_get_memo *memo, struct bytes text, uint8_t *ret_der, size_t *ret_len);
