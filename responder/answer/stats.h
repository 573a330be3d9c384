/* stats: a worker's counters, in memory of its own: nothing shared is written per request. A few times a second the worker copies them
 * to its own page of the board, where the admin process finds them (board.h). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/metric.h"
#include "pki/hash_alg.h"
#include "responder/answer/request.h"

/* How an OCSP question was answered. */
enum outcome {
        OUTCOME_NONE, /* it was none */
        OUTCOME_GOOD,
        OUTCOME_REVOKED,
        OUTCOME_UNAUTHORIZED,
        OUTCOME_MALFORMED,
        OUTCOME_TRY_LATER,
        OUTCOME_INTERNAL_ERROR,
        OUTCOME_N,
};

/* Rows by issuer: 0 = none that we know; then by the CA key's id in the store, which never changes; those that are too many share the
 * last. */
#define STATS_ISSUERS 64
#define STATS_NAME_MAX 64

struct stats {
        /* ---- counters: uint64_t all ---- */
        uint64_t n_connections; /* accepted */
        uint64_t n_refused_connections; /* ... and closed at once: their address has enough (req 1.18) */
        uint64_t n_refused_requests;    /* 429, likewise */
        uint64_t n_requests[METHOD_UNKNOWN + 1][PROTOCOL_N][6]; /* by method, protocol, the HTTP status' first digit */
        uint64_t n_outcomes[STATS_ISSUERS][OUTCOME_N];
        uint64_t n_cert_id_hashes[HASH_N + 1]; /* CertIDs asked, by algorithm; the last: one we do not have (req 1.9) */
        uint64_t n_ocsp_stored;                /* answered with a stored signature */
        uint64_t n_ocsp_live;                  /* ... with one made on demand */
        uint64_t n_asked;                      /* questions put to the engine */
        uint64_t n_coalesced;                  /* requests that joined a question under way */
        uint64_t n_refused;                    /* ... that the credit or the engine's absence forbade to ask */
        uint64_t n_engine_lost;                /* times that the line to the engine broke */
        uint64_t n_stale_turns;
        uint64_t n_timeouts;
        uint64_t n_logged, n_log_lost; /* access log: lines; those that the file did not take in time */
        struct metric_histogram turn_us; /* of each request: the read turn that it was answered in */
        struct metric_histogram wait_us; /* of each request that asked for a signature: from its octets to its answer */

        /* ---- gauges, as of published_ms ---- */
        struct stats_now {
                uint64_t n_open;          /* connections */
                uint64_t n_questions;     /* the engine has not answered yet */
                uint64_t longest_turn_us; /* since the publication before */
                uint64_t commit;          /* the newest of the store */
                uint64_t commit_since_ms; /* monotonic: since when it is the newest */
                uint64_t published_ms;    /* monotonic; 0 = never */
        } now;

        /* of the rows by issuer; "" = not met yet */
        char names[STATS_ISSUERS][STATS_NAME_MAX + 1];
};
#define STATS_N_COUNTERS (offsetof(struct stats, now) / sizeof(uint64_t))

/* Adds the counters of `more`, and the names it knows; its gauges are not looked at. */
static inline void stats_add(struct stats *s, const struct stats *more)
{
        uint64_t *to = (uint64_t *)s;
        const uint64_t *from = (const uint64_t *)more;

        for (size_t i = 0; i < STATS_N_COUNTERS; i++)
                to[i] += from[i];
        for (size_t i = 0; i < STATS_ISSUERS; i++)
                if (more->names[i][0] != '\0')
                        memcpy(s->names[i], more->names[i], sizeof s->names[i]);
}
