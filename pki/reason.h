/* reason: CRLReason (RFC 5280 5.3.1), one table: number, name, which profile may use it (BR 7.2.2, req 4.9). */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

enum reason {
        REASON_UNSPECIFIED = 0,
        REASON_KEY_COMPROMISE = 1,
        REASON_CA_COMPROMISE = 2,
        REASON_AFFILIATION_CHANGED = 3,
        REASON_SUPERSEDED = 4,
        REASON_CESSATION_OF_OPERATION = 5,
        REASON_CERTIFICATE_HOLD = 6,
        REASON_REMOVE_FROM_CRL = 8,
        REASON_PRIVILEGE_WITHDRAWN = 9,
        REASON_AA_COMPROMISE = 10,
};

/* RFC 5280's name, "keyCompromise"; NULL for a number that is none. */
const char *reason_name(unsigned reason);
/* By name (any case, '-' and '_' ignored: key-compromise, KEYCOMPROMISE, keyCompromise) or by number. ERR_INVALID. */
MUST_CHECK enum err reason_from_text(struct bytes text, enum reason *ret_reason);
/* May a subscriber certificate under the cabf-tls profile be revoked with it? (0, 1, 3, 4, 5, 9) */
bool reason_allowed_cabf(enum reason reason);
/* May anything be revoked with it? Not removeFromCRL, nor a number that is none. */
bool reason_allowed(enum reason reason);
