/* pipeline_house: what fuzz_pipeline asks: a small store with several issuers and every kind of row, CRL files, a service over it, and a
 * double of the engine. What each serial's answer must say is written down here, not read from the store.
 *
 * Signatures are digests of what is signed, so that whoever looks at an answer can tell whether it was signed as it stands. */
#pragma once

#include "responder/answer/service.h"

#define HOUSE_NOW 1795255200 /* Sat, 21 Nov 2026 10:00:00 GMT; the clock stands there */

/* Made at the first call. */
struct service *house_open(void);

/* ---- the engine's double ---- */

enum mood {
        MOOD_TRUE,         /* signs what is */
        MOOD_AWAY,         /* the question could not be asked: NULL */
        MOOD_TRY_LATER,
        MOOD_UNAUTHORIZED,
        MOOD_LATE,         /* signs a lie, for a generation that is not the row's */
        MOOD_OLD,          /* ... dated before the status changed */
        MOOD_EXPIRED,      /* ... whose nextUpdate has come */
        MOOD_MISCOUNTED,   /* ... about more CertIDs than were asked for */
        MOOD_N,
};
/* Lives until the next call. */
const struct msg_sign_answer *house_sign(const struct msg_sign_ask *ask, enum mood mood);

/* ---- what is promised ---- */

/* Of an OCSPResponse that is an answer to `request` (DER): aborts where it says what it must not. */
void house_check_response(struct bytes response, struct bytes request);
/* Of a 304 to a request with a date, and no tag. */
void house_check_not_modified(struct bytes request);
