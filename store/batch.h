/* batch: revocations made true together. Staging writes exception, crl_entry and item rows in sorted chunks; they do not
 * count while the batch is staged. Activation writes one batch row, one event, and the few rows that were staged or revoked
 * elsewhere meanwhile.
 *
 * The rules for a single serial live here too (batch_revoke_one ...): a revocation is never undone but by releasing a hold;
 * a reason may be raised to keyCompromise and a revocation date moved back (BR 7.2.2, req 4.10); the same revocation twice
 * changes nothing.
 */
#pragma once

#include "pki/reason.h"
#include "store/txn.h"

enum batch_state { BATCH_STAGED = 1, BATCH_ACTIVE = 2, BATCH_DROPPED = 3 };

struct batch {
        uint32_t id;
        uint8_t state;
        uint32_t ca_key;
        uint32_t created_at, activated_at;
        uint32_t n_items;             /* staged so far */
        uint32_t n_deferred;          /* of these, written out by the activation */
        uint32_t n_signed;            /* of these, SIGNED or ELSEWHERE (counted by status_sign and batch_activate) */
        uint8_t digest[32];           /* SHA-256 of the rowfile: what a second operator approves */
        struct bytes actor, incident; /* UTF-8 */
        uint8_t reason; /* enum reason, of all its serials; BATCH_REASON_MIXED: they differ, or it is not known */
};
#define BATCH_REASON_MIXED 255

/* One serial to be revoked or held. `serial` must not lie in the store: it is used after writes. */
struct revocation {
        uint32_t ca_key;
        struct bytes serial;
        enum reason reason;       /* certificateHold = a hold */
        uint32_t revoked_at;      /* 0 = when it becomes true */
        uint32_t invalidity_date; /* 0 = none */
};

/* What a revocation would do to the serial as it stands. */
enum revocation_effect {
        REVOCATION_NEW,       /* good, or released -> revoked or held */
        REVOCATION_FROM_HOLD, /* held -> revoked */
        REVOCATION_UPGRADE,   /* reason raised to keyCompromise, or date moved back, or an invalidity date given */
        REVOCATION_NOTHING,   /* already so */
        REVOCATION_UNKNOWN,   /* no record of that serial: refused */
        REVOCATION_REFUSED, /* would weaken: revoked already with a stronger or different reason, or a hold on a revoked one
                             */
        REVOCATION_EFFECT_N,
};
const char *revocation_effect_text(enum revocation_effect effect);
MUST_CHECK enum err revocation_check(struct txn *txn, const struct revocation *r, enum revocation_effect *ret_effect);

/* ---- one serial, in one transaction: exception, crl_entry, event ---- */
MUST_CHECK enum err revocation_apply(struct txn *txn, const struct revocation *r, int64_t now_s, struct bytes actor,
        size_t reserve, enum revocation_effect *ret_effect);
/* Lifts a hold. ERR_NOT_FOUND: not held. */
MUST_CHECK enum err revocation_release(
        struct txn *txn, uint32_t ca_key, struct bytes serial, int64_t now_s, struct bytes actor, size_t reserve);

/* ---- many ---- */
/* A new batch, staged; 0 once failed. */
uint32_t batch_put(struct txn *txn, const struct batch *batch);
MUST_CHECK enum err batch_get(struct txn *txn, uint32_t id, struct batch *ret_batch);
/* What the hot path needs of it. */
struct batch_brief {
        uint8_t state;
        uint32_t activated_at;
};
MUST_CHECK enum err batch_get_brief(struct txn *txn, uint32_t id, struct batch_brief *ret_brief);
MUST_CHECK enum err batch_next(struct txn *txn, uint32_t *id, struct batch *ret_batch);
/* Stages one; rows come in ascending order of serial. Where the serial has an exception row already, only its item is
 * written: deferred. Nothing is written for what has REVOCATION_NOTHING, UNKNOWN or REFUSED for its effect. Counts itself in
 * the batch's row. ERR_STALE: the batch is not staged. ERR_EXISTS: the batch has that serial already. */
MUST_CHECK enum err batch_stage(
        struct txn *txn, uint32_t id, const struct revocation *r, size_t reserve, enum revocation_effect *ret_effect);
/* The one-row flip: state, activated_at, event; deferred items written out by the rules of revocation_apply. ERR_STALE: not
 * staged. */
MUST_CHECK enum err batch_activate(struct txn *txn, uint32_t id, int64_t now_s, struct bytes actor, size_t reserve);
/* Takes back at most `max` staged rows of a batch that will not be activated; *ret_left says if any are left: n_items then
 * is not 0. The first call marks it dropped, so that no half of it can be activated. ERR_STALE: it is active. */
MUST_CHECK enum err batch_drop(struct txn *txn, uint32_t id, unsigned max, bool *ret_left);

/* ---- the ledger ---- */
enum item_progress {
        ITEM_STAGED = 1,   /* its exception row stands; once active: its present status is not signed yet */
        ITEM_DEFERRED = 2, /* the activation writes its exception row */
        ITEM_SIGNED = 3,   /* its present status has a signature in the store */
        ITEM_ELSEWHERE =
                4, /* at the activation another active batch had revoked it as strongly: that one's ledger keeps it */
};
struct item {
        uint8_t progress; /* enum item_progress */
        uint8_t reason;   /* what the batch asked for, for the deferred */
        uint16_t shard;   /* the CRL shard of the serial */
        uint32_t revoked_at, invalidity_date;
};
MUST_CHECK enum err item_read(struct bytes value, struct item *ret_item);
MUST_CHECK enum err item_get(struct txn *txn, uint32_t batch, uint32_t ca_key, struct bytes serial, struct item *ret_item);
void item_put(struct txn *txn, uint32_t batch, uint32_t ca_key, struct bytes serial, const struct item *item);
