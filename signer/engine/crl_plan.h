/* crl_plan: which CRL is due when, and what a delta is based on. Reads the history; decides nothing else. */
#pragma once

#include "store/crl_history.h"

/* 0: at once, there is none yet, or the one there is has run out. */
int64_t crl_plan_next_full(struct txn *txn, uint32_t ca_key, uint16_t shard, int64_t period_s, int64_t now_s);
int64_t crl_plan_next_delta(struct txn *txn, uint32_t ca_key, uint16_t shard, int64_t period_s, int64_t now_s);
/* Did a status change after the events that the newest CRL of either kind covers? */
bool crl_plan_is_behind(struct txn *txn, uint32_t ca_key, uint16_t shard);

/* The base of a delta issued now (RFC 5280 5.2.4, req 4.4): published whole, and the oldest that a client may still hold,
 * that is the oldest full CRL whose nextUpdate has not passed. A client may have fetched it just before it was replaced and
 * keeps it until then; a delta serves every full CRL whose number is at least its BaseCRLNumber. ERR_NOT_FOUND: there is
 * none, so only a full CRL can be issued. */
MUST_CHECK enum err crl_plan_base(struct txn *txn, uint32_t ca_key, uint16_t shard, int64_t now_s, struct crl_row *ret_row);
