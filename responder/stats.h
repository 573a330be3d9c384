/* stats: a worker's counters, in memory of its own: nothing shared is written per request. */
#pragma once

#include <stdint.h>

#include "pki/hash_alg.h"
#include "responder/request.h"

struct stats {
        uint64_t n_connections;            /* accepted */
        uint64_t n_requests[METHOD_UNKNOWN + 1];
        uint64_t n_statuses[6];            /* by the HTTP status' first digit */
        uint64_t n_cert_id_hashes[HASH_N + 1]; /* CertIDs asked, by algorithm; the last: one we do not have (req 1.9) */
        uint64_t n_ocsp_stored;            /* answered with a stored signature */
        uint64_t n_ocsp_live;              /* ... with one made on demand */
        uint64_t n_ocsp_errors[8];         /* by OCSPResponseStatus */
        uint64_t n_asked;                  /* questions put to the engine, shared ones counted for each request */
        uint64_t n_stale_turns;
        uint64_t n_timeouts;
};
