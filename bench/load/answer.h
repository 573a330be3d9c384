/* answer: is this HTTP answer the right one? Every answer's status, length and first octets are looked at; a sample is read whole. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "bench/load/question.h"

enum verdict {
        VERDICT_RIGHT,
        VERDICT_HTTP_STATUS,  /* not 200 */
        VERDICT_LENGTH,       /* a body too short or too long to be the answer */
        VERDICT_OCSP_STATUS,  /* tryLater, unauthorized, ...: a refusal, not an answer */
        VERDICT_UNREADABLE,   /* not an OCSPResponse, or not HTTP */
        VERDICT_WRONG_SERIAL, /* somebody else's answer */
        VERDICT_WRONG_STATUS, /* `good` for what the list says is revoked, or the reverse */
        VERDICT_STALE,        /* outside thisUpdate..nextUpdate */
        VERDICT_WRONG_BODY,   /* a static body that is not the expected one */
        VERDICT_CLOSED,       /* the connection ended before the answer */
        VERDICT_UNANSWERED,   /* still out when the run ended */
        VERDICT_NO_CONNECTION,
        VERDICT_N,
};

const char *verdict_name(enum verdict v);

struct answer {
        unsigned status;
        struct bytes body;
        bool closes; /* the server will close: Connection: close, or HTTP/1.0 without keep-alive */
};

/* Takes one whole answer (with Content-Length) from the front of `in`. ERR_AGAIN: not all there; ERR_INVALID: not such an answer. */
MUST_CHECK enum err answer_take(struct bytes *in, struct answer *ret);

struct answer_rule {
        bool is_ocsp;
        struct bytes expected_body; /* static: empty = the first body seen decides, and is kept by the caller */
        int64_t now_s;
};

/* What every answer is held to: cheap. */
enum verdict answer_check(const struct answer *a, const struct answer_rule *rule);
/* What a sample is held to, on top. */
enum verdict answer_check_whole(const struct answer *a, const struct answer_rule *rule, const struct question *asked);
