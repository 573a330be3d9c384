/* schedule: what happens by the clock: CRLs that are due, refresh, the space on the disk, the clocks themselves. Once a
 * second, on the main thread. A frozen clock (engine_clock) makes nothing due.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "signer/engine/issuer.h"

struct engine;
struct event;

/* When CRLs of one (issuer, shard) are due; kept for the set of issuers in use. */
struct crl_due {
        struct issuer *issuer;
        uint16_t shard;
        int64_t full_s, delta_s; /* INT64_MAX: never */
        int64_t changed_due_s;   /* a revocation waits to be listed; 0: none */
        int64_t full_earliest_s; /* what changed before is put into a delta only */
        int64_t retry_s;         /* after a failure: not before */
        unsigned failures;       /* in a row */
};

struct schedule {
        struct event *timer;
        struct crl_due *crls;
        unsigned n_crls;
        int64_t space_looked_ms;
};

MUST_CHECK enum err schedule_start(struct engine *engine);
void schedule_stop(struct engine *engine);
/* The set of issuers changed: what is due is read from the store anew. */
MUST_CHECK enum err schedule_reset(struct engine *engine);
/* A status changed: its CRL is due within crl.after_revocation. */
void schedule_truth_changed(struct engine *engine, const struct issuer *issuer);
/* A CRL was published, or could not be. */
void schedule_crl_done(
        struct engine *engine, const struct issuer *issuer, uint16_t shard, unsigned kinds, int64_t took_ms, bool ok);
/* Orders what is due without waiting for the next tick: when the token opened. */
void schedule_now(struct engine *engine);
